// SPDX-License-Identifier: Apache-2.0
package org.apache.spark.sql.forebay

import org.apache.spark.SparkUnsupportedOperationException
import org.apache.spark.sql.catalyst.expressions.{Attribute, AttributeReference, Expression, NamedArgumentExpression, PythonUDF}
import org.apache.spark.sql.catalyst.plans.logical.{ArrowEvalPython, LogicalPlan, MapInArrow}
import org.apache.spark.sql.execution.{ProjectExec, SparkPlan, SparkStrategy}
import org.apache.spark.sql.execution.python.ArrowEvalPythonExec

/**
 * Plans the nodes that Spark makes of functions: those whose function is marked become nodes that talk
 * gRPC, the rest are left to Spark. Thread role: any, on the driver.
 */
object GrpcStrategy extends SparkStrategy {
  override def apply(plan: LogicalPlan): Seq[SparkPlan] = plan match {
    case _ if !plan.expressions.exists(_.exists(isMarked)) => Nil
    case MapInArrow(function: PythonUDF, output, child, isBarrier, profile) =>
      GrpcMapExec(function, output, planLater(child), isBarrier, profile) :: Nil
    case ArrowEvalPython(functions, results, child, _) =>
      val planned = functions.zip(results).foldLeft(planLater(child)) {
        case (below, (function, result)) => planScalar(function, result, below)
      }
      // Without what chained functions hand to each other.
      val output = child.output ++ results
      (if (planned.output == output) planned else ProjectExec(output, planned)) :: Nil
    case _ =>
      throw unsupported(s"a ${plan.nodeName} of C++ functions", "use the classic channel for it")
  }

  private def isMarked(expression: Expression) = expression match {
    case function: PythonUDF => FunctionCall.isMarked(function)
    case _ => false
  }

  /** One node for each function: a session serves one. The argument of a chain is a node below. */
  private def planScalar(function: PythonUDF, result: Attribute, below: SparkPlan): SparkPlan =
    function.children match {
      case Seq(inner: PythonUDF) =>
        val between = AttributeReference("between", inner.dataType, inner.nullable)()
        val planned = planScalar(inner, between, below)
        planOne(function.copy(children = Seq(between)), result, planned)
      case _ => planOne(function, result, below)
    }

  private def planOne(function: PythonUDF, result: Attribute, below: SparkPlan): SparkPlan =
    if (!FunctionCall.isMarked(function)) {
      ArrowEvalPythonExec(Seq(function), Seq(result), below, function.evalType)
    } else if (function.children.exists(_.isInstanceOf[NamedArgumentExpression])) {
      throw unsupported(s"arguments of '${function.name}' by name", "give them by place")
    } else {
      GrpcEvalExec(function, result, below)
    }

  private def unsupported(what: String, instead: String) = new SparkUnsupportedOperationException(
    "UNSUPPORTED_CALL.WITHOUT_SUGGESTION",
    Map(
      "methodName" -> s"Unsupported: $what has no form on the gRPC channel; $instead",
      "className" -> getClass.getName))
}
