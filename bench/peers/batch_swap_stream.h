// SPDX-License-Identifier: Apache-2.0
#pragma once

// The honest rival: a byte stream between two threads over two vectors and a mutex, as one who
// knows what a lock costs would write it.
//
// The writer appends to one vector under the mutex; the reader takes that whole vector in exchange
// for its own empty one, and reads it through a cursor of its own, without any lock or atomic
// operation. Vectors keep their memory, so that nothing is allocated after the first rounds. A side
// that finds nothing to do spins on a counter before it takes the mutex, and sleeps only when that
// was in vain; nobody is notified who does not sleep. Memory is bounded: each vector holds up to
// half of the bound, so that one side can fill while the other reads.
//
// What it has not: deadlines, stop tokens, guards, shares, typed errors, statistics.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "forebay/chunk.h"

namespace peers {

class BatchSwapStream {
 public:
  explicit BatchSwapStream(std::size_t max_bytes) : half_bytes_(max_bytes / 2) {}
  BatchSwapStream(const BatchSwapStream&) = delete;
  BatchSwapStream& operator=(const BatchSwapStream&) = delete;
  ~BatchSwapStream() {
    give_back(taken_, next_);
    give_back(added_, 0);
  }

  // Writer.
  /// Borrowed bytes, given back through `release` when the reader is done with them. Waits at the
  /// bound. False, and the bytes stay the caller's, after cancel().
  [[nodiscard]] bool add_next_chunk(std::span<const std::byte> bytes, forebay::Release release) {
    if (added_bytes_.load(std::memory_order_relaxed) >= half_bytes_) {
      spin([&] { return added_bytes_.load(std::memory_order_relaxed) < half_bytes_; });
    }
    bool wake = false;
    {
      std::unique_lock lock = lock_soon();
      while (added_bytes_.load(std::memory_order_relaxed) >= half_bytes_ && !cancelled_) {
        writer_sleeps_ = true;
        room_.wait(lock);
        writer_sleeps_ = false;
      }
      if (cancelled_) return false;
      added_.push_back({bytes, release});
      added_bytes_.store(added_bytes_.load(std::memory_order_relaxed) + bytes.size(),
                         std::memory_order_relaxed);
      wake = std::exchange(reader_sleeps_, false);
    }
    if (wake) chunks_.notify_one();
    return true;
  }

  void finish() {
    const std::lock_guard lock(mutex_);
    ended_.store(true, std::memory_order_relaxed);
    chunks_.notify_one();
  }

  // Any thread.
  void cancel() {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    ended_.store(true, std::memory_order_relaxed);
    chunks_.notify_one();
    room_.notify_one();
  }

  // Reader.
  /// Exactly `size` bytes, valid until the next read. Throws std::out_of_range when the stream ends
  /// before.
  [[nodiscard]] const std::byte* read(std::size_t size) {
    if (size <= static_cast<std::size_t>(end_ - current_)) [[likely]] {
      return std::exchange(current_, current_ + size);
    }
    return read_slow(size);
  }

  /// The rest of the present chunk, or the next; empty at the end.
  [[nodiscard]] std::span<const std::byte> read_some() {
    if (current_ == end_ && !next_chunk()) return {};
    return {std::exchange(current_, end_), end_};
  }

 private:
  struct Piece {
    std::span<const std::byte> bytes;
    forebay::Release release;
  };

  // As long as a thread of Forebay's spins before it sleeps.
  static constexpr std::chrono::nanoseconds kSpin{20'000};

  template <class Condition>
  static bool spin(Condition&& condition) {
    const auto until = std::chrono::steady_clock::now() + kSpin;
    do {
      for (int i = 0; i < 16; ++i) {
        if (condition()) return true;
        pause();
      }
    } while (std::chrono::steady_clock::now() < until);
    return false;
  }
  static void pause() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  // Who holds the mutex holds it for a few instructions: sleeping would cost more.
  [[nodiscard]] std::unique_lock<std::mutex> lock_soon() {
    for (int i = 0; i < 100; ++i) {
      if (mutex_.try_lock()) return {mutex_, std::adopt_lock};
      pause();
    }
    return std::unique_lock(mutex_);
  }

  [[gnu::noinline]] const std::byte* read_slow(std::size_t size) {
    if (current_ == end_ && !next_chunk()) throw std::out_of_range("read beyond the end");
    if (size <= static_cast<std::size_t>(end_ - current_)) {
      return std::exchange(current_, current_ + size);
    }
    gathered_.resize(size);
    for (std::size_t done = 0;;) {
      const std::size_t part = std::min(size - done, static_cast<std::size_t>(end_ - current_));
      std::memcpy(gathered_.data() + done, current_, part);
      current_ += part;
      done += part;
      if (done == size) return gathered_.data();
      if (!next_chunk()) throw std::out_of_range("read beyond the end");
    }
  }

  // The present chunk is read: goes on to the next. False at the end.
  bool next_chunk() {
    if (next_ != 0) {
      const forebay::Release& release = taken_[next_ - 1].release;
      release.function(release.context);
    }
    if (next_ == taken_.size() && !take_batch()) return false;
    const std::span<const std::byte> bytes = taken_[next_++].bytes;
    current_ = bytes.data();
    end_ = current_ + bytes.size();
    return true;
  }

  // Takes everything that was added. False at the end.
  bool take_batch() {
    taken_.clear();
    next_ = 0;
    current_ = end_ = nullptr;
    if (added_bytes_.load(std::memory_order_relaxed) == 0) {
      spin([&] {
        return added_bytes_.load(std::memory_order_relaxed) != 0 ||
               ended_.load(std::memory_order_relaxed);
      });
    }
    bool wake = false;
    {
      std::unique_lock lock = lock_soon();
      while (added_.empty() && !ended_.load(std::memory_order_relaxed)) {
        reader_sleeps_ = true;
        chunks_.wait(lock);
        reader_sleeps_ = false;
      }
      if (added_.empty() || cancelled_) return false;
      taken_.swap(added_);
      added_bytes_.store(0, std::memory_order_relaxed);
      wake = std::exchange(writer_sleeps_, false);
    }
    if (wake) room_.notify_one();
    return true;
  }

  // Gives back all but the first `done` pieces, and the last of these, which was being read.
  static void give_back(const std::vector<Piece>& pieces, std::size_t done) {
    for (std::size_t i = done == 0 ? 0 : done - 1; i < pieces.size(); ++i) {
      pieces[i].release.function(pieces[i].release.context);
    }
  }

  // The reader's own.
  alignas(128) const std::byte* current_ = nullptr;
  const std::byte* end_ = nullptr;
  std::vector<Piece> taken_;
  std::size_t next_ = 0;  // in taken_; the one before it is being read
  std::vector<std::byte> gathered_;

  // Changed under the mutex.
  alignas(128) std::mutex mutex_;
  std::vector<Piece> added_;
  const std::size_t half_bytes_;
  bool cancelled_ = false;
  bool reader_sleeps_ = false;
  bool writer_sleeps_ = false;
  std::condition_variable chunks_;
  std::condition_variable room_;

  // Looked at by whoever spins, so on a line that the mutex is not on.
  alignas(128) std::atomic<std::size_t> added_bytes_{0};
  std::atomic<bool> ended_{false};
};

}  // namespace peers
