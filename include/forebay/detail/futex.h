// SPDX-License-Identifier: Apache-2.0
#pragma once

// The system calls under the waits, and what is asked of the core: pause, prefetch. Bodies in
// lib/core/futex.cpp.

#include <cstdint>

#include "forebay/deadline.h"

namespace forebay::detail {

/// Sleeps while *word == expected, at the latest until the deadline (CLOCK_MONOTONIC).
/// False when the deadline passed. May return early: the caller checks again.
bool futex_wait(const std::uint32_t* word, std::uint32_t expected, Deadline deadline) noexcept;

/// Wakes every thread that sleeps on the word. The word may be gone already: it is not read.
void futex_wake(const std::uint32_t* word) noexcept;

/// True when membarrier(PRIVATE_EXPEDITED) was registered for this process.
extern bool g_asymmetric_barriers;
[[nodiscard]] inline bool asymmetric_barriers() noexcept { return g_asymmetric_barriers; }

/// Registers this process for membarrier(PRIVATE_EXPEDITED); false where there is none. The library
/// does it as it is loaded. The first time takes the kernel 8 ms and more when another thread is
/// there already, microseconds when not; later times take nothing.
bool register_asymmetric_barriers() noexcept;

/// Makes every other thread of the process run a full barrier. About 2 us while a sibling runs.
void process_barrier() noexcept;

/// CPUs that this process was started on, at least 1. That a thread is pinned to one of them does
/// not change it: whom it waits for may run on another.
[[nodiscard]] int usable_cpu_count() noexcept;

/// Tells the core that this is a spin loop.
inline void cpu_pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

/// Asks for the cache line at the address, to be written. Any address will do.
inline void prefetch_to_write(std::uintptr_t address) noexcept {
#if defined(__x86_64__)
  // The compiler's own needs leave to use the instruction; a CPU that lacks it passes it over.
  asm volatile("prefetchw (%0)" : : "r"(address));
#else
  __builtin_prefetch(reinterpret_cast<const void*>(address), 1);
#endif
}

}  // namespace forebay::detail
