// SPDX-License-Identifier: Apache-2.0
#pragma once

// The second thread of a benchmark: one for the whole process, on a core of its own, asleep between
// rounds, so that no round pays for a thread that is made or moved.

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "forebay/detail/futex.h"
#include "harness/pin_thread.h"

namespace forebay::bench {

/// The partner of the thread that runs the benchmarks.
class Partner {
 public:
  using Clock = std::chrono::steady_clock;

  static Partner& get() {
    static Partner partner;
    return partner;
  }
  Partner(const Partner&) = delete;
  Partner& operator=(const Partner&) = delete;

  /// Runs `there` on the partner and `here` on this thread, from the same moment on. Returns the
  /// time until `here` was done, but not before both are.
  template <class Here, class There>
  Clock::duration run(Here&& here, There&& there) {
    job_ = [&there] { there(); };
    set(kPosted);
    // Release and acquire throughout: what one side wrote, the other may read.
    while (phase_.load(std::memory_order_acquire) != kReady) detail::cpu_pause();
    const auto began = Clock::now();
    phase_.store(kStarted, std::memory_order_release);
    here();
    const auto ended = Clock::now();
    phase_.wait(kReady, std::memory_order_acquire);
    phase_.wait(kStarted, std::memory_order_acquire);
    job_ = nullptr;
    return ended - began;
  }

 private:
  enum Phase : int { kDone, kPosted, kReady, kStarted, kLeave };

  Partner() : thread_([this] { work(); }) { pin_this_thread(0); }
  ~Partner() {
    set(kLeave);
    thread_.join();
  }

  void set(Phase phase) {
    phase_.store(phase, std::memory_order_release);
    phase_.notify_one();
  }

  void work() {
    pin_this_thread(1);
    for (;;) {
      phase_.wait(kDone, std::memory_order_acquire);
      if (phase_.load(std::memory_order_acquire) == kLeave) return;
      phase_.store(kReady, std::memory_order_release);
      while (phase_.load(std::memory_order_acquire) != kStarted) detail::cpu_pause();
      job_();
      set(kDone);
    }
  }

  std::atomic<Phase> phase_{kDone};
  std::function<void()> job_;
  std::thread thread_;
};

}  // namespace forebay::bench
