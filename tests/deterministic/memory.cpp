// SPDX-License-Identifier: Apache-2.0
#include "memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "sanitizer.h"
#include "scheduler.h"

namespace forebay::deterministic {
namespace {

constexpr bool kChecks = FOREBAY_ADDRESS_SANITIZER == 0;
constexpr std::uint64_t kAlive = 0xA11FE0A11FE0A11FU;
constexpr std::uint64_t kFreed = 0xF4EEDF4EEDF4EED0U;
constexpr int kPattern = 0xDD;
// Freed memory that is kept at most; of a large block, only the ends are looked at again.
constexpr std::size_t kKeptBytesMax = std::size_t{8} << 20;
constexpr std::size_t kLookedAtBytes = 512;

struct alignas(std::max_align_t) Header {
  void* allocation;
  std::size_t bytes;
  Header* next_freed;
  std::uint64_t state;
  bool counts;

  [[nodiscard]] std::byte* payload() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
};

std::int64_t g_alive = 0;
int g_untracked = 0;
Header* g_freed = nullptr;
std::size_t g_freed_bytes = 0;

bool refused() noexcept {
  Scheduler* const scheduler = Scheduler::running();
  if (g_memory_refused_once_in == 0 || scheduler == nullptr || g_untracked != 0) return false;
  if (!scheduler->memory_may_fail()) return false;
  if (!scheduler->random().one_in(g_memory_refused_once_in)) return false;
  g_memory_was_refused = true;
  return true;
}

void* allocate(std::size_t bytes, std::size_t alignment) noexcept {
  if (refused()) return nullptr;
  const std::size_t room = (sizeof(Header) + alignment - 1) / alignment * alignment;
  const std::size_t all = (room + bytes + alignment - 1) / alignment * alignment;
  void* const allocation = std::aligned_alloc(alignment, all);
  if (allocation == nullptr) return nullptr;
  auto* const header = reinterpret_cast<Header*>(static_cast<std::byte*>(allocation) + room) - 1;
  *header = {allocation, bytes, nullptr, kAlive, g_untracked == 0};
  if (header->counts) ++g_alive;
  return header->payload();
}

bool has_pattern(const std::byte* from, std::size_t bytes) noexcept {
  return std::all_of(from, from + bytes, [](std::byte one) { return one == std::byte{kPattern}; });
}

void release(void* payload) noexcept {
  if (payload == nullptr) return;
  auto* const header = static_cast<Header*>(payload) - 1;
  if (kChecks && header->state != kAlive) {
    fail(header->state == kFreed ? "memory was freed twice" : "what was freed is no memory");
  }
  header->state = kFreed;
  if (header->counts) --g_alive;
  if (!kChecks || Scheduler::running() == nullptr || !header->counts) {
    std::free(header->allocation);
    return;
  }
  std::memset(payload, kPattern, header->bytes);
  header->next_freed = g_freed;
  g_freed = header;
  g_freed_bytes += header->bytes;
  if (g_freed_bytes > kKeptBytesMax) forget_freed_memory();
}

}  // namespace

std::int64_t allocations_alive() noexcept { return g_alive; }

void forget_freed_memory() noexcept {
  while (g_freed != nullptr) {
    Header* const header = g_freed;
    g_freed = header->next_freed;
    const std::size_t looked_at = std::min(header->bytes, kLookedAtBytes);
    const std::byte* const end = header->payload() + header->bytes;
    require(has_pattern(header->payload(), looked_at) && has_pattern(end - looked_at, looked_at),
            "memory was written to after it was freed");
    std::free(header->allocation);
  }
  g_freed_bytes = 0;
}

Untracked::Untracked() noexcept { ++g_untracked; }
Untracked::~Untracked() { --g_untracked; }

ScarceMemory::ScarceMemory(bool scarce) noexcept
    : before_(std::exchange(Scheduler::running()->memory_may_fail(), scarce)) {}
ScarceMemory::~ScarceMemory() { Scheduler::running()->memory_may_fail() = before_; }

}  // namespace forebay::deterministic

// The forms that are not here come to these.
namespace {
void* allocate_or_throw(std::size_t bytes, std::size_t alignment) {
  void* const memory = forebay::deterministic::allocate(bytes, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace

void* operator new(std::size_t bytes) {
  return allocate_or_throw(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate_or_throw(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return forebay::deterministic::allocate(bytes, alignof(std::max_align_t));
}
void operator delete(void* memory) noexcept { forebay::deterministic::release(memory); }
void operator delete(void* memory, std::size_t) noexcept {
  forebay::deterministic::release(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  forebay::deterministic::release(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  forebay::deterministic::release(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  forebay::deterministic::release(memory);
}
