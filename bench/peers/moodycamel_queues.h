// SPDX-License-Identifier: Apache-2.0
#pragma once

// moodycamel's queues. See harness/hand_off.h.

#include <concurrentqueue/concurrentqueue.h>
#include <readerwriterqueue/readerwritercircularbuffer.h>
#include <readerwriterqueue/readerwriterqueue.h>

#include <cstddef>

namespace forebay::bench::peers {

template <class T>
class MoodycamelReaderWriterQueue {
 public:
  static constexpr const char* kName = "MoodycamelReaderWriterQueue";

  explicit MoodycamelReaderWriterQueue(std::size_t ring) : queue_(ring) {}
  bool try_push(const T& item) { return queue_.try_enqueue(item); }
  bool try_pop(T& item) { return queue_.try_dequeue(item); }

 private:
  moodycamel::ReaderWriterQueue<T> queue_;
};

/// Its producer cannot wait: only the consumer sleeps.
template <class T>
class MoodycamelBlockingReaderWriterQueue {
 public:
  static constexpr const char* kName = "MoodycamelBlockingReaderWriterQueue";

  explicit MoodycamelBlockingReaderWriterQueue(std::size_t ring) : queue_(ring) {}
  bool try_push(const T& item) { return queue_.try_enqueue(item); }
  void pop(T& item) { queue_.wait_dequeue(item); }

 private:
  moodycamel::BlockingReaderWriterQueue<T> queue_;
};

template <class T>
class MoodycamelBlockingReaderWriterCircularBuffer {
 public:
  static constexpr const char* kName = "MoodycamelBlockingReaderWriterCircularBuffer";

  explicit MoodycamelBlockingReaderWriterCircularBuffer(std::size_t ring) : queue_(ring) {}
  void push(const T& item) { queue_.wait_enqueue(item); }
  void pop(T& item) { queue_.wait_dequeue(item); }

 private:
  moodycamel::BlockingReaderWriterCircularBuffer<T> queue_;
};

/// With tokens, as its author advises; it has no bound, so that of what it reserved is used.
template <class T>
class MoodycamelConcurrentQueue {
 public:
  static constexpr const char* kName = "MoodycamelConcurrentQueue";

  explicit MoodycamelConcurrentQueue(std::size_t ring)
      : queue_(ring, 1, 0), producer_(queue_), consumer_(queue_) {}
  bool try_push(const T& item) { return queue_.try_enqueue(producer_, item); }
  bool try_pop(T& item) { return queue_.try_dequeue(consumer_, item); }
  std::size_t try_push_n(const T* items, std::size_t count) {
    // gcc 12 takes a block index that is never null for null.
#pragma GCC diagnostic push
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#endif
    return queue_.try_enqueue_bulk(producer_, items, count) ? count : 0;
#pragma GCC diagnostic pop
  }
  std::size_t try_pop_n(T* items, std::size_t count) {
    return queue_.try_dequeue_bulk(consumer_, items, count);
  }

 private:
  moodycamel::ConcurrentQueue<T> queue_;
  moodycamel::ProducerToken producer_;
  moodycamel::ConsumerToken consumer_;
};

}  // namespace forebay::bench::peers
