// SPDX-License-Identifier: Apache-2.0
#pragma once

// Event counts as they are usually made: whoever notifies pays with a full fence, or with a
// read-modify-write, for every item, whether somebody waits or not. They spin as long as Forebay's
// does at most, and then park.

#include <atomic>
#include <cstdint>

#include "forebay/deadline.h"
#include "forebay/detail/futex.h"
#include "forebay/event_count.h"

namespace forebay::bench::peers {

/// Spins for the longest window of Forebay's event count. False when it passed.
template <class Condition>
bool spin(Condition&& condition) {
  const auto until =
      Deadline::clock::now() + std::chrono::nanoseconds(EventCount::kSpinNsMaxDefault);
  do {
    for (int i = 0; i < 16; ++i) {
      detail::cpu_pause();
      if (condition()) return true;
    }
  } while (Deadline::clock::now() < until);
  return false;
}

/// A flag that the waiter raises, looked at behind a fence.
class FenceEventCount {
 public:
  static constexpr const char* kName = "FenceEventCount";

  void notify() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (waiting_.load(std::memory_order_relaxed) == 0) return;
    waiting_.store(0, std::memory_order_relaxed);
    detail::futex_wake(reinterpret_cast<const std::uint32_t*>(&waiting_));
  }

  template <class Condition>
  void await(Condition&& condition) {
    if (condition() || spin(condition)) return;
    for (;;) {
      waiting_.store(1, std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_seq_cst);
      if (condition()) break;
      detail::futex_wait(reinterpret_cast<const std::uint32_t*>(&waiting_), 1, Deadline::never());
    }
    waiting_.store(0, std::memory_order_relaxed);
  }

 private:
  alignas(128) std::atomic<std::uint32_t> waiting_{0};
};

/// A count of notifications that the waiter sleeps on; its lowest bit says that somebody does.
class ReadModifyWriteEventCount {
 public:
  static constexpr const char* kName = "ReadModifyWriteEventCount";

  void notify() {
    if ((count_.fetch_add(2, std::memory_order_seq_cst) & 1) == 0) return;
    count_.fetch_and(~std::uint32_t{1}, std::memory_order_seq_cst);
    detail::futex_wake(reinterpret_cast<const std::uint32_t*>(&count_));
  }

  template <class Condition>
  void await(Condition&& condition) {
    if (condition() || spin(condition)) return;
    for (;;) {
      const std::uint32_t seen = count_.fetch_or(1, std::memory_order_seq_cst) | 1;
      if (condition()) return;
      detail::futex_wait(reinterpret_cast<const std::uint32_t*>(&count_), seen, Deadline::never());
    }
  }

 private:
  alignas(128) std::atomic<std::uint32_t> count_{0};
};

}  // namespace forebay::bench::peers
