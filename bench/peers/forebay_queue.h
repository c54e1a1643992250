// SPDX-License-Identifier: Apache-2.0
#pragma once

// Forebay's own queue, as the benchmarks call it. See harness/hand_off.h.

#include <cstddef>
#include <span>

#include "forebay/spsc_queue.h"

namespace forebay::bench::peers {

template <class T>
class ForebayQueue {
 public:
  static constexpr const char* kName = "Forebay";

  explicit ForebayQueue(std::size_t ring) : queue_(ring) {}
  bool try_push(const T& item) { return queue_.try_push(item); }
  bool try_pop(T& item) { return queue_.try_pop(item); }
  std::size_t try_push_n(T* items, std::size_t count) {
    return queue_.try_push_n(std::span<T>(items, count));
  }
  std::size_t try_pop_n(T* items, std::size_t count) {
    return queue_.try_pop_n(std::span<T>(items, count));
  }

 private:
  SpscQueue<T> queue_;
};

}  // namespace forebay::bench::peers
