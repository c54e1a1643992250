// SPDX-License-Identifier: Apache-2.0
#pragma once

// Queues of Boost, atomic_queue and oneTBB. See harness/hand_off.h.

#include <atomic_queue/atomic_queue.h>
#include <tbb/concurrent_queue.h>

#include <boost/lockfree/spsc_queue.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace forebay::bench::peers {

template <class T>
class BoostSpscQueue {
 public:
  static constexpr const char* kName = "BoostSpscQueue";

  explicit BoostSpscQueue(std::size_t ring) : queue_(ring) {}
  bool try_push(const T& item) { return queue_.push(item); }
  bool try_pop(T& item) { return queue_.pop(item); }
  std::size_t try_push_n(const T* items, std::size_t count) { return queue_.push(items, count); }
  std::size_t try_pop_n(T* items, std::size_t count) { return queue_.pop(items, count); }

 private:
  boost::lockfree::spsc_queue<T> queue_;
};

/// In its fastest form: for one thread on each side, and with push and pop that wait by themselves.
template <class T>
class AtomicQueue {
 public:
  static constexpr const char* kName = "AtomicQueue";

  explicit AtomicQueue(std::size_t ring) : queue_(static_cast<unsigned>(ring)) {}
  void push(const T& item) { queue_.push(item); }
  void pop(T& item) { item = queue_.pop(); }

 private:
  atomic_queue::AtomicQueueB2<T, std::allocator<T>, true, false, true> queue_;
};

/// The same for items of one word, one value of which (zero, which no item of ours has) is reserved
/// to mean an empty slot.
template <class T>
class AtomicQueueReservedValue {
 public:
  static constexpr const char* kName = "AtomicQueueReservedValue";
  static_assert(sizeof(T) == sizeof(std::uint64_t));

  explicit AtomicQueueReservedValue(std::size_t ring) : queue_(static_cast<unsigned>(ring)) {}
  void push(const T& item) { queue_.push(item.words[0]); }
  void pop(T& item) { item.words[0] = queue_.pop(); }

 private:
  using Word = std::uint64_t;
  atomic_queue::AtomicQueueB<Word, std::allocator<Word>, Word{0}, true, false, true> queue_;
};

template <class T>
class TbbConcurrentBoundedQueue {
 public:
  static constexpr const char* kName = "TbbConcurrentBoundedQueue";

  explicit TbbConcurrentBoundedQueue(std::size_t ring) {
    queue_.set_capacity(static_cast<std::ptrdiff_t>(ring));
  }
  bool try_push(const T& item) { return queue_.try_push(item); }
  bool try_pop(T& item) { return queue_.try_pop(item); }

 private:
  tbb::concurrent_bounded_queue<T> queue_;
};

}  // namespace forebay::bench::peers
