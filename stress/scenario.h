// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the scenarios of the stress binary share: an end to run until, a seed, checks and counts,
// and bytes that tell where in their stream they stand.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
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

/// What is counted, each only after it was checked.
enum class Counted : std::uint8_t {
  checks,           ///< streams, reads or endings
  hand_overs,       ///< items that came out of a queue, once and in order
  protected_reads,  ///< looks at memory under a guard
  retirements,      ///< memory retired and reclaimed once
  parks,            ///< waits that went to sleep and were woken
};
inline constexpr std::array<const char*, 5> kCountedNames = {
    "checks", "hand-overs", "protected reads", "retirements", "park/unpark pairs"};
using Counts = std::array<std::uint64_t, kCountedNames.size()>;

/// One run of one scenario.
class Run {
 public:
  using clock = std::chrono::steady_clock;

  /// Lasts until `end`, and longer while a count is below its goal.
  Run(std::uint64_t seed, int threads, std::chrono::seconds patience, clock::time_point end,
      const Counts& goals)
      : seed_(seed), threads_(threads), patience_(patience), end_(end), goals_(goals) {}

  [[nodiscard]] int threads() const noexcept { return threads_; }
  /// How long nothing may happen before that counts as a hang.
  [[nodiscard]] std::chrono::seconds patience() const noexcept { return patience_; }
  [[nodiscard]] bool expired() const {
    for (std::size_t i = 0; i < goals_.size(); ++i) {
      if (counted(static_cast<Counted>(i)) < goals_[i]) return false;
    }
    return clock::now() >= end_;
  }
  /// The random numbers of one thread.
  [[nodiscard]] Random random(std::uint64_t thread) const {
    std::seed_seq sequence{seed_, seed_ >> 32, thread};
    return Random(sequence);
  }

  /// Counts what was checked; also what the watchdog looks at.
  void count(Counted what, std::uint64_t by = 1) noexcept {
    counts_[static_cast<std::size_t>(what)].fetch_add(by, std::memory_order_relaxed);
  }
  void checked(std::uint64_t by = 1) noexcept { count(Counted::checks, by); }
  [[nodiscard]] std::uint64_t counted(Counted what) const noexcept {
    return counts_[static_cast<std::size_t>(what)].load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t goal(Counted what) const noexcept {
    return goals_[static_cast<std::size_t>(what)];
  }

  /// Runs `body(index)` on so many threads and throws on the first failure of one.
  void on_threads(int count, const std::function<void(int)>& body);

  /// Something whose state the watchdog prints when the run hangs, as long as this lives.
  class Watched {
   public:
    Watched(Run& run, std::function<std::string()> state);
    Watched(Run& run, const StreamReader& reader);
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;
    ~Watched();

   private:
    Run& run_;
    std::list<std::function<std::string()>>::iterator at_;
  };
  /// The states of all that is watched.
  [[nodiscard]] std::vector<std::string> states();

  /// Chunks made by make_chunk() that were not released.
  std::atomic<std::int64_t> chunks_alive{0};

 private:
  const std::uint64_t seed_;
  const int threads_;
  const std::chrono::seconds patience_;
  const clock::time_point end_;
  const Counts goals_;
  std::array<std::atomic<std::uint64_t>, kCountedNames.size()> counts_{};
  std::mutex watched_mutex_;
  std::list<std::function<std::string()>> watched_;
};

struct Scenario {
  const char* name;
  const char* what;
  void (*run)(Run&);
  /// What it counts beside checks, and so runs for until a goal is reached.
  std::vector<Counted> counts;
};

/// All that this build can run.
[[nodiscard]] const std::vector<Scenario>& scenarios();

void queues(Run& run);
void hand_over(Run& run);
void many_streams(Run& run);
void guards_on_threads(Run& run);
void guards_in_tasks(Run& run);
void outliving_shares(Run& run);
void stalled_holders(Run& run);
void end_storms(Run& run);
void parks(Run& run);
void sockets(Run& run);
void arrow_streams(Run& run);

/// The byte at a position of stream `stream`.
inline std::byte byte_at(std::uint64_t stream, std::uint64_t position) noexcept {
  std::uint64_t x = (position + 1) * 0x9E3779B97F4A7C15U + stream * 0xBF58476D1CE4E5B9U;
  return static_cast<std::byte>((x ^ (x >> 29)) >> 17);
}

inline void fill(std::span<std::byte> bytes, std::uint64_t stream, std::uint64_t position) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = byte_at(stream, position + i);
}

/// A chunk that is counted while it lives and poisoned before its memory goes back, so that a look
/// that comes too late shows.
[[nodiscard]] Chunk make_chunk(Run& run, std::uint64_t stream, std::uint64_t position,
                               std::size_t size);

/// Writes with `body(writer)` and finishes. What it throws reaches the reader, which reports it; a
/// reader that gave up reports that itself.
template <class Body>
void write_with(StreamWriter writer, Body&& body) {
  try {
    body(writer);
    writer.finish();
  } catch (const Cancelled&) {
    return;
  } catch (...) {
    writer.fail(std::current_exception());
  }
}

template <class Bytes>
void require_bytes(const Bytes& bytes, std::uint64_t stream, std::uint64_t position) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    require(bytes.data()[i] == byte_at(stream, position + i), "a byte is not what was sent");
  }
}

}  // namespace forebay::stress
