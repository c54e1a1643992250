// SPDX-License-Identifier: Apache-2.0
#pragma once

// Makes chosen allocations of this thread fail, and counts those that are alive.

#include <cstdint>

namespace forebay::test {

/// Allocations by operator new on this thread so far.
[[nodiscard]] std::uint64_t allocations() noexcept;

/// Allocations by operator new, minus frees, of all threads.
[[nodiscard]] std::int64_t allocations_alive() noexcept;

/// While it lives, the `nth` allocation of this thread fails, counted from 0.
class FailingAllocation {
 public:
  explicit FailingAllocation(std::uint64_t nth) noexcept;
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;
  ~FailingAllocation();
  /// Whether it came to that allocation.
  [[nodiscard]] bool failed() const noexcept;
};

}  // namespace forebay::test
