// SPDX-License-Identifier: Apache-2.0
package org.apache.spark.udf.worker.core.forebay

import java.util.concurrent.TimeUnit

import scala.util.control.NonFatal

import org.apache.spark.udf.worker._
import org.apache.spark.udf.worker.UdfControlResponse.ControlCase
import org.apache.spark.udf.worker.core.{Termination, WorkerHandle, WorkerLogger, WorkerSession}
import org.apache.spark.udf.worker.core.WorkerSession.SessionState

/**
 * One function for one task. Spark's class keeps the order of the calls, and ends the worker's process
 * after `close`.
 *
 * Threads: the task's thread makes the calls, and reads and writes in turn; any may `wake` it.
 */
private[spark] final class Session(worker: WorkerHandle, exchange: Exchange, log: WorkerLogger)
    extends WorkerSession(worker, log) {
  import Session._

  /** Has the task look at its checkpoint, if it waits. Thread role: any. */
  def wake(): Unit = exchange.wake()

  /** What throws when the task shall not go on; to be called before `process`. */
  def checkWith(check: () => Unit): Unit = exchange.checkpoint = check

  override protected def doInit(message: Init): InitResponse = failing {
    exchange.start()
    exchange.send(UdfControlRequest.newBuilder.setInit(message))
    exchange.next(System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(initTimeMs)) match {
      case Some(response) if response.getControl.hasInit => response.getControl.getInit
      case Some(response) => broken(s"the worker began with ${nameOf(response)}")
      case None => throw new Failure(s"DeadlineExceeded: no answer to Init within $initTimeMs ms")
    }
  }

  override protected def doProcess(
      input: Iterator[DataRequest],
      finish: () => Finish): Iterator[DataResponse] = new Iterator[DataResponse] {
    private var coming: Option[DataResponse] = None
    private var sent = false
    private var over = false

    override def hasNext: Boolean = {
      while (coming.isEmpty && !over) advance()
      coming.isDefined
    }

    override def next(): DataResponse = {
      if (!hasNext) throw new NoSuchElementException("the worker's last batch was taken")
      val taken = coming.get
      coming = None
      taken
    }

    private def advance(): Unit = failing(exchange.poll()) match {
      case Some(response) if response.hasData => coming = Some(response.getData)
      case Some(response) => over = true; failing(conclude(response))
      case None if sent || !exchange.mayWrite => exchange.await()
      case None if input.hasNext => exchange.send(input.next())
      case None =>
        sent = true
        compareAndSetState(SessionState.Streaming, SessionState.Finishing)
        exchange.send(UdfControlRequest.newBuilder.setFinish(finish()))
    }
  }

  /** What ends the output: a word that all is done, or an error, which `close` will answer. */
  private def conclude(response: UdfResponse): Unit = response.getControl.getControlCase match {
    case ControlCase.FINISH =>
      val finish = response.getControl.getFinish
      settle(Termination.Finished(finish))
      if (finish.hasError) throw new Failure(finish.getError)
    case ControlCase.ERROR => throw new Failure(response.getControl.getError.getError)
    case ControlCase.CANCEL =>
      val cancel = response.getControl.getCancel
      settle(Termination.Cancelled(cancel))
      if (cancel.hasError) throw new Failure(cancel.getError)
      broken("the worker cancelled a session that it was not asked to cancel")
    case _ => broken(s"the worker sent ${nameOf(response)} among its data")
  }

  /**
   * Tells the worker when it still works, and waits some time for its last word. A function that does
   * not listen to that does not listen to a signal either, and is killed.
   */
  override protected def doClose(cancel: () => Cancel): Termination = {
    currentState match {
      case SessionState.Created =>
        completeTerminal(Termination.Cancelled(CancelResponse.getDefaultInstance))
      case state if !state.isTerminal =>
        compareAndSetState(state, SessionState.Cancelling)
        try {
          exchange.send(UdfControlRequest.newBuilder.setCancel(cancel()))
          awaitTerminator()
        } catch {
          case error: InterruptedException =>
            Thread.currentThread().interrupt()
            completeTerminal(Termination.TransportFailed(error))
          case NonFatal(error) => completeTerminal(Termination.TransportFailed(error))
        }
      case _ =>
    }
    val termination = settledTermination
    if (!isWorkerSalvageable) exchange.abandon()
    termination
  }

  /** Data that comes meanwhile is nobody's. */
  private def awaitTerminator(): Unit = {
    val end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(cancelTimeMs)
    while (!currentState.isTerminal) {
      exchange.next(end).map(_.getControl) match {
        case Some(control) if control.hasFinish => settle(Termination.Finished(control.getFinish))
        case Some(control) if control.hasCancel => settle(Termination.Cancelled(control.getCancel))
        case Some(_) =>
        case None => throw new Failure(s"DeadlineExceeded: no answer to Cancel in $cancelTimeMs ms")
      }
    }
  }

  /** The engine closes its side when it has the worker's last word. */
  private def settle(termination: Termination): Unit = {
    completeTerminal(termination)
    exchange.close()
  }

  /** Where the worker itself has not said why, there is nothing to wait for any more. */
  private def failing[T](what: => T): T =
    try what
    catch {
      case failure: Failure if !failure.byWorker =>
        completeTerminal(Termination.TransportFailed(failure))
        throw failure
    }

  private def broken(what: String): Nothing = throw new Failure(s"ProtocolError: $what")
}

private[spark] object Session {
  private val initTimeMs = 30000L
  private val cancelTimeMs = 2000L

  private def nameOf(response: UdfResponse) =
    if (response.hasData) "data" else s"the word ${response.getControl.getControlCase}"
}
