// SPDX-License-Identifier: Apache-2.0
#pragma once

// A few warm blocks, the newest first. Thread role: any; every step is one exchange, so that nobody
// waits for anybody.

#include <array>
#include <cstddef>

#include "forebay/detail/atomic.h"

namespace forebay::detail {

/// `T` has capacity_bytes.
template <class T, class P>
class WarmCache {
 public:
  static constexpr std::size_t kSlots = 4;

  /// Takes the block in; what falls out at the far end is returned, or null.
  [[nodiscard]] T* put(T* block) noexcept {
    for (auto& slot : slots_) {
      // (W1) acq_rel exchange, synchronizes-with itself: a block is handed on with its content.
      block = slot.exchange(block, acq_rel);
      if (block == nullptr) return nullptr;
    }
    return block;
  }

  /// The newest block of that capacity, or of any for 0; null when there is none. Blocks of another
  /// size go back in, and to `overflow` when there is no place left.
  template <class Overflow>
  [[nodiscard]] T* take(std::size_t capacity, Overflow&& overflow) noexcept {
    std::array<T*, kSlots> others{};
    std::size_t count = 0;
    T* found = nullptr;
    for (auto& slot : slots_) {
      if (slot.load(relaxed) == nullptr) continue;  // Relaxed: a hint.
      // (W2) acquire exchange, synchronizes-with the exchange (W1): the block's last user is done.
      T* const block = slot.exchange(nullptr, acquire);
      if (block == nullptr) continue;
      if (capacity == 0 || block->capacity_bytes == capacity) {
        found = block;
        break;
      }
      others[count++] = block;
    }
    while (count != 0) {
      T* const fallen = put(others[--count]);
      if (fallen != nullptr) overflow(fallen);
    }
    return found;
  }

 private:
  std::array<typename P::template atomic<T*>, kSlots> slots_{};
};

}  // namespace forebay::detail
