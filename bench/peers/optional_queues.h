// SPDX-License-Identifier: Apache-2.0
#pragma once

// Queues that no package of Debian holds: each is measured when the CMake variable
// FOREBAY_BENCH_PEER_INCLUDE_DIRS lists the include folder of its checkout. See harness/hand_off.h.

#include <cstddef>

#if __has_include(<rigtorp/SPSCQueue.h>)
#define FOREBAY_BENCH_HAS_RIGTORP 1
#include <rigtorp/SPSCQueue.h>
#endif

#if __has_include(<dro/spsc-queue.hpp>)
#define FOREBAY_BENCH_HAS_DROGALIS 1
#include <dro/spsc-queue.hpp>
#endif

namespace forebay::bench::peers {

#ifdef FOREBAY_BENCH_HAS_RIGTORP
template <class T>
class RigtorpSpscQueue {
 public:
  static constexpr const char* kName = "RigtorpSpscQueue";

  explicit RigtorpSpscQueue(std::size_t ring) : queue_(ring) {}
  bool try_push(const T& item) { return queue_.try_push(item); }
  bool try_pop(T& item) {
    const T* const front = queue_.front();
    if (front == nullptr) return false;
    item = *front;
    queue_.pop();
    return true;
  }

 private:
  rigtorp::SPSCQueue<T> queue_;
};
#endif

#ifdef FOREBAY_BENCH_HAS_DROGALIS
template <class T>
class DrogalisSpscQueue {
 public:
  static constexpr const char* kName = "DrogalisSpscQueue";

  explicit DrogalisSpscQueue(std::size_t ring) : queue_(ring) {}
  bool try_push(const T& item) { return queue_.try_push(item); }
  bool try_pop(T& item) { return queue_.try_pop(item); }

 private:
  dro::SPSCQueue<T> queue_;
};
#endif

}  // namespace forebay::bench::peers
