// SPDX-License-Identifier: Apache-2.0
#pragma once

// The allocator of a run. It counts what is alive, so that a run that leaks fails; it keeps freed
// memory, filled with a pattern, until the run is over, so that a late use shows; it notices what
// is freed twice; and it refuses memory where the run says so. With AddressSanitizer it only counts
// and refuses.

#include <cstddef>
#include <cstdint>

namespace forebay::deterministic {

/// Allocations that live and count.
[[nodiscard]] std::int64_t allocations_alive() noexcept;

/// Ends the life of what was freed since the last call; fails if it was written to since.
void forget_freed_memory() noexcept;

/// While it lives, allocations do not count and are not refused: for the scheduler's own.
class Untracked {
 public:
  Untracked() noexcept;
  Untracked(const Untracked&) = delete;
  Untracked& operator=(const Untracked&) = delete;
  ~Untracked();
};

/// While it lives, allocations of this fiber may be refused, once in `once_in` times.
class ScarceMemory {
 public:
  explicit ScarceMemory(bool scarce) noexcept;
  ScarceMemory(const ScarceMemory&) = delete;
  ScarceMemory& operator=(const ScarceMemory&) = delete;
  ~ScarceMemory();

 private:
  bool before_;
};

/// How often memory is refused where it may be: once in so many times; 0: never.
inline std::size_t g_memory_refused_once_in = 0;
/// Whether it was, since this was cleared.
inline bool g_memory_was_refused = false;

}  // namespace forebay::deterministic
