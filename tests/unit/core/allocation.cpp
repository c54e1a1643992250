// SPDX-License-Identifier: Apache-2.0
#include "unit/core/allocation.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

// Where the program's own code begins and ends (ld).
extern "C" const char __executable_start;
extern "C" const char etext;

namespace {

constexpr std::uint64_t kNever = UINT64_MAX;
thread_local std::uint64_t t_allocations = 0;
thread_local std::uint64_t t_fails_at = kNever;
thread_local bool t_failed = false;
thread_local bool t_program_only = false;
std::atomic<std::int64_t> g_alive{0};
std::atomic<std::int64_t> g_left_until_failure{-1};  // of all threads; -1: no failure
std::atomic<bool> g_failed{false};

// Whether this allocation is the one of all threads that fails.
bool fails_anywhere() noexcept {
  if (g_left_until_failure.load() < 0 || g_left_until_failure.fetch_sub(1) != 0) return false;
  g_failed = true;
  return true;
}

bool is_of_program(const void* caller) noexcept {
  return caller >= &__executable_start && caller < &etext;
}

void* allocate(std::size_t size, std::size_t alignment, const void* caller) {
  if (fails_anywhere()) throw std::bad_alloc();
  if ((!t_program_only || is_of_program(caller)) && t_allocations++ == t_fails_at) {
    t_failed = true;
    throw std::bad_alloc();
  }
  size = (std::max<std::size_t>(size, 1) + alignment - 1) / alignment * alignment;
  void* const memory = std::aligned_alloc(alignment, size);
  if (memory == nullptr) throw std::bad_alloc();
  g_alive.fetch_add(1, std::memory_order_relaxed);
  return memory;
}

void release(void* memory) noexcept {
  if (memory != nullptr) g_alive.fetch_sub(1, std::memory_order_relaxed);
  std::free(memory);
}

}  // namespace

// The forms that are not here come to these.
void* operator new(std::size_t size) {
  return allocate(size, alignof(std::max_align_t), __builtin_return_address(0));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return allocate(size, alignof(std::max_align_t), __builtin_return_address(0));
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { release(memory); }

namespace forebay::test {

std::uint64_t allocations() noexcept { return t_allocations; }
std::int64_t allocations_alive() noexcept { return g_alive.load(std::memory_order_relaxed); }

FailingAllocation::FailingAllocation(std::uint64_t nth, Callers callers) noexcept {
  t_failed = false;
  t_program_only = callers == Callers::program;
  t_fails_at = t_allocations + nth;
}
FailingAllocation::~FailingAllocation() {
  t_fails_at = kNever;
  t_program_only = false;
}
bool FailingAllocation::failed() const noexcept { return t_failed; }

FailingAllocationAnywhere::FailingAllocationAnywhere(std::uint64_t nth) noexcept {
  g_failed = false;
  g_left_until_failure = static_cast<std::int64_t>(nth);
}
FailingAllocationAnywhere::~FailingAllocationAnywhere() { g_left_until_failure = -1; }
bool FailingAllocationAnywhere::failed() const noexcept { return g_failed; }

}  // namespace forebay::test
