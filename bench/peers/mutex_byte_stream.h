// SPDX-License-Identifier: Apache-2.0
#pragma once

// The peer to measure against: what Spark's ZeroCopyByteStream does, in C++. One mutex, one
// condition variable, an unbounded queue of chunks. A read inside one chunk is a view; a read
// across chunks is copied, with the mutex held. A chunk owns its memory as a Python memoryview
// does: the last view frees it.
//
// Its behaviour is the original's, told again: chunks after finish() are refused, finish() may be
// repeated, a read waits until its bytes are there, and one that meets the end first has consumed
// what there was. What C++ makes free is given to it: no zero-filling, no interpreter.

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace peers {

/// Bytes and a share of the memory that they lie in.
struct MutexView {
  std::shared_ptr<const std::byte[]> memory;
  std::span<const std::byte> bytes;
};

class MutexByteStream {
 public:
  /// Throws std::logic_error after finish().
  void add_next_chunk(MutexView chunk) {
    const std::lock_guard lock(mutex_);
    if (ended_) throw std::logic_error("a chunk was added after finish()");
    chunks_.push_back(std::move(chunk));
    chunk_or_end_.notify_one();
  }

  void finish() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    chunk_or_end_.notify_one();
  }

  /// Whether the stream has ended and everything was consumed.
  [[nodiscard]] bool finished() const {
    const std::lock_guard lock(mutex_);
    return !current_ && chunks_.empty() && ended_;
  }

  /// Exactly `size` bytes. Throws std::out_of_range when the stream ends before.
  [[nodiscard]] MutexView read(std::size_t size) {
    if (size == 0) return {};
    std::unique_lock lock(mutex_);
    MutexView first = take(size, lock);
    if (first.bytes.size() == size) return first;
    if (first.bytes.empty()) throw end_of_file(size, 0);

    std::shared_ptr<std::byte[]> memory = std::make_shared_for_overwrite<std::byte[]>(size);
    std::memcpy(memory.get(), first.bytes.data(), first.bytes.size());
    std::size_t copied = first.bytes.size();
    while (copied < size) {
      const MutexView next = take(size - copied, lock);
      if (next.bytes.empty()) throw end_of_file(size, copied);
      std::memcpy(memory.get() + copied, next.bytes.data(), next.bytes.size());
      copied += next.bytes.size();
    }
    bytes_copied_ += copied;
    return {memory, {memory.get(), size}};
  }

  // Figures that the original does not keep; they cost nothing beside the lock.
  struct Stats {
    std::uint64_t bytes_copied = 0;
    std::uint64_t waits = 0;
  };
  [[nodiscard]] Stats stats() const {
    const std::lock_guard lock(mutex_);
    return {bytes_copied_, waits_};
  }

 private:
  static std::out_of_range end_of_file(std::size_t size, std::size_t got) {
    return std::out_of_range("read " + std::to_string(got) + " of " + std::to_string(size) +
                             " bytes before the end");
  }

  // Up to `size` bytes of one chunk, waiting for it; none at the end. The mutex is held.
  MutexView take(std::size_t size, std::unique_lock<std::mutex>& lock) {
    while (!current_) {
      if (!chunks_.empty()) {
        current_ = std::move(chunks_.front());
        chunks_.pop_front();
        position_ = 0;
      } else if (ended_) {
        return {};
      } else {
        ++waits_;
        chunk_or_end_.wait(lock);
      }
    }
    const std::span<const std::byte> rest = current_->bytes.subspan(position_);
    MutexView result{current_->memory, rest.first(std::min(size, rest.size()))};
    position_ += result.bytes.size();
    if (position_ == current_->bytes.size()) current_.reset();
    return result;
  }

  mutable std::mutex mutex_;
  std::condition_variable chunk_or_end_;
  std::deque<MutexView> chunks_;
  std::optional<MutexView> current_;
  std::size_t position_ = 0;
  bool ended_ = false;
  std::uint64_t bytes_copied_ = 0;
  std::uint64_t waits_ = 0;
};

}  // namespace peers
