// SPDX-License-Identifier: Apache-2.0
#include "fiber.h"

#include <cxxabi.h>
#include <sys/mman.h>

#include <cerrno>
#include <memory>
#include <new>
#include <utility>

#include "sanitizer.h"

namespace forebay::deterministic {

namespace {

constexpr std::size_t kGuardBytes = 4096;

// Who left last: the one whose context the next to run receives.
Place* g_left = nullptr;

// The Itanium C++ ABI fixes the first two members of this structure.
struct ExceptionGlobals {
  void* caught_exceptions;
  unsigned uncaught_exceptions;
};

void save_thread_state(Place& place) noexcept {
  place.error_number = errno;
  const auto* const globals = reinterpret_cast<ExceptionGlobals*>(abi::__cxa_get_globals());
  place.caught_exceptions = globals->caught_exceptions;
  place.uncaught_exceptions = globals->uncaught_exceptions;
}

void restore_thread_state(const Place& place) noexcept {
  errno = place.error_number;
  auto* const globals = reinterpret_cast<ExceptionGlobals*>(abi::__cxa_get_globals());
  globals->caught_exceptions = place.caught_exceptions;
  globals->uncaught_exceptions = place.uncaught_exceptions;
}

// First thing on every arrival.
void arrive(Place& here, boost::context::fiber&& from) noexcept {
  const void* bottom = nullptr;
  std::size_t bytes = 0;
  finish_switch(here.fake_stack, &bottom, &bytes);
  if (g_left->stack_bottom == nullptr) {
    g_left->stack_bottom = bottom;
    g_left->stack_bytes = bytes;
  }
  if (from) g_left->context = std::move(from);
  restore_thread_state(here);
}

}  // namespace

boost::context::stack_context StackPool::allocate() {
  void* memory = nullptr;
  if (free_.empty()) {
    memory = ::mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || ::mprotect(memory, kGuardBytes, PROT_NONE) != 0) {
      throw std::bad_alloc();
    }
    free_.reserve(++made_);  // So that deallocate() need not grow it.
  } else {
    memory = free_.back();
    free_.pop_back();
  }
  boost::context::stack_context stack;
  stack.size = kStackBytes;
  stack.sp = static_cast<char*>(memory) + kGuardBytes + kStackBytes;
  unpoison(static_cast<char*>(memory) + kGuardBytes, kStackBytes);
  return stack;
}

void StackPool::deallocate(boost::context::stack_context& stack) noexcept {
  free_.push_back(static_cast<char*>(stack.sp) - kStackBytes - kGuardBytes);
}

void start(Place& place, StackPool& pool, std::function<Place*()> body) {
  const boost::context::stack_context stack = pool.allocate();
  place.stack_bottom = static_cast<char*>(stack.sp) - stack.size;
  place.stack_bytes = stack.size;
  place.caught_exceptions = nullptr;
  place.uncaught_exceptions = 0;
  place.fake_stack = nullptr;
  place.context = boost::context::fiber(
      std::allocator_arg, boost::context::preallocated(stack.sp, stack.size, stack),
      StackAllocator(pool), [&place, body = std::move(body)](boost::context::fiber&& from) mutable {
        arrive(place, std::move(from));
        Place* const next = body();
        body = nullptr;
        g_left = &place;
        start_switch(nullptr, next->stack_bottom, next->stack_bytes);
        return std::move(next->context);
      });
}

void go(Place& from, Place& to) {
  save_thread_state(from);
  g_left = &from;
  start_switch(&from.fake_stack, to.stack_bottom, to.stack_bytes);
  boost::context::fiber left = std::move(to.context).resume();
  arrive(from, std::move(left));
}

}  // namespace forebay::deterministic
