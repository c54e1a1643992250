// SPDX-License-Identifier: Apache-2.0
#pragma once

// Makes chosen allocations of this thread fail, and counts those that are alive.

#include <cstdint>

namespace forebay::test {

/// Allocations by operator new on this thread so far.
[[nodiscard]] std::uint64_t allocations() noexcept;

/// Allocations by operator new, minus frees, of all threads.
[[nodiscard]] std::int64_t allocations_alive() noexcept;

/// Whose allocations count and fail.
enum class Callers : std::uint8_t {
  all,
  program,  ///< what is linked into the program, and no shared library, which may not bear it
};

/// While it lives, the `nth` allocation of this thread fails, counted from 0.
class FailingAllocation {
 public:
  explicit FailingAllocation(std::uint64_t nth, Callers callers = Callers::all) noexcept;
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;
  ~FailingAllocation();
  /// Whether it came to that allocation.
  [[nodiscard]] bool failed() const noexcept;
};

/// The same for the allocations of all threads.
class FailingAllocationAnywhere {
 public:
  explicit FailingAllocationAnywhere(std::uint64_t nth) noexcept;
  FailingAllocationAnywhere(const FailingAllocationAnywhere&) = delete;
  FailingAllocationAnywhere& operator=(const FailingAllocationAnywhere&) = delete;
  ~FailingAllocationAnywhere();
  /// Whether it came to that allocation.
  [[nodiscard]] bool failed() const noexcept;
};

}  // namespace forebay::test
