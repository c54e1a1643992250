// SPDX-License-Identifier: Apache-2.0
package org.apache.spark.sql.forebay

import org.apache.spark.sql.classic.SparkSession

/** For `forebay.spark`, which asks before it makes a function. Thread role: any, on the driver. */
object Provider {
  /** The Spark that this was compiled for; its classes are bound to it. */
  val sparkVersion: String = "4.3.0"

  // One of each jar that is needed beside Spark's.
  private val needed = Seq(
    "com.google.protobuf.GeneratedMessage",
    "io.grpc.ClientCall",
    "io.grpc.internal.GrpcUtil",
    "io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder",
    "io.perfmark.PerfMark")

  /** What is missing in the session, or nothing. */
  def missing(session: SparkSession): String =
    needed.find(name => !exists(name)) match {
      case Some(name) => s"the class $name, on the driver's class path"
      case None if !session.sessionState.planner.strategies.contains(GrpcStrategy) =>
        s"spark.sql.extensions=${classOf[ForebayExtensions].getName}, since the session was made"
      case None => ""
    }

  private def exists(name: String) =
    try {
      Class.forName(name)
      true
    } catch {
      case _: ClassNotFoundException | _: NoClassDefFoundError => false
    }
}
