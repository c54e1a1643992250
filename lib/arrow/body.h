// SPDX-License-Identifier: Apache-2.0
#pragma once

// The body of a message as a file, so that Arrow asks for each of its buffers by itself.

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <arrow/memory_pool.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

#include "flatbuffer.h"
#include "forebay/arrow/read_options.h"
#include "forebay/stream.h"

namespace forebay::arrow {

/// The metadata of a message as Arrow takes it; it owns nothing.
[[nodiscard]] inline std::shared_ptr<::arrow::Buffer> metadata_buffer(const Metadata& metadata) {
  return std::make_shared<::arrow::Buffer>(
      reinterpret_cast<const std::uint8_t*>(metadata.bytes.data()),
      static_cast<std::int64_t>(metadata.bytes.size()));
}

/// Bytes that lie in one or more runs of the stream's memory. A buffer that lies in one run is
/// given out as it is and owns a share of the run's block; one that crosses an edge is gathered.
/// Used again for one body after the other. Thread role: the reader.
class Body final : public ::arrow::io::RandomAccessFile {
 public:
  /// How the present body is to be given out.
  struct Use {
    std::uint64_t expansion_max = 0;  ///< see BatchLayout
    bool copies = false;              ///< copy every buffer out of the stream
    std::uint64_t offset = 0;         ///< where in the stream the body begins
  };

  Body(const StreamReader& stream, const ReadOptions& options, ReadStats& stats);
  ~Body() override;

  /// Takes the views of a body, which stay valid until clear().
  void set(const std::vector<ByteView>& views, const Use& use);
  /// Forgets the body; what was given out stays good.
  void clear() noexcept;

  [[nodiscard]] std::size_t runs() const noexcept { return runs_.size(); }
  [[nodiscard]] std::int64_t size() const noexcept { return size_; }
  /// Whether buffers that start at a multiple of 8 bytes do so in memory too.
  [[nodiscard]] bool aligned() const noexcept { return aligned_; }
  /// Throws what went wrong inside Arrow's calls, if anything did.
  void rethrow_error() const;

  // What Arrow calls.
  ::arrow::Result<std::shared_ptr<::arrow::Buffer>> ReadAt(std::int64_t position,
                                                           std::int64_t size) override;
  ::arrow::Result<std::shared_ptr<::arrow::Buffer>> ReadAt(std::int64_t position, std::int64_t size,
                                                           bool allow_short_read) override;
  ::arrow::Result<std::int64_t> ReadAt(std::int64_t position, std::int64_t size,
                                       void* out) override;
  ::arrow::Result<std::int64_t> ReadAt(std::int64_t position, std::int64_t size,
                                       bool allow_short_read, void* out) override;
  ::arrow::Result<std::int64_t> GetSize() override { return size_; }

  // What a file must have, and a body has no use for.
  ::arrow::Status Close() override { return ::arrow::Status::OK(); }
  [[nodiscard]] bool closed() const override { return false; }
  [[nodiscard]] ::arrow::Result<std::int64_t> Tell() const override { return position_; }
  ::arrow::Status Seek(std::int64_t position) override;
  ::arrow::Result<std::int64_t> Read(std::int64_t size, void* out) override;
  ::arrow::Result<std::shared_ptr<::arrow::Buffer>> Read(std::int64_t size) override;

 private:
  // One run of memory. `buffer` is made when somebody first asks for part of it.
  struct Run {
    std::int64_t begin;  // in the body
    ByteView view;
    std::shared_ptr<::arrow::Buffer> buffer;

    [[nodiscard]] std::int64_t end() const noexcept {
      return begin + static_cast<std::int64_t>(view.size());
    }
  };

  ::arrow::Status check_range(std::int64_t position, std::int64_t size) const;
  ::arrow::Status check_expansion(std::int64_t position, std::int64_t size);
  Run& run_at(std::int64_t position) noexcept;
  void copy_out(std::int64_t position, std::int64_t size, void* out) noexcept;
  ::arrow::Result<std::shared_ptr<::arrow::Buffer>> gather(std::int64_t position,
                                                           std::int64_t size);
  ::arrow::Status fail(std::exception_ptr error);

  const StreamReader& stream_;
  const ReadOptions& options_;
  ReadStats& stats_;
  Use use_;
  std::vector<Run> runs_;
  std::size_t last_run_ = 0;  // most buffers lie where the one before them does
  std::int64_t size_ = 0;
  std::int64_t position_ = 0;
  bool aligned_ = true;
  std::uint64_t decompressed_bytes_ = 0;
  std::int64_t gathered_bytes_ = 0;
  std::shared_ptr<::arrow::Buffer> whole_;  // the body, gathered because buffers overlap
  std::exception_ptr error_;
};

}  // namespace forebay::arrow
