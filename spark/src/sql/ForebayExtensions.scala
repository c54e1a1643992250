// SPDX-License-Identifier: Apache-2.0
package org.apache.spark.sql.forebay

import org.apache.spark.sql.{SparkSessionExtensions, SparkSessionExtensionsProvider}

/** What `spark.sql.extensions` names: marked functions go over the gRPC channel. */
class ForebayExtensions extends SparkSessionExtensionsProvider {
  override def apply(extensions: SparkSessionExtensions): Unit =
    extensions.injectPlannerStrategy(_ => GrpcStrategy)
}
