// SPDX-License-Identifier: Apache-2.0
package org.apache.spark.udf.worker.core.forebay

import scala.jdk.CollectionConverters._

import org.apache.spark.udf.worker._
import org.apache.spark.udf.worker.core.{UDFDispatcherFactory, UDFDispatcherManager, WorkerDispatcher, WorkerLogger}
import org.apache.spark.util.{ShutdownHookManager, SparkUDFWorkerLogger}

/** The workers that this JVM has started. Thread role: any. */
private[spark] object Workers extends UDFDispatcherFactory {
  private val terminationMs = 2000

  // One for each program and environment; they live as long as the JVM, and end what they started.
  private lazy val manager = {
    val one = new UDFDispatcherManager(this, new SparkUDFWorkerLogger)
    ShutdownHookManager.addShutdownHook(() => one.close())
    one
  }

  override def createDispatcher(
      specification: UDFWorkerSpecification,
      logger: WorkerLogger): WorkerDispatcher = new Dispatcher(specification, logger)

  /** Starts a worker, for one session. Blocking: until it listens. Errors: DirectWorkerException. */
  def open(program: String, environment: Map[String, String]): Session = {
    val runner = ProcessCallable.newBuilder
      .addCommand(program)
      .putAllEnvironmentVariables(environment.asJava)
    val properties = UDFWorkerProperties.newBuilder
      .setGracefulTerminationTimeoutMs(terminationMs)
      .setConnection(WorkerConnectionSpec.newBuilder
        .setUnixDomainSocket(UnixDomainSocket.getDefaultInstance))
    val capabilities = WorkerCapabilities.newBuilder
      .addSupportedDataFormats(UDFWorkerDataFormat.ARROW)
      .addSupportedCommunicationPatterns(UDFProtoCommunicationPattern.BIDIRECTIONAL_STREAMING)
    val specification = UDFWorkerSpecification.newBuilder
      .setCapabilities(capabilities)
      .setDirect(DirectWorker.newBuilder.setRunner(runner).setProperties(properties))
      .build()
    manager.getDispatcher(specification).createSession(None) match {
      case session: Session => session
      case other => throw new IllegalStateException(s"a session of another kind: $other")
    }
  }
}
