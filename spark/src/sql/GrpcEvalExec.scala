// SPDX-License-Identifier: Apache-2.0
package org.apache.spark.sql.forebay

import org.apache.spark.TaskContext
import org.apache.spark.api.python.ChainedPythonFunctions
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{Attribute, BoundReference, PythonUDF, UnsafeProjection}
import org.apache.spark.sql.catalyst.types.DataTypeUtils
import org.apache.spark.sql.execution.SparkPlan
import org.apache.spark.sql.execution.python.{EvalPythonEvaluatorFactory, EvalPythonExec}
import org.apache.spark.sql.execution.python.EvalPythonExec.ArgumentMetadata
import org.apache.spark.sql.types.{StructField, StructType}

/** A column that a function makes of others: Spark's ArrowEvalPythonExec over gRPC. */
case class GrpcEvalExec(function: PythonUDF, result: Attribute, child: SparkPlan)
    extends EvalPythonExec {
  override def udfs: Seq[PythonUDF] = Seq(function)
  override def resultAttrs: Seq[Attribute] = Seq(result)

  // Made on the driver: executors do not know the session's settings.
  override protected val evaluatorFactory: EvalPythonEvaluatorFactory =
    new GrpcEvaluatorFactory(child.output, function, result, FunctionCall(function, conf))

  override protected def withNewChildInternal(newChild: SparkPlan): SparkPlan = copy(child = newChild)
}

/** Spark's class computes the arguments, and joins what comes of them to their rows. */
private[forebay] final class GrpcEvaluatorFactory(
    childOutput: Seq[Attribute],
    function: PythonUDF,
    result: Attribute,
    call: FunctionCall)
    extends EvalPythonEvaluatorFactory(childOutput, Seq(function), childOutput :+ result) {

  override protected def evaluate(
      functions: Seq[(ChainedPythonFunctions, Long)],
      arguments: Array[Array[ArgumentMetadata]],
      rows: Iterator[InternalRow],
      schema: StructType,
      context: TaskContext): Iterator[InternalRow] = {
    val places = arguments.head.map(_.offset).toSeq
    val columns = StructType(places.zipWithIndex.map { case (place, i) =>
      StructField(s"_$i", schema(place).dataType)
    })
    val passed = if (places == schema.indices) rows else rows.map(select(places, schema))
    var sent = 0L
    val counted = passed.map { row => sent += 1; row }
    val output = DataTypeUtils.fromAttributes(Seq(result))
    val results = TaskRows(call, counted, columns, output, context)
    new RowsForRows(call.name, results, () => sent)
  }

  /** The same column may be several arguments; Spark computes it once. */
  private def select(places: Seq[Int], schema: StructType) = UnsafeProjection.create(
    places.map(place => BoundReference(place, schema(place).dataType, nullable = true)))
}

/** Looks that there is a result for each row: with too few Spark would lose rows silently. */
private[forebay] final class RowsForRows(
    name: String,
    results: Iterator[InternalRow],
    rows: () => Long)
    extends Iterator[InternalRow] {
  private var got = 0L

  override def hasNext: Boolean = {
    val more = results.hasNext
    if (!more && got != rows()) {
      throw new IllegalStateException(
        s"ProtocolError: '$name' was given ${rows()} rows and gave $got results")
    }
    more
  }

  override def next(): InternalRow = {
    got += 1
    if (got > rows()) {
      throw new IllegalStateException(s"ProtocolError: '$name' gave more results than rows")
    }
    results.next()
  }
}
