// SPDX-License-Identifier: Apache-2.0
#pragma once

// Memory that reads are gathered into. Thread role: the reader, except for the end of a block that
// a guard or a share held.

#include <cstddef>
#include <new>
#include <utility>

#include "forebay/detail/block.h"

namespace forebay::detail {

template <class P>
class GatherMemory {
  using Record = BasicBlock<P>;

 public:
  /// A larger block is not kept for the next read that must be gathered.
  static constexpr std::size_t kKeepBytesMax = std::size_t{1} << 20;
  static constexpr std::size_t kBytesMin = 256;

  GatherMemory() noexcept = default;
  GatherMemory(const GatherMemory&) = delete;
  GatherMemory& operator=(const GatherMemory&) = delete;
  ~GatherMemory() {
    if (spare_ != nullptr) destroy(spare_, true);
  }

  /// A block of at least n bytes, 64-byte aligned. Throws std::bad_alloc.
  [[nodiscard]] Record* acquire(std::size_t n, StreamShared<P>* home) {
    if (spare_ != nullptr && spare_->capacity_bytes >= n) return std::exchange(spare_, nullptr);
    const std::size_t capacity = n < kBytesMin ? kBytesMin : n;
    void* const memory = ::operator new(kHeaderBytes + capacity, kAlignment);
    auto* const bytes = static_cast<std::byte*>(memory) + kHeaderBytes;
    auto* const block = ::new (memory) Record(bytes, capacity, &destroy);
    block->home = home;
    return block;
  }

  /// Takes a block back that nobody else holds.
  void recycle(Record* block) noexcept {
    // Of two blocks that may be kept, the larger one is.
    if (block->capacity_bytes <= kKeepBytesMax &&
        (spare_ == nullptr || spare_->capacity_bytes < block->capacity_bytes)) {
      std::swap(spare_, block);
    }
    if (block != nullptr) destroy(block, true);
  }

 private:
  static constexpr std::align_val_t kAlignment{64};
  static constexpr std::size_t kHeaderBytes = (sizeof(Record) + 63) / 64 * 64;

  static void destroy(Block* block, bool) noexcept {
    auto* const record = static_cast<Record*>(block);
    record->~Record();
    ::operator delete(static_cast<void*>(record), kAlignment);
  }

  Record* spare_ = nullptr;
};

}  // namespace forebay::detail
