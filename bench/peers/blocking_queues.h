// SPDX-License-Identifier: Apache-2.0
#pragma once

// One ring, Forebay's, with several ways for its consumer to wait: so that the difference is what
// being able to block costs. See harness/hand_off.h.

#include <cstddef>

#include "forebay/event_count.h"
#include "forebay/spsc_queue.h"
#include "peers/event_counts.h"

namespace forebay::bench::peers {

/// The consumer spins, then parks on an `Event`; the producer notifies after each item.
template <class T, class Event>
class QueueWithEvent {
 public:
  explicit QueueWithEvent(std::size_t ring) : queue_(ring) {}
  bool try_push(const T& item) {
    if (!queue_.try_push(item)) return false;
    event_.notify();
    return true;
  }
  void pop(T& item) {
    while (!queue_.try_pop(item)) event_.await([this] { return queue_.front() != nullptr; });
  }

 private:
  SpscQueue<T> queue_;
  Event event_;
};

template <class T>
struct ForebayBlocking : QueueWithEvent<T, EventCount> {
  static constexpr const char* kName = "Forebay";
  using QueueWithEvent<T, EventCount>::QueueWithEvent;
};

template <class T>
struct FenceBlocking : QueueWithEvent<T, FenceEventCount> {
  static constexpr const char* kName = FenceEventCount::kName;
  using QueueWithEvent<T, FenceEventCount>::QueueWithEvent;
};

template <class T>
struct ReadModifyWriteBlocking : QueueWithEvent<T, ReadModifyWriteEventCount> {
  static constexpr const char* kName = ReadModifyWriteEventCount::kName;
  using QueueWithEvent<T, ReadModifyWriteEventCount>::QueueWithEvent;
};

/// It cannot block: the same ring, whose consumer only spins.
template <class T>
class ForebaySpinning {
 public:
  static constexpr const char* kName = "ForebaySpinning";

  explicit ForebaySpinning(std::size_t ring) : queue_(ring) {}
  bool try_push(const T& item) { return queue_.try_push(item); }
  bool try_pop(T& item) { return queue_.try_pop(item); }

 private:
  SpscQueue<T> queue_;
};

}  // namespace forebay::bench::peers
