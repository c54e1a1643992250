// SPDX-License-Identifier: Apache-2.0
#pragma once

// The queue of the pool's free list, as it is, with a step of the scheduler around each operation:
// it hands blocks on with atomics of its own, so that what its caller stored before is seen by
// whoever takes the block.

#pragma GCC system_header  // For the next line, which finds the queue itself.
#include_next <concurrentqueue/concurrentqueue.h>

#include <utility>

#include "deterministic/scheduler.h"

namespace moodycamel {

template <class T>
class SteppedConcurrentQueue : public ConcurrentQueue<T> {
 public:
  using ConcurrentQueue<T>::ConcurrentQueue;

  bool enqueue(T item) {
    step("enqueue");
    return ConcurrentQueue<T>::enqueue(std::move(item));
  }
  bool try_dequeue(T& item) {
    step("dequeue");
    return ConcurrentQueue<T>::try_dequeue(item);
  }

 private:
  static void step(const char* what) {
    using forebay::deterministic::Scheduler;
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) return;
    scheduler->step(what, forebay::deterministic::Site::current());
    scheduler->drain();
  }
};

}  // namespace moodycamel

#define ConcurrentQueue SteppedConcurrentQueue
