// SPDX-License-Identifier: Apache-2.0
package org.apache.spark.sql.forebay

import java.io.IOException

import org.apache.spark.{SparkException, TaskContext}
import org.apache.spark.api.python.PythonException
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.types.StructType
import org.apache.spark.sql.util.ArrowUtils
import org.apache.spark.udf.worker.{DataRequest, DataResponse}
import org.apache.spark.udf.worker.core.direct.DirectWorkerException
import org.apache.spark.udf.worker.core.forebay.{Failure, Session, Workers}

/** Calls a function for one task: rows in, rows out, in a worker of its own. */
private[forebay] object TaskRows {
  /** Starts it. Thread role: the task's; what it gives is read by it. Blocking: yes. */
  def apply(
      call: FunctionCall,
      rows: Iterator[InternalRow],
      input: StructType,
      output: StructType,
      task: TaskContext): Iterator[InternalRow] = {
    val allocator = ArrowUtils.rootAllocator.newChildAllocator(s"forebay ${call.name}", 0, Long.MaxValue)
    // Spark calls what was added last first.
    task.addTaskCompletionListener[Unit](_ => allocator.close())
    val requests = new RowsToMessages(rows, input, call, allocator)
    task.addTaskCompletionListener[Unit](_ => requests.close())
    val responses = told(call, task) {
      val session = open(call, task)
      val response = session.init(call.init(task, input, output))
      if (response.hasError) throw new Failure(response.getError)
      session.process(requests.map(DataRequest.newBuilder.setData(_).build()))
    }
    val messages = new ToldOf(responses, call, task).map(_.getData)
    val results = new MessagesToRows(messages, output, call, allocator)
    task.addTaskCompletionListener[Unit](_ => results.close())
    results
  }

  private def open(call: FunctionCall, task: TaskContext): Session = {
    val session =
      try Workers.open(call.program, call.environment)
      catch {
        case error: IOException => throw new Failure(s"WorkerError: ${error.getMessage}")
      }
    session.checkWith(() => task.killTaskIfInterrupted())
    task.addTaskInterruptListener((_, _) => session.wake())
    task.addTaskCompletionListener[Unit](_ => session.close())
    session
  }

  /** What a session throws as what Spark tells its users, as far as the session is the cause. */
  private def told[T](call: FunctionCall, task: TaskContext)(what: => T): T =
    try what
    catch {
      case failure: Failure if failure.byWorker =>
        // That of functions of the classic channel, which Python knows.
        throw new PythonException(
          "PYTHON_EXCEPTION",
          Map("msg" -> "An exception was thrown from the worker", "traceback" -> failure.getMessage),
          failure)
      case failure @ (_: Failure | _: DirectWorkerException) =>
        throw new SparkException(
          s"'${call.name}' failed in partition ${task.partitionId()}: ${failure.getMessage}", failure)
    }

  private final class ToldOf(responses: Iterator[DataResponse], call: FunctionCall, task: TaskContext)
      extends Iterator[DataResponse] {
    override def hasNext: Boolean = told(call, task)(responses.hasNext)
    override def next(): DataResponse = told(call, task)(responses.next())
  }
}
