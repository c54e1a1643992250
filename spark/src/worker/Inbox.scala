// SPDX-License-Identifier: Apache-2.0
package org.apache.spark.udf.worker.core.forebay

import java.util.ArrayDeque
import java.util.concurrent.locks.ReentrantLock

import io.grpc.{ClientCall, Metadata, Status}
import org.apache.spark.udf.worker.UdfResponse

/**
 * What the worker sends, until the task asks for it.
 *
 * Threads: gRPC's thread puts, and never waits; the task's thread takes. Any thread may `wake`.
 * Bounded: gRPC brings no more messages than were requested of the call.
 */
private[forebay] final class Inbox extends ClientCall.Listener[UdfResponse] {
  private val lock = new ReentrantLock
  private val changed = lock.newCondition()
  private val messages = new ArrayDeque[UdfResponse]
  private var end: Option[Status] = None
  private var woken = false

  override def onMessage(message: UdfResponse): Unit = change(messages.add(message))
  override def onClose(status: Status, trailers: Metadata): Unit = change { end = Some(status) }
  override def onReady(): Unit = wake()

  /** Ends a wait, so that the task looks again at what it waits for. */
  def wake(): Unit = change { woken = true }

  /** The next message; Left is how the call ended, when all messages were taken; or nothing yet. */
  def poll(): Option[Either[Status, UdfResponse]] = locked {
    if (!messages.isEmpty) Some(Right(messages.poll())) else end.map(Left(_))
  }

  /**
   * Waits until there is something to take, or `wake` was called since the last wait, or so many
   * nanoseconds passed. False in the last case.
   */
  def await(nanoseconds: Long): Boolean = locked {
    var left = nanoseconds
    while (messages.isEmpty && end.isEmpty && !woken && left > 0) left = changed.awaitNanos(left)
    woken = false
    left > 0
  }

  private def change(what: => Any): Unit = locked {
    what
    changed.signalAll()
  }

  private def locked[T](what: => T): T = {
    lock.lock()
    try what
    finally lock.unlock()
  }
}
