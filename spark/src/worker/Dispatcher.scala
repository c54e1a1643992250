// SPDX-License-Identifier: Apache-2.0
package org.apache.spark.udf.worker.core.forebay

import java.io.File
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}
import java.util.concurrent.{ConcurrentHashMap, TimeUnit}

import scala.util.control.NonFatal

import org.apache.spark.SparkEnv
import org.apache.spark.udf.worker.UDFWorkerSpecification
import org.apache.spark.udf.worker.core.{WorkerConnection, WorkerHandle, WorkerLogger, WorkerSession}
import org.apache.spark.udf.worker.core.direct.{DirectWorkerDispatcher, DirectWorkerException, DirectWorkerProcess, DirectWorkerTimeoutException}
import org.apache.spark.util.ShutdownHookManager

/**
 * Starts the processes of one worker program, each for one session: Spark's dispatcher does that, and
 * this one says where they listen and when they do. Thread role: any.
 */
private[forebay] final class Dispatcher(specification: UDFWorkerSpecification, log: WorkerLogger)
    extends DirectWorkerDispatcher(specification, log) {
  // Not before they are asked for: the parent's constructor calls what is below.
  private lazy val folder = Dispatcher.newFolder()
  private lazy val connections = new ConcurrentHashMap[String, Connection]

  override protected def validateTransportSupport(asked: UDFWorkerSpecification): Unit =
    require(
      asked.getDirect.getProperties.getConnection.hasUnixDomainSocket,
      "Unsupported: a worker that is not reached over a Unix socket")

  override protected def newEndpointAddress(workerId: String): String =
    folder.resolve(workerId.filter(_ != '-').take(Dispatcher.idLength) + ".sock").toString

  /** A socket is not told of by anything when it is listened at: each attempt is soon. */
  override protected def waitForReady(address: String, process: Process, output: File): Unit = {
    val end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(initTimeoutMs)
    while (!Connection.listensAt(address)) {
      if (process.waitFor(1, TimeUnit.MILLISECONDS)) {
        throw new DirectWorkerException(
          s"WorkerError: ${program} ended with ${process.exitValue()} before it listened. "
            + readOutputTail(output))
      }
      if (System.nanoTime() - end > 0) notReady(output)
    }
    val connection = new Connection(address)
    try {
      if (!connection.awaitReady(end - System.nanoTime())) notReady(output)
    } catch {
      case NonFatal(error) =>
        connection.close()
        throw error
    }
    connections.put(address, connection)
  }

  private def notReady(output: File): Nothing = throw new DirectWorkerTimeoutException(
    s"DeadlineExceeded: ${program} did not listen within $initTimeoutMs ms. " + readOutputTail(output))

  private def program = workerSpec.getDirect.getRunner.getCommand(0)

  override protected def newConnection(address: String): WorkerConnection =
    connections.remove(address)

  override protected def newSession(worker: WorkerHandle, connection: WorkerConnection): WorkerSession =
    (worker, connection) match {
      case (process: DirectWorkerProcess, grpc: Connection) =>
        val exchange = new Exchange(process, grpc, () => readOutputTail(process.outputFile.toFile))
        new Session(process, exchange, logger)
      case _ => throw new IllegalStateException(s"a worker of another kind: $worker")
    }

  override protected def cleanupEndpointAddress(address: String): Unit =
    Files.deleteIfExists(Paths.get(address))

  override protected def closeTransport(): Unit = Files.deleteIfExists(folder)
}

private[forebay] object Dispatcher {
  private val idLength = 16
  // What the kernel takes.
  private val pathBytesMax = 107
  private val folderSetting = "spark.python.unix.domain.socket.dir"

  /** For the sockets of one program's workers. No other user may look into it. */
  private def newFolder(): Path = {
    val base = SparkEnv.get.conf.get(folderSetting, System.getProperty("java.io.tmpdir"))
    val folder = Files.createTempDirectory(Paths.get(base), "forebay-")
    ShutdownHookManager.registerShutdownDeleteDir(folder.toFile)
    val bytes = folder.toString.getBytes(UTF_8).length + 1 + idLength + ".sock".length
    if (bytes > pathBytesMax) {
      throw new DirectWorkerException(
        s"InvalidConnection: a socket below $base has a path of $bytes bytes, at most $pathBytesMax: "
          + s"set $folderSetting to a shorter folder")
    }
    folder
  }
}
