// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "forebay/stream.h"

namespace forebay {

/// Both ends of a stream in one object, with the shape of Spark's class of the same name: one
/// thread adds chunks, one reads. Every member is that of StreamWriter or StreamReader and says
/// there what it does; the thread roles are the same. Unlike Spark's class it is bounded:
/// add_next_chunk() waits at StreamOptions::max_bytes. Destroying it while a thread waits inside is
/// a contract violation: cancel(), join, destroy.
class ZeroCopyByteStream {
 public:
  /// A new stream. Throws as make_stream().
  explicit ZeroCopyByteStream(const StreamOptions& options = {}) : ends_(make_stream(options)) {}

  // Writer.
  /// As StreamWriter::add_next_chunk().
  void add_next_chunk(Chunk chunk) { ends_.writer.add_next_chunk(std::move(chunk)); }
  /// As StreamWriter::try_add_next_chunk().
  [[nodiscard]] PushStatus try_add_next_chunk(Chunk& chunk) {
    return ends_.writer.try_add_next_chunk(chunk);
  }
  /// As StreamWriter::add_next_chunk_until().
  [[nodiscard]] PushStatus add_next_chunk_until(Chunk& chunk, Deadline deadline,
                                                std::stop_token stop = {}) {
    return ends_.writer.add_next_chunk_until(chunk, deadline, std::move(stop));
  }
  /// As StreamWriter::finish().
  void finish() noexcept { ends_.writer.finish(); }
  /// As StreamWriter::fail().
  void fail(std::exception_ptr error) noexcept { ends_.writer.fail(std::move(error)); }
  /// As StreamWriter::fail().
  void fail(std::error_code error) noexcept { ends_.writer.fail(error); }
  /// As StreamWriter::on_writable().
  [[nodiscard]] bool on_writable(void (*callback)(void*), void* context) {
    return ends_.writer.on_writable(callback, context);
  }

  // Reader.
  /// As StreamReader::read().
  [[nodiscard]] ByteView read(std::size_t n) { return ends_.reader.read(n); }
  /// As StreamReader::read_some().
  [[nodiscard]] ByteView read_some(std::size_t max) { return ends_.reader.read_some(max); }
  /// As StreamReader::peek().
  [[nodiscard]] ByteView peek(std::size_t n) { return ends_.reader.peek(n); }
  /// As StreamReader::skip().
  std::size_t skip(std::size_t n) { return ends_.reader.skip(n); }
  /// As StreamReader::read_into().
  std::size_t read_into(std::span<std::byte> out) { return ends_.reader.read_into(out); }
  /// As StreamReader::read_gather().
  [[nodiscard]] std::vector<ByteView> read_gather(std::size_t n) {
    return ends_.reader.read_gather(n);
  }
  /// As StreamReader::read_all().
  [[nodiscard]] ByteView read_all() { return ends_.reader.read_all(); }
  /// As StreamReader::read_be().
  template <std::integral T>
  [[nodiscard]] T read_be() {
    return ends_.reader.read_be<T>();
  }
  /// As StreamReader::read_le().
  template <std::integral T>
  [[nodiscard]] T read_le() {
    return ends_.reader.read_le<T>();
  }
  /// As StreamReader::try_read().
  [[nodiscard]] ReadResult try_read(std::size_t n) { return ends_.reader.try_read(n); }
  /// As StreamReader::read_until().
  [[nodiscard]] ReadResult read_until(std::size_t n, Deadline deadline, std::stop_token stop = {}) {
    return ends_.reader.read_until(n, deadline, std::move(stop));
  }
  /// As StreamReader::error().
  [[nodiscard]] std::exception_ptr error() const noexcept { return ends_.reader.error(); }
  /// As StreamReader::finished().
  [[nodiscard]] bool finished() const noexcept { return ends_.reader.finished(); }
  /// As StreamReader::at_end().
  [[nodiscard]] bool at_end() { return ends_.reader.at_end(); }
  /// As StreamReader::pin().
  [[nodiscard]] Guard pin() { return ends_.reader.pin(); }
  /// As StreamReader::share().
  [[nodiscard]] SharedBytes share(ByteView view, Retention retention = Retention::bounded) const {
    return ends_.reader.share(view, retention);
  }
  /// As StreamReader::on_readable().
  [[nodiscard]] bool on_readable(void (*callback)(void*), void* context) {
    return ends_.reader.on_readable(callback, context);
  }

  // Any thread.
  /// As StreamReader::cancel().
  void cancel() noexcept { ends_.reader.cancel(); }
  /// As StreamReader::stats().
  [[nodiscard]] StreamStats stats() const noexcept { return ends_.reader.stats(); }

 private:
  Stream ends_;
};

}  // namespace forebay
