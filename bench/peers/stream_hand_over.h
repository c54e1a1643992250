// SPDX-License-Identifier: Apache-2.0
#pragma once

// The peers of the stream benchmark that take chunks from one thread and let another read them, in
// the shape in which the benchmark calls all of its peers:
//
//     add(bytes)      writer: one more chunk; false when the stream was cancelled
//     cancel()        any thread: ends what add() waits for
//     begin(), end()  reader, around the reads of one batch of chunks
//     read(n)         reader: n contiguous bytes
//     integer<T>()    reader: one little-endian integer
//     read_chunk()    reader: the rest of a chunk
//
// Memory comes back through a plain function that counts, as a receiver's would that recycles.

#include <forebay/forebay.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <thread>

#include "harness/received_bytes.h"
#include "peers/batch_swap_stream.h"
#include "peers/mutex_byte_stream.h"

namespace peers {

template <class T>
[[nodiscard]] T load(const std::byte* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// Where memory goes back to: on the reader's thread, so on a line that the writer does not look
/// at.
struct alignas(128) Returned {
  std::uint64_t count = 0;
  [[nodiscard]] forebay::Release release() noexcept {
    return {[](void* self) noexcept { ++static_cast<Returned*>(self)->count; }, this};
  }
};

class ForebayPeer {
 public:
  ForebayPeer(const forebay::bench::ReceivedBytes& input, std::size_t bound_bytes)
      : stream_(forebay::make_stream(
            {.max_bytes = bound_bytes, .max_items = bound_bytes / input.chunk_bytes()})) {}

  bool add(std::span<const std::byte> bytes) {
    forebay::Chunk chunk = forebay::Chunk::borrow(bytes, returned_.release());
    return stream_.writer.add_next_chunk_until(chunk, forebay::Deadline::never()) ==
           forebay::PushStatus::ok;
  }
  void cancel() { stream_.writer.cancel(); }
  void begin() {}
  void end() {}
  const std::byte* read(std::size_t n) { return stream_.reader.read(n).data(); }
  template <class T>
  T integer() {
    return stream_.reader.read_le<T>();
  }
  std::span<const std::byte> read_chunk() {
    const forebay::ByteView view = stream_.reader.read_some(SIZE_MAX);
    return {view.data(), view.size()};
  }

 private:
  Returned returned_;
  alignas(128) forebay::Stream stream_;
};

class BatchSwapPeer {
 public:
  BatchSwapPeer(const forebay::bench::ReceivedBytes&, std::size_t bound_bytes)
      : stream_(bound_bytes) {}

  bool add(std::span<const std::byte> bytes) {
    return stream_.add_next_chunk(bytes, returned_.release());
  }
  void cancel() { stream_.cancel(); }
  void begin() {}
  void end() {}
  const std::byte* read(std::size_t n) { return stream_.read(n); }
  template <class T>
  T integer() {
    return load<T>(stream_.read(sizeof(T)));
  }
  std::span<const std::byte> read_chunk() { return stream_.read_some(); }

 private:
  Returned returned_;
  alignas(128) BatchSwapStream stream_;
};

/// The port has no bound, so the writer waits here for the reader, as the measured one waits.
class MutexPortPeer {
 public:
  MutexPortPeer(const forebay::bench::ReceivedBytes& input, std::size_t bound_bytes)
      : memory_(input.memory()), chunk_bytes_(input.chunk_bytes()), bound_bytes_(bound_bytes) {}

  bool add(std::span<const std::byte> bytes) {
    while (added_bytes_ - read_bytes_.load(std::memory_order_relaxed) >= bound_bytes_) {
      if (cancelled_.load(std::memory_order_relaxed)) return false;
      std::this_thread::yield();
    }
    added_bytes_ += bytes.size();
    stream_.add_next_chunk({memory_, bytes});
    return !cancelled_.load(std::memory_order_relaxed);
  }
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  void begin() {}
  void end() {}
  const std::byte* read(std::size_t n) {
    view_ = stream_.read(n);
    read_bytes_.store(read_bytes_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    return view_.bytes.data();
  }
  template <class T>
  T integer() {
    return load<T>(read(sizeof(T)));
  }
  std::span<const std::byte> read_chunk() { return {read(chunk_bytes_), chunk_bytes_}; }

 private:
  const std::shared_ptr<const std::byte[]> memory_;
  const std::size_t chunk_bytes_;
  const std::size_t bound_bytes_;
  std::uint64_t added_bytes_ = 0;  // the writer's
  alignas(128) std::atomic<std::uint64_t> read_bytes_{0};
  std::atomic<bool> cancelled_{false};
  MutexView view_;
  MutexByteStream stream_;
};

}  // namespace peers
