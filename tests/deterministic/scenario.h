// SPDX-License-Identifier: Apache-2.0
#pragma once

// What is run under the scheduler: small programs over the library's public classes, each with the
// laws that it must keep. Everything in them is decided by the seed.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <utility>
#include <vector>

#include "forebay/deadline.h"
#include "memory.h"
#include "random.h"
#include "scheduler.h"

namespace forebay::deterministic {

struct Scenario {
  const char* name;
  void (*run)(Random& random);
};

// Unit-sized.
void run_queue(Random& random);
void run_event_count(Random& random);
void run_epochs(Random& random);
void run_pool(Random& random);
void run_stream(Random& random);
void run_stream_ends(Random& random);
// Whole sessions.
void run_session(Random& random);

/// What the sessions came to, so that it can be seen that they are of every kind.
struct Outcomes {
  std::uint64_t refused = 0;  ///< no receiver could be made
  std::uint64_t finished = 0;
  std::uint64_t failed = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t left = 0;  ///< the reader went early
  std::uint64_t bytes = 0;
};
inline Outcomes g_outcomes;

/// A fiber, joined at the end of its life.
class Task {
 public:
  Task(const char* name, std::function<void()> body)
      : fiber_(Scheduler::running()->spawn(name, std::move(body))) {}
  Task(Task&& other) noexcept : fiber_(std::exchange(other.fiber_, kNone)) {}
  Task& operator=(Task&&) = delete;
  ~Task() { join(); }
  void join() {
    if (fiber_ != kNone) Scheduler::running()->join(std::exchange(fiber_, kNone));
  }

 private:
  static constexpr std::size_t kNone = SIZE_MAX;
  std::size_t fiber_;
};

/// Things that one fiber gives to another, as through a queue under a lock.
template <class T>
class Mailbox {
 public:
  void put(T thing) {
    Scheduler& scheduler = *Scheduler::running();
    scheduler.step("put", Site::current());
    scheduler.drain();
    things_.push_back(std::move(thing));
    scheduler.wake(this);
  }
  void close() {
    Scheduler& scheduler = *Scheduler::running();
    scheduler.drain();
    closed_ = true;
    scheduler.wake(this);
  }
  /// Waits for a thing; false when there will be no more. They come in any order.
  bool take(T& out) {
    Scheduler& scheduler = *Scheduler::running();
    scheduler.step("take", Site::current());
    while (things_.empty()) {
      if (closed_) return false;
      scheduler.wait(this, "take", Site::current());
    }
    scheduler.drain();
    std::swap(things_[scheduler.random().below(things_.size())], things_.back());
    out = std::move(things_.back());
    things_.pop_back();
    return true;
  }

 private:
  std::vector<T> things_;
  bool closed_ = false;
};

/// A one-shot callback of the library and who waits for it, as in a reactor. A callback that was
/// left armed may come later, and then changes nothing.
class Callback {
 public:
  /// Whether it is still to come; until then it cannot be armed again.
  [[nodiscard]] bool is_pending() const noexcept { return !called_; }
  /// `arm_with(function, context)` arms it, or says that there is nothing to wait for.
  template <class ArmWith>
  [[nodiscard]] bool arm(ArmWith&& arm_with) {
    called_ = false;
    if (!arm_with(&Callback::call, this)) called_ = true;
    return is_pending();
  }
  void await(const char* what) {
    while (is_pending()) Scheduler::running()->wait(this, what, Site::current());
  }

 private:
  static void call(void* context) {
    Scheduler::running()->drain();
    static_cast<Callback*>(context)->called_ = true;
    Scheduler::running()->wake(context);
  }
  bool called_ = true;
};

inline void yield(const Site& site = Site::current()) { Scheduler::running()->yield(site); }

/// The callbacks run as one step: the library's stop tokens take fibers of one thread for one.
inline void request_stop(std::stop_source& source) {
  Scheduler::running()->step("stop", Site::current());
  const Freeze freeze;
  source.request_stop();
}

/// A deadline within `most` nanoseconds, or now and then in the past.
inline Deadline some_deadline(Random& random, std::size_t most) {
  return Deadline::after(std::chrono::nanoseconds(random.one_in(8) ? 0 : random.up_to(most)));
}

/// The byte at a place of a stream of that number.
inline std::byte byte_at(std::uint64_t stream, std::uint64_t place) noexcept {
  const std::uint64_t mixed = (place + stream * 0x9E3779B97F4A7C15U) * 0xD6E8FEB86659FD93U;
  return static_cast<std::byte>(mixed >> 56);
}

}  // namespace forebay::deterministic
