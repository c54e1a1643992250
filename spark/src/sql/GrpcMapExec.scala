// SPDX-License-Identifier: Apache-2.0
package org.apache.spark.sql.forebay

import org.apache.spark.TaskContext
import org.apache.spark.rdd.RDD
import org.apache.spark.resource.ResourceProfile
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{Attribute, AttributeSet, PythonUDF, UnsafeProjection}
import org.apache.spark.sql.catalyst.plans.physical.Partitioning
import org.apache.spark.sql.catalyst.types.DataTypeUtils
import org.apache.spark.sql.execution.{SparkPlan, UnaryExecNode}

/** What a map function makes of the rows of each partition: Spark's MapInArrowExec over gRPC. */
case class GrpcMapExec(
    function: PythonUDF,
    output: Seq[Attribute],
    child: SparkPlan,
    isBarrier: Boolean,
    profile: Option[ResourceProfile])
    extends UnaryExecNode {
  override def producedAttributes: AttributeSet = AttributeSet(output)
  override def outputPartitioning: Partitioning = child.outputPartitioning

  override protected def doExecute(): RDD[InternalRow] = {
    // The closure must not hold this node.
    val call = FunctionCall(function, conf)
    val inputSchema = child.schema
    val attributes = output
    val outputSchema = DataTypeUtils.fromAttributes(attributes)
    val map = (rows: Iterator[InternalRow]) => {
      val results = TaskRows(call, rows, inputSchema, outputSchema, TaskContext.get())
      results.map(UnsafeProjection.create(attributes, attributes))
    }
    val rows = child.execute()
    val mapped = if (isBarrier) rows.barrier().mapPartitions(map) else rows.mapPartitions(map)
    profile.fold(mapped)(mapped.withResources)
  }

  override protected def withNewChildInternal(newChild: SparkPlan): SparkPlan = copy(child = newChild)
}
