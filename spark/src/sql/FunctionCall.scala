// SPDX-License-Identifier: Apache-2.0
package org.apache.spark.sql.forebay

import scala.jdk.CollectionConverters._

import com.google.protobuf.ByteString
import org.apache.spark.{SparkFiles, TaskContext}
import org.apache.spark.sql.catalyst.expressions.PythonUDF
import org.apache.spark.sql.execution.python.ArrowPythonRunner
import org.apache.spark.sql.internal.SQLConf
import org.apache.spark.sql.types.StructType
import org.apache.spark.udf.worker.{Init, UDFWorkerDataFormat, UdfPayload}

/** What an executor has to know to call a function: made on the driver, sent with the task. */
private[forebay] final case class FunctionCall(
    name: String,
    evalType: Int,
    program: String,
    environment: Map[String, String],
    payload: Array[Byte],
    timeZone: String,
    settings: Map[String, String],
    batchRowsMax: Int,
    batchBytesMax: Long) {

  def init(task: TaskContext, input: StructType, output: StructType): Init = {
    val function = UdfPayload.newBuilder
      .setPayload(ByteString.copyFrom(payload))
      .setPayloadSize(payload.length)
      .setFormat(FunctionCall.payloadFormat)
      .setName(name)
      .setEvalType(evalType.toString)
    // The names are those of the classic channel's context.
    val context = Map(
      "partitionId" -> task.partitionId().toString,
      "stageId" -> task.stageId().toString,
      "attemptNumber" -> task.attemptNumber().toString,
      "taskAttemptId" -> task.taskAttemptId().toString,
      "cpus" -> task.cpuAmount().toInt.toString,
      "filesDirectory" -> SparkFiles.getRootDirectory())
    val properties = task.getLocalProperties.asScala.map { case (name, value) =>
      s"localProperties.$name" -> value
    }
    Init.newBuilder
      .setProtocolVersion(1)
      .setDataFormat(UDFWorkerDataFormat.ARROW)
      .setUdf(function)
      .setInputSchema(Messages.schema(input, timeZone))
      .setOutputSchema(Messages.schema(output, timeZone))
      .putAllTaskContext((context ++ properties).asJava)
      .putAllSessionConf(settings.asJava)
      .setTimezone(timeZone)
      .build()
  }
}

private[forebay] object FunctionCall {
  private val payloadFormat = "forebay"
  private val mark = "FOREBAY_CHANNEL"

  /** Whether the function was made to be called over gRPC. */
  def isMarked(function: PythonUDF): Boolean =
    function.func != null && "grpc" == function.func.envVars.get(mark)

  def apply(function: PythonUDF, conf: SQLConf): FunctionCall = FunctionCall(
    function.name,
    function.evalType,
    function.func.pythonExec,
    function.func.envVars.asScala.toMap,
    function.func.command.toArray,
    conf.sessionLocalTimeZone,
    ArrowPythonRunner.getPythonRunnerConfMap(conf),
    conf.arrowMaxRecordsPerBatch,
    conf.arrowMaxBytesPerBatch)
}
