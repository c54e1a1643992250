// SPDX-License-Identifier: Apache-2.0
#pragma once

// The floor of a hand-off: one cache line that one thread writes and the other looks at. It is no
// queue, and good for round trips alone. See harness/hand_off.h.

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace forebay::bench::peers {

template <class T>
class PingPong {
 public:
  static constexpr const char* kName = "PingPong";
  static_assert(sizeof(T) == sizeof(std::uint64_t), "a word is all that one store hands over");

  explicit PingPong(std::size_t) {}
  void push(const T& item) { word_.store(item.words[0], std::memory_order_release); }
  void pop(T& item) {
    while (word_.load(std::memory_order_acquire) == seen_) {
    }
    item.words[0] = seen_ = word_.load(std::memory_order_relaxed);
  }

 private:
  alignas(128) std::atomic<std::uint64_t> word_{0};
  alignas(128) std::uint64_t seen_ = 0;
};

}  // namespace forebay::bench::peers
