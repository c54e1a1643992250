// SPDX-License-Identifier: Apache-2.0
#pragma once

// Threads of execution that change places by an ordinary call. A fiber has a stack of its own and
// its own share of what is kept per thread: the exceptions that are being handled, and errno.

#include <boost/context/fiber.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace forebay::deterministic {

/// Stacks with an inaccessible page below, used again and again.
class StackPool {
 public:
  static constexpr std::size_t kStackBytes = std::size_t{256} << 10;

  [[nodiscard]] boost::context::stack_context allocate();
  void deallocate(boost::context::stack_context& stack) noexcept;

 private:
  std::vector<void*> free_;
  std::size_t made_ = 0;
};

/// What boost.context wants to own; the pool outlives it.
class StackAllocator {
 public:
  explicit StackAllocator(StackPool& pool) noexcept : pool_(&pool) {}
  boost::context::stack_context allocate() { return pool_->allocate(); }
  void deallocate(boost::context::stack_context& stack) noexcept { pool_->deallocate(stack); }

 private:
  StackPool* pool_;
};

/// One place to go to: a fiber, or whoever started the first one.
struct Place {
  boost::context::fiber context;  // where it goes on, while it is not running
  // What the run-time library of C++ keeps per thread: exceptions caught, and thrown and not
  // caught.
  void* caught_exceptions = nullptr;
  unsigned uncaught_exceptions = 0;
  int error_number = 0;
  // For AddressSanitizer.
  const void* stack_bottom = nullptr;
  std::size_t stack_bytes = 0;
  void* fake_stack = nullptr;
};

/// Makes `place` a fiber that runs `body`, which returns where to go when it is done.
void start(Place& place, StackPool& pool, std::function<Place*()> body);

/// Leaves `from` and goes on at `to`; returns when somebody goes back to `from`.
void go(Place& from, Place& to);

}  // namespace forebay::deterministic
