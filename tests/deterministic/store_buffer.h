// SPDX-License-Identifier: Apache-2.0
#pragma once

// The stores of one fiber that nobody else sees yet, oldest first: what stands between a core of
// x86 and its memory. A store waits here until it is drained, at a moment that the scheduler
// chooses, or until its fiber does something that waits for it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace forebay::deterministic {

class StoreBuffer {
 public:
  static constexpr std::size_t kStoresMax = 8;

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }

  void put(void* to, const void* value, std::size_t bytes) noexcept {
    if (count_ == kStoresMax) drain_one();
    Store& store = stores_[(first_ + count_++) % kStoresMax];
    store.to = to;
    store.bytes = bytes;
    std::memcpy(store.value, value, bytes);
  }

  /// The value that this fiber stored there last, or null when memory has the newest.
  [[nodiscard]] const void* find(const void* at) const noexcept {
    for (std::size_t i = count_; i-- > 0;) {
      const Store& store = stores_[(first_ + i) % kStoresMax];
      if (store.to == at) return store.value;
    }
    return nullptr;
  }

  void drain_one() noexcept {
    const Store& store = stores_[first_];
    std::memcpy(store.to, store.value, store.bytes);
    first_ = (first_ + 1) % kStoresMax;
    --count_;
  }
  void drain() noexcept {
    while (count_ != 0) drain_one();
  }

 private:
  struct Store {
    void* to;
    std::size_t bytes;
    alignas(8) std::byte value[8];
  };
  std::array<Store, kStoresMax> stores_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace forebay::deterministic
