// SPDX-License-Identifier: Apache-2.0
package org.apache.spark.udf.worker.core.forebay

import java.net.{StandardProtocolFamily, UnixDomainSocketAddress}
import java.nio.channels.SocketChannel
import java.util.concurrent.{CountDownLatch, ThreadFactory, TimeUnit}
import java.util.concurrent.atomic.AtomicInteger

import scala.util.control.NonFatal

import io.grpc.{ConnectivityState, ManagedChannel}
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder
import io.grpc.netty.shaded.io.netty.channel.epoll.{EpollDomainSocketChannel, EpollEventLoopGroup}
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress
import org.apache.spark.udf.worker.core.UnixSocketWorkerConnection

/** A gRPC channel to a worker's Unix socket. Thread role: any. */
private[forebay] final class Connection(path: String)
    extends UnixSocketWorkerConnection(path) {
  // The path is no host name, which a server of HTTP/2 may insist on. What the session does in gRPC's
  // thread never waits, so it needs no other.
  val channel: ManagedChannel = NettyChannelBuilder
    .forAddress(new DomainSocketAddress(path))
    .overrideAuthority("localhost")
    .channelType(classOf[EpollDomainSocketChannel])
    .eventLoopGroup(Connection.threads)
    .directExecutor()
    .usePlaintext()
    .disableRetry()
    .maxInboundMessageSize(Wire.messageBytesMax)
    .build()

  override def isActive: Boolean = !channel.isShutdown

  override def close(): Unit = {
    channel.shutdownNow()
    super.close()
  }

  /** Waits until the worker answers in gRPC; false when it does not in so many nanoseconds. */
  def awaitReady(nanoseconds: Long): Boolean = {
    val end = System.nanoTime() + nanoseconds
    var state = channel.getState(true)
    while (state != ConnectivityState.READY) {
      val changed = new CountDownLatch(1)
      channel.notifyWhenStateChanged(state, () => changed.countDown())
      if (!changed.await(end - System.nanoTime(), TimeUnit.NANOSECONDS)) return false
      state = channel.getState(true)
    }
    true
  }
}

private[forebay] object Connection {
  private val threadsMax = 4

  /** Of all connections of this JVM; daemons, so that they keep no JVM alive. */
  private lazy val threads = new EpollEventLoopGroup(
    math.min(threadsMax, Runtime.getRuntime.availableProcessors),
    new ThreadFactory {
      private val count = new AtomicInteger
      override def newThread(work: Runnable): Thread = {
        val thread = new Thread(work, s"forebay-grpc-${count.incrementAndGet()}")
        thread.setDaemon(true)
        thread
      }
    })

  /** Whether somebody listens there. A channel that found nobody would wait a second to try again. */
  def listensAt(path: String): Boolean =
    try {
      val socket = SocketChannel.open(StandardProtocolFamily.UNIX)
      try socket.connect(UnixDomainSocketAddress.of(path))
      finally socket.close()
    } catch {
      case NonFatal(_) => false
    }
}
