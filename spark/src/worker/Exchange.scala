// SPDX-License-Identifier: Apache-2.0
package org.apache.spark.udf.worker.core.forebay

import java.util.concurrent.TimeUnit

import io.grpc.{CallOptions, Metadata, Status}
import org.apache.spark.udf.worker.{DataRequest, UdfControlRequest, UdfRequest, UdfResponse}
import org.apache.spark.udf.worker.core.direct.DirectWorkerProcess

/**
 * The messages of one call of Execute, as the task's thread sends and takes them.
 *
 * Threads: the task's; `wake` may be called by any. Bounded: gRPC is asked for no more messages than
 * are taken, and `mayWrite` says no while it has much left to send.
 */
private[forebay] final class Exchange(
    worker: DirectWorkerProcess,
    connection: Connection,
    outputTail: () => String) {
  import Exchange._

  private val inbox = new Inbox
  private val call = connection.channel.newCall(Wire.execute, CallOptions.DEFAULT)

  /** What the task does whenever a wait ends, such as throwing when it was killed. */
  var checkpoint: () => Unit = () => ()

  def start(): Unit = {
    call.start(inbox, new Metadata)
    call.request(messagesAheadMax)
  }

  def send(control: UdfControlRequest.Builder): Unit =
    call.sendMessage(UdfRequest.newBuilder.setControl(control).build())

  /** Errors: Failure for a message that the worker would not take. */
  def send(data: DataRequest): Unit = {
    val message = UdfRequest.newBuilder.setData(data).build()
    val bytes = message.getSerializedSize
    if (bytes > Wire.messageBytesMax) {
      throw new Failure(
        s"LimitExceeded: one batch has $bytes bytes, at most ${Wire.messageBytesMax}: its last row is "
          + "large, or spark.sql.execution.arrow.maxBytesPerBatch is")
    }
    call.sendMessage(message)
  }

  def mayWrite: Boolean = call.isReady

  /** When the worker has had its last word. */
  def close(): Unit = call.halfClose()

  /** When it has not, and is not waited for any more. */
  def abandon(): Unit = {
    call.cancel("the session failed", null)
    worker.process.destroyForcibly()
  }

  def wake(): Unit = inbox.wake()

  /** What has come, or nothing yet. Errors: Failure when the call is over and all was taken. */
  def poll(): Option[UdfResponse] = inbox.poll().map {
    case Right(response) =>
      call.request(1)
      response
    case Left(status) => lost(status)
  }

  /** Waits for a change. Blocking: until there is one. Errors: those of the checkpoint. */
  def await(): Unit = {
    inbox.await(Long.MaxValue)
    checkpoint()
  }

  /** The next message, or nothing by that time of System.nanoTime. Blocking: so long. */
  def next(end: Long): Option[UdfResponse] = {
    var response = poll()
    while (response.isEmpty && end - System.nanoTime() > 0) {
      inbox.await(end - System.nanoTime())
      response = poll()
    }
    response
  }

  /** Says what the process left, which most often is why the call is over. */
  private def lost(status: Status): Nothing = {
    val why = s"${status.getCode}: ${Option(status.getDescription).getOrElse("no more is known")}"
    val end =
      if (worker.process.waitFor(exitTimeMs, TimeUnit.MILLISECONDS)) {
        s"the worker's process ended with ${worker.process.exitValue()}"
      } else {
        "the call to the worker broke"
      }
    throw new Failure(s"Truncated: $end before the session did ($why). ${outputTail()}".trim)
  }
}

private[forebay] object Exchange {
  private val messagesAheadMax = 2
  // A process that broke its call by ending is gone by then.
  private val exitTimeMs = 1000L
}
