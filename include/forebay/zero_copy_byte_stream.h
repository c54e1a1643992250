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
  explicit ZeroCopyByteStream(const StreamOptions& options = {}) : ends_(make_stream(options)) {}

  // Writer.
  void add_next_chunk(Chunk chunk) { ends_.writer.add_next_chunk(std::move(chunk)); }
  [[nodiscard]] PushStatus try_add_next_chunk(Chunk& chunk) {
    return ends_.writer.try_add_next_chunk(chunk);
  }
  [[nodiscard]] PushStatus add_next_chunk_until(Chunk& chunk, Deadline deadline,
                                                std::stop_token stop = {}) {
    return ends_.writer.add_next_chunk_until(chunk, deadline, std::move(stop));
  }
  void finish() noexcept { ends_.writer.finish(); }
  void fail(std::exception_ptr error) noexcept { ends_.writer.fail(std::move(error)); }
  void fail(std::error_code error) noexcept { ends_.writer.fail(error); }
  [[nodiscard]] bool on_writable(void (*callback)(void*), void* context) {
    return ends_.writer.on_writable(callback, context);
  }

  // Reader.
  [[nodiscard]] ByteView read(std::size_t n) { return ends_.reader.read(n); }
  [[nodiscard]] ByteView read_some(std::size_t max) { return ends_.reader.read_some(max); }
  [[nodiscard]] ByteView peek(std::size_t n) { return ends_.reader.peek(n); }
  std::size_t skip(std::size_t n) { return ends_.reader.skip(n); }
  std::size_t read_into(std::span<std::byte> out) { return ends_.reader.read_into(out); }
  [[nodiscard]] std::vector<ByteView> read_gather(std::size_t n) {
    return ends_.reader.read_gather(n);
  }
  [[nodiscard]] ByteView read_all() { return ends_.reader.read_all(); }
  template <std::integral T>
  [[nodiscard]] T read_be() {
    return ends_.reader.read_be<T>();
  }
  template <std::integral T>
  [[nodiscard]] T read_le() {
    return ends_.reader.read_le<T>();
  }
  [[nodiscard]] ReadResult try_read(std::size_t n) { return ends_.reader.try_read(n); }
  [[nodiscard]] ReadResult read_until(std::size_t n, Deadline deadline, std::stop_token stop = {}) {
    return ends_.reader.read_until(n, deadline, std::move(stop));
  }
  [[nodiscard]] std::exception_ptr error() const noexcept { return ends_.reader.error(); }
  [[nodiscard]] bool finished() const noexcept { return ends_.reader.finished(); }
  [[nodiscard]] bool at_end() { return ends_.reader.at_end(); }
  [[nodiscard]] Guard pin() { return ends_.reader.pin(); }
  [[nodiscard]] SharedBytes share(ByteView view, Retention retention = Retention::bounded) const {
    return ends_.reader.share(view, retention);
  }
  [[nodiscard]] bool on_readable(void (*callback)(void*), void* context) {
    return ends_.reader.on_readable(callback, context);
  }

  // Any thread.
  void cancel() noexcept { ends_.reader.cancel(); }
  [[nodiscard]] StreamStats stats() const noexcept { return ends_.reader.stats(); }

 private:
  Stream ends_;
};

}  // namespace forebay
