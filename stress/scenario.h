// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the scenarios of the stress binary share: a deadline, a seed, checks, and bytes that tell
// where in their stream they stand.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <random>
#include <stdexcept>
#include <vector>

#include "forebay/forebay.h"

namespace forebay::stress {

/// A check did not hold.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void require(bool holds, const char* what) {
  if (!holds) throw Failure(what);
}

using Random = std::mt19937_64;

/// A number from 0 to `below` - 1.
inline std::size_t pick(Random& random, std::size_t below) {
  return static_cast<std::size_t>(random() % below);
}

/// One run of one scenario.
class Run {
 public:
  Run(std::uint64_t seed, int threads, std::chrono::steady_clock::time_point end)
      : seed_(seed), threads_(threads), end_(end) {}

  [[nodiscard]] int threads() const noexcept { return threads_; }
  [[nodiscard]] bool expired() const { return std::chrono::steady_clock::now() >= end_; }
  /// The random numbers of one thread.
  [[nodiscard]] Random random(std::uint64_t thread) const {
    std::seed_seq sequence{seed_, seed_ >> 32, thread};
    return Random(sequence);
  }
  /// Counts what was checked; also what the watchdog looks at.
  void checked(std::uint64_t count = 1) noexcept {
    checks_.fetch_add(count, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t checks() const noexcept {
    return checks_.load(std::memory_order_relaxed);
  }

  /// Runs `body(index)` on so many threads and throws on the first failure of one.
  void on_threads(int count, const std::function<void(int)>& body);

 private:
  const std::uint64_t seed_;
  const int threads_;
  const std::chrono::steady_clock::time_point end_;
  std::atomic<std::uint64_t> checks_{0};
};

struct Scenario {
  const char* name;
  const char* what;
  void (*run)(Run&);
};

/// All there are.
[[nodiscard]] const std::vector<Scenario>& scenarios();

void hand_over(Run& run);
void many_streams(Run& run);
void end_storms(Run& run);
void guards_in_tasks(Run& run);
void outliving_shares(Run& run);
void stalled_holders(Run& run);

/// The byte at a position of stream `stream`.
inline std::byte byte_at(std::uint64_t stream, std::uint64_t position) noexcept {
  std::uint64_t x = (position + 1) * 0x9E3779B97F4A7C15U + stream * 0xBF58476D1CE4E5B9U;
  return static_cast<std::byte>((x ^ (x >> 29)) >> 17);
}

inline Chunk make_chunk(std::uint64_t stream, std::uint64_t position, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = byte_at(stream, position + i);
  return Chunk::adopt(std::move(bytes));
}

template <class Bytes>
void require_bytes(const Bytes& bytes, std::uint64_t stream, std::uint64_t position) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    require(bytes.data()[i] == byte_at(stream, position + i), "a byte is not what was sent");
  }
}

}  // namespace forebay::stress
