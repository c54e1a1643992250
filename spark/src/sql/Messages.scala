// SPDX-License-Identifier: Apache-2.0
package org.apache.spark.sql.forebay

import java.nio.channels.Channels

import scala.jdk.CollectionConverters._

import com.google.protobuf.ByteString
import org.apache.arrow.memory.BufferAllocator
import org.apache.arrow.vector.{VectorLoader, VectorSchemaRoot, VectorUnloader}
import org.apache.arrow.vector.ipc.{ReadChannel, WriteChannel}
import org.apache.arrow.vector.ipc.message.MessageSerializer
import org.apache.arrow.vector.types.pojo.Schema
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.execution.arrow.ArrowWriter
import org.apache.spark.sql.types.StructType
import org.apache.spark.sql.util.ArrowUtils
import org.apache.spark.sql.vectorized.{ArrowColumnVector, ColumnVector, ColumnarBatch}

/** Rows as the channel carries them: a schema once, then batches, each one Arrow message. */
private[forebay] object Messages {
  def schema(columns: StructType, timeZone: String): ByteString =
    written(MessageSerializer.serialize(_, arrowSchema(columns, timeZone)))

  /** Never with 64-bit lengths: what has no schema of its own must not depend on a setting. */
  def arrowSchema(columns: StructType, timeZone: String): Schema =
    ArrowUtils.toArrowSchema(columns, timeZone, largeVarTypes = false)

  def written(write: WriteChannel => Any): ByteString = {
    val bytes = ByteString.newOutput()
    write(new WriteChannel(Channels.newChannel(bytes)))
    bytes.toByteString
  }
}

/** Makes messages of rows, of as many as the limits let into one. Thread role: the task's. */
private[forebay] final class RowsToMessages(
    rows: Iterator[InternalRow],
    columns: StructType,
    call: FunctionCall,
    allocator: BufferAllocator)
    extends Iterator[ByteString] with AutoCloseable {
  private val root =
    VectorSchemaRoot.create(Messages.arrowSchema(columns, call.timeZone), allocator)
  private val writer = ArrowWriter.create(root)
  private val unloader = new VectorUnloader(root)
  private val bytesMax = math.min(call.batchBytesMax, RowsToMessages.bytesMax)

  override def hasNext: Boolean = rows.hasNext

  override def next(): ByteString = {
    var count = 0
    while (rows.hasNext && count < call.batchRowsMax && (count == 0 || writer.sizeInBytes() < bytesMax)) {
      writer.write(rows.next())
      count += 1
    }
    writer.finish()
    val batch = unloader.getRecordBatch
    try Messages.written(MessageSerializer.serialize(_, batch))
    finally {
      batch.close()
      writer.reset()
    }
  }

  override def close(): Unit = root.close()
}

private[forebay] object RowsToMessages {
  // Well below the worker's bound of a message, which the last row may pass.
  private val bytesMax = 64L << 20
}

/** Reads rows out of messages; a row is valid until the next one is asked for. */
private[forebay] final class MessagesToRows(
    messages: Iterator[ByteString],
    columns: StructType,
    call: FunctionCall,
    allocator: BufferAllocator)
    extends Iterator[InternalRow] with AutoCloseable {
  private val root =
    VectorSchemaRoot.create(Messages.arrowSchema(columns, call.timeZone), allocator)
  private val loader = new VectorLoader(root)
  private val batch = new ColumnarBatch(
    root.getFieldVectors.asScala.map(new ArrowColumnVector(_): ColumnVector).toArray)
  private var rows: Iterator[InternalRow] = Iterator.empty

  override def hasNext: Boolean = {
    while (!rows.hasNext && messages.hasNext) load(messages.next())
    rows.hasNext
  }

  override def next(): InternalRow = {
    if (!hasNext) throw new NoSuchElementException("the last row was taken")
    rows.next()
  }

  private def load(message: ByteString): Unit = {
    val channel = new ReadChannel(Channels.newChannel(message.newInput()))
    val records = MessageSerializer.deserializeRecordBatch(channel, allocator)
    try loader.load(records)
    finally records.close()
    batch.setNumRows(root.getRowCount)
    rows = batch.rowIterator().asScala
  }

  override def close(): Unit = root.close()
}
