// SPDX-License-Identifier: Apache-2.0
package org.apache.spark.udf.worker.core.forebay

import java.io.{ByteArrayInputStream, InputStream, OutputStream}

import com.google.protobuf.{MessageLite, Parser}
import io.grpc.{Drainable, KnownLength, MethodDescriptor}
import org.apache.spark.udf.worker.{UdfRequest, UdfResponse}

/**
 * The one method that is called, without generated code: Spark ships the messages of the service, and
 * no stub for it.
 */
private[forebay] object Wire {
  /** Bytes of one message, either way; the worker's own bound. */
  val messageBytesMax: Int = 128 << 20

  val execute: MethodDescriptor[UdfRequest, UdfResponse] = MethodDescriptor
    .newBuilder(new Marshaller(UdfRequest.parser), new Marshaller(UdfResponse.parser))
    .setType(MethodDescriptor.MethodType.BIDI_STREAMING)
    .setFullMethodName("org.apache.spark.udf.worker.UdfWorker/Execute")
    .build()

  private final class Marshaller[M <: MessageLite](parser: Parser[M])
      extends MethodDescriptor.Marshaller[M] {
    override def stream(message: M): InputStream = new Outgoing(message)
    override def parse(stream: InputStream): M = parser.parseFrom(stream)
  }

  /** Writes the message straight into gRPC's frames, which ask for its length first. */
  private final class Outgoing(message: MessageLite)
      extends InputStream with Drainable with KnownLength {
    private var left = message.getSerializedSize
    // Only for one who reads instead of draining.
    private lazy val bytes = new ByteArrayInputStream(message.toByteArray)

    override def drainTo(target: OutputStream): Int = {
      val size = left
      message.writeTo(target)
      left = 0
      size
    }

    override def available(): Int = left

    override def read(): Int = {
      val byte = bytes.read()
      left = bytes.available()
      byte
    }
  }
}
