// SPDX-License-Identifier: Apache-2.0
#pragma once

// Arrow record batches from a stream, without copying them:
//
//     auto batches = forebay::arrow::RecordBatchReader::open(stream.reader);
//     while (std::shared_ptr<::arrow::RecordBatch> batch = batches->next()) use(*batch);
//
// The reader pulls Arrow's IPC stream format. A body that lies in one block is taken as it is; of
// one that lies in several blocks only the buffers that cross an edge are copied; columns that
// nobody asked for are not touched. Each buffer of a batch owns a share of its block, so that
// batches may outlive the reader and the stream, on any thread. Batches that live hold back the
// writer, unless ReadOptions::retention is `detached`.
//
// Two faces over one implementation: next() throws forebay's errors; the face of
// ::arrow::RecordBatchReader (ReadNext, ToTable ..) gives back a ::arrow::Status with the same
// text.
//
// Read: legacy framing (before 0.15), dictionaries with replacements and deltas, LZ4 and ZSTD
// bodies, every type that the linked Arrow knows. Not read: tensors, and bodies of another byte
// order.
//
// Thread roles: the thread that uses the reader is the reader of the stream. One at a time.
// Ordering: none of its own; what the writer did before it added a chunk happens before next()
// returns the batch made of it. Destruction: at any time; batches, and the stream, stay good. When
// not to use: on an Arrow file or on bytes that are already contiguous: ::arrow::ipc reads those
// without a copy itself.

#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <arrow/status.h>
#include <arrow/type.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "forebay/arrow/read_options.h"
#include "forebay/stream.h"

namespace forebay::arrow {

/// Reads Arrow's IPC stream format from a StreamReader, which must outlive it.
class RecordBatchReader final : public ::arrow::RecordBatchReader {
 public:
  /// Reads the schema.
  /// Blocking: until the schema is there or the stream ends.
  /// Errors: as next(); std::invalid_argument for a column that the schema does not have.
  [[nodiscard]] static std::shared_ptr<RecordBatchReader> open(StreamReader& stream,
                                                               ReadOptions options = {});

  /// The same for those who do not throw.
  [[nodiscard]] static ::arrow::Result<std::shared_ptr<RecordBatchReader>> make(
      StreamReader& stream, ReadOptions options = {});

  ~RecordBatchReader() override;

  /// The next batch, or null at the end-of-stream marker; after that the stream stands right behind
  /// the marker, and may go on with something else.
  /// Thread role: reader. Blocking: until the batch is there or the stream ends; cancel() on the
  /// stream ends the wait.
  /// Errors: Truncated when the stream ends anywhere but behind the marker, ProtocolError for bytes
  /// that are not Arrow's, LimitExceeded, Unsupported; what the stream throws: the writer's error,
  /// Cancelled, RetainedBudgetExhausted; std::bad_alloc. After an error every call throws it again.
  /// Lifetime: the batch owns its memory.
  [[nodiscard]] std::shared_ptr<::arrow::RecordBatch> next();

  /// As next(), with the custom metadata of the message; `batch` is null at the end.
  [[nodiscard]] ::arrow::RecordBatchWithMetadata next_with_metadata();

  /// The schema of the batches: of the columns that are read.
  [[nodiscard]] std::shared_ptr<::arrow::Schema> schema() const override;

  /// As next(). Text of an error: that of the exception, which begins with the name of its type.
  ::arrow::Status ReadNext(std::shared_ptr<::arrow::RecordBatch>* batch) override;
  /// As next_with_metadata(). Errors: as of the other ReadNext().
  ::arrow::Result<::arrow::RecordBatchWithMetadata> ReadNext() override;

  /// Offset in the stream of the next byte that will be read, in bytes.
  [[nodiscard]] std::uint64_t position() const noexcept;

  /// Whether the end-of-stream marker was read (or the stream ended, where that is allowed).
  [[nodiscard]] bool at_end() const noexcept;

  /// Figures. Thread role: reader.
  [[nodiscard]] const ReadStats& stats() const noexcept;

 private:
  class Impl;
  explicit RecordBatchReader(std::unique_ptr<Impl> impl) noexcept;

  std::unique_ptr<Impl> impl_;
};

/// The push face: calls `use` for every batch, until it returns false or the batches end. Returns
/// whether they ended. Blocking and errors as RecordBatchReader::next(); what `use` throws passes.
bool for_each_batch(StreamReader& stream,
                    const std::function<bool(std::shared_ptr<::arrow::RecordBatch>)>& use,
                    ReadOptions options = {});

}  // namespace forebay::arrow
