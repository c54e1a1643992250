// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a way to wait is asked to do. An adapter has a default constructor and
//
//     void set(std::uint32_t number);        // one thread; numbers grow
//     void wait_for(std::uint32_t number);   // the other thread: until it was set, or a later one
//
// The benchmarks' own thread sets, the partner waits.

#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "forebay/detail/futex.h"
#include "harness/partner.h"

namespace forebay::bench {

inline std::int64_t now_ns() {
  return Partner::Clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

inline void spin_until(std::int64_t ns) {
  while (now_ns() < ns) detail::cpu_pause();
}

/// From before set() to after wait_for(), `gap` after the waiter began to wait; the median of a
/// round. Those of the first quarter are left out: who adapts has adapted then.
template <class Signal>
void wake(benchmark::State& state, std::chrono::microseconds gap) {
  const std::uint32_t wakes = gap >= std::chrono::microseconds(100) ? 64 : 256;
  const std::int64_t gap_ns = gap / std::chrono::nanoseconds(1);
  for (auto _ : state) {
    Signal signal;
    std::atomic<std::int64_t> set_at{0};
    std::atomic<std::uint32_t> woken{0};
    std::vector<double> latencies;
    latencies.reserve(wakes);
    Partner::get().run(
        [&] {
          for (std::uint32_t i = 1; i <= wakes; ++i) {
            while (woken.load(std::memory_order_acquire) != i - 1) detail::cpu_pause();
            const std::int64_t when = now_ns() + gap_ns;
            spin_until(when);
            set_at.store(now_ns(), std::memory_order_relaxed);
            signal.set(i);
          }
        },
        [&] {
          for (std::uint32_t i = 1; i <= wakes; ++i) {
            signal.wait_for(i);
            const std::int64_t took = now_ns() - set_at.load(std::memory_order_relaxed);
            if (i > wakes / 4) latencies.push_back(static_cast<double>(took));
            woken.store(i, std::memory_order_release);
          }
        });
    const auto middle = latencies.begin() + static_cast<std::ptrdiff_t>(latencies.size() / 2);
    std::nth_element(latencies.begin(), middle, latencies.end());
    state.SetIterationTime(*middle * 1e-9);
    state.counters["ns_per_item"] = *middle;
  }
}

/// `kBurst` numbers one after the other, each with a set() of its own, after a pause in which the
/// waiter went to sleep: from the first set() until the last was waited for, for each.
template <class Signal>
void burst(benchmark::State& state) {
  constexpr std::uint32_t kBurst = 16;
  constexpr std::uint32_t kBursts = 32;
  constexpr std::int64_t kGapNs = 200'000;
  for (auto _ : state) {
    Signal signal;
    std::atomic<std::uint32_t> received{0};
    std::vector<double> each;
    Partner::get().run(
        [&] {
          for (std::uint32_t sent = 0; sent < kBurst * kBursts;) {
            const std::int64_t begin = now_ns() + kGapNs;
            spin_until(begin);
            for (std::uint32_t i = 0; i < kBurst; ++i) signal.set(++sent);
            while (received.load(std::memory_order_acquire) != sent) detail::cpu_pause();
            each.push_back(static_cast<double>(now_ns() - begin) / kBurst);
          }
        },
        [&] {
          for (std::uint32_t i = 1; i <= kBurst * kBursts; ++i) {
            signal.wait_for(i);
            received.store(i, std::memory_order_release);
          }
        });
    const auto middle = each.begin() + static_cast<std::ptrdiff_t>(each.size() / 2);
    std::nth_element(each.begin(), middle, each.end());
    state.SetIterationTime(*middle * 1e-9);
    state.counters["ns_per_item"] = *middle;
  }
}

/// CPU that a thread burns while it waits for what does not come: `cpu_share`, of one core.
template <class Signal>
void idle(benchmark::State& state) {
  constexpr std::chrono::milliseconds kIdle(40);
  const auto cpu_ns = [] {
    timespec used{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) * 1e9 + static_cast<double>(used.tv_nsec);
  };
  for (auto _ : state) {
    Signal signal;
    double burnt_ns = 0;
    const auto took = Partner::get().run(
        [&] {
          std::this_thread::sleep_for(kIdle);
          signal.set(1);
        },
        [&] {
          const double before = cpu_ns();
          signal.wait_for(1);
          burnt_ns = cpu_ns() - before;
        });
    const double took_ns = std::chrono::duration<double, std::nano>(took).count();
    state.SetIterationTime(burnt_ns * 1e-9);
    state.counters["ns_per_item"] = burnt_ns;
    state.counters["cpu_share"] = burnt_ns / took_ns;
  }
}

}  // namespace forebay::bench
