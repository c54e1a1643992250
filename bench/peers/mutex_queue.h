// SPDX-License-Identifier: Apache-2.0
#pragma once

// What one writes first: a deque under a mutex, with a condition variable for each side. See
// harness/hand_off.h.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>

namespace forebay::bench::peers {

template <class T>
class MutexQueue {
 public:
  static constexpr const char* kName = "MutexQueue";

  explicit MutexQueue(std::size_t ring) : capacity_(ring) {}
  void push(const T& item) {
    {
      std::unique_lock lock(mutex_);
      room_.wait(lock, [this] { return items_.size() < capacity_; });
      items_.push_back(item);
    }
    data_.notify_one();
  }
  void pop(T& item) {
    {
      std::unique_lock lock(mutex_);
      data_.wait(lock, [this] { return !items_.empty(); });
      item = items_.front();
      items_.pop_front();
    }
    room_.notify_one();
  }

 private:
  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable data_;
  std::condition_variable room_;
  std::deque<T> items_;
};

}  // namespace forebay::bench::peers
