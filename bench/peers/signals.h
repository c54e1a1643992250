// SPDX-License-Identifier: Apache-2.0
#pragma once

// Ways for one thread to wait until another has set a number to what it waits for; numbers only
// grow. See harness/wake.h.

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <system_error>

#include "forebay/deadline.h"
#include "forebay/detail/futex.h"
#include "forebay/event_count.h"
#include "peers/event_counts.h"
#include "peers/moodycamel_queues.h"

namespace forebay::bench::peers {

template <class Event>
class EventSignal {
 public:
  void set(std::uint32_t number) {
    number_.store(number, std::memory_order_release);
    event_.notify();
  }
  void wait_for(std::uint32_t number) {
    event_.await([&] { return number_.load(std::memory_order_acquire) >= number; });
  }

 private:
  alignas(128) std::atomic<std::uint32_t> number_{0};
  Event event_;
};

struct ForebaySignal : EventSignal<EventCount> {
  static constexpr const char* kName = "Forebay";
};
struct FenceSignal : EventSignal<FenceEventCount> {
  static constexpr const char* kName = FenceEventCount::kName;
};
struct ReadModifyWriteSignal : EventSignal<ReadModifyWriteEventCount> {
  static constexpr const char* kName = ReadModifyWriteEventCount::kName;
};

/// The least there is: a system call on each side, and nothing around it.
class RawFutexSignal {
 public:
  static constexpr const char* kName = "RawFutex";

  void set(std::uint32_t number) {
    number_.store(number, std::memory_order_release);
    detail::futex_wake(reinterpret_cast<const std::uint32_t*>(&number_));
  }
  void wait_for(std::uint32_t number) {
    for (;;) {
      const std::uint32_t seen = number_.load(std::memory_order_acquire);
      if (seen >= number) return;
      detail::futex_wait(reinterpret_cast<const std::uint32_t*>(&number_), seen, Deadline::never());
    }
  }

 private:
  alignas(128) std::atomic<std::uint32_t> number_{0};
};

class StdAtomicSignal {
 public:
  static constexpr const char* kName = "StdAtomicWait";

  void set(std::uint32_t number) {
    number_.store(number, std::memory_order_release);
    number_.notify_one();
  }
  void wait_for(std::uint32_t number) {
    for (;;) {
      const std::uint32_t seen = number_.load(std::memory_order_acquire);
      if (seen >= number) return;
      number_.wait(seen, std::memory_order_acquire);
    }
  }

 private:
  alignas(128) std::atomic<std::uint32_t> number_{0};
};

class ConditionVariableSignal {
 public:
  static constexpr const char* kName = "ConditionVariable";

  void set(std::uint32_t number) {
    {
      const std::lock_guard lock(mutex_);
      number_ = number;
    }
    condition_.notify_one();
  }
  void wait_for(std::uint32_t number) {
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [&] { return number_ >= number; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  std::uint32_t number_ = 0;
};

class EventfdSignal {
 public:
  static constexpr const char* kName = "Eventfd";

  EventfdSignal() : descriptor_(eventfd(0, EFD_CLOEXEC)) { check(descriptor_); }
  EventfdSignal(const EventfdSignal&) = delete;
  EventfdSignal& operator=(const EventfdSignal&) = delete;
  ~EventfdSignal() { close(descriptor_); }

  void set(std::uint32_t number) {
    check(eventfd_write(descriptor_, number - set_));
    set_ = number;
  }
  void wait_for(std::uint32_t number) {
    while (seen_ < number) {
      eventfd_t more = 0;
      check(eventfd_read(descriptor_, &more));
      seen_ += more;
    }
  }

 private:
  static void check(int result) {
    if (result < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  const int descriptor_;
  std::uint32_t set_ = 0;  // by the thread that sets
  eventfd_t seen_ = 0;     // by the thread that waits
};

/// Numbers through a queue whose consumer can sleep.
template <class Queue>
class QueueSignal {
 public:
  static constexpr const char* kName = Queue::kName;

  void set(std::uint32_t number) {
    if constexpr (requires { queue_.push(number); }) {
      queue_.push(number);
    } else {
      while (!queue_.try_push(number)) detail::cpu_pause();
    }
  }
  void wait_for(std::uint32_t number) {
    while (seen_ < number) queue_.pop(seen_);
  }

 private:
  Queue queue_{64};
  std::uint32_t seen_ = 0;
};

}  // namespace forebay::bench::peers
