// SPDX-License-Identifier: Apache-2.0
package org.apache.spark.udf.worker.core.forebay

import org.apache.spark.udf.worker.ExecutionError

/** Why a session gives no more output. `byWorker` when the worker itself said so, in the protocol. */
private[spark] final class Failure(message: String, val byWorker: Boolean)
    extends RuntimeException(message) {
  def this(message: String) = this(message, false)
  def this(error: ExecutionError) = this(Failure.textOf(error), true)
}

private[spark] object Failure {
  private def textOf(error: ExecutionError): String = error.getKindCase match {
    case ExecutionError.KindCase.USER =>
      withTrace(error.getUser.getMessage, error.getUser.getTraceback)
    case ExecutionError.KindCase.WORKER =>
      withTrace(error.getWorker.getMessage, error.getWorker.getTraceback)
    case ExecutionError.KindCase.PROTOCOL => error.getProtocol.getMessage
    case _ => "ProtocolError: the worker sent an error that says nothing"
  }

  private def withTrace(message: String, trace: String) =
    if (trace.isEmpty) message else s"$message\n$trace"
}
