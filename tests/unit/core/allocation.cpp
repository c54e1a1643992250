// SPDX-License-Identifier: Apache-2.0
#include "unit/core/allocation.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

constexpr std::uint64_t kNever = UINT64_MAX;
thread_local std::uint64_t t_allocations = 0;
thread_local std::uint64_t t_fails_at = kNever;
thread_local bool t_failed = false;
std::atomic<std::int64_t> g_alive{0};

void* allocate(std::size_t size, std::size_t alignment) {
  if (t_allocations++ == t_fails_at) {
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
void* operator new(std::size_t size) { return allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return allocate(size, alignof(std::max_align_t));
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

FailingAllocation::FailingAllocation(std::uint64_t nth) noexcept {
  t_failed = false;
  t_fails_at = t_allocations + nth;
}
FailingAllocation::~FailingAllocation() { t_fails_at = kNever; }
bool FailingAllocation::failed() const noexcept { return t_failed; }

}  // namespace forebay::test
