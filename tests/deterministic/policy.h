// SPDX-License-Identifier: Apache-2.0
#pragma once

// SchedulerPolicy: the seeded scheduler behind the seam of forebay/detail/atomic.h, which includes
// this header in the tests of this folder alone; include that one. The library's own bodies,
// compiled once more with it, run in that world.
//
// Atomics here are those of x86: a store is seen by others some steps after it was made, stores of
// one fiber in their order; a read-modify-write sees and is seen at once. The asymmetric barrier is
// played as what it is: its light half does nothing, its heavy half makes the stores of everybody
// be seen. Orders weaker than that of x86 are for the models.
//
// An object that is used after its end is a failure, as are a slot that is touched out of turn and
// a lock that ends while it is held.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "deterministic/faults.h"
#include "deterministic/scheduler.h"
#include "forebay/deadline.h"

namespace forebay::deterministic {

/// A mark that tells an object from the memory that it has left.
class Life {
 public:
  Life() noexcept : mark_(kAlive) {}
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;
  ~Life() { mark_ = kGone; }
  void check(const Site& site) const noexcept {
    require(mark_ == kAlive, "an object was used after its end", site);
  }

 private:
  static constexpr std::uint32_t kAlive = 0x600DF00D;
  static constexpr std::uint32_t kGone = 0xDEADDEAD;
  volatile std::uint32_t mark_;  // volatile: it is read when the object may be gone
};

/// std::atomic<T> as the templates use it; each operation also takes the line that called it.
template <class T>
class Atomic {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  using Order = std::memory_order;

 public:
  Atomic() noexcept : value_{} {}
  Atomic(T value) noexcept : value_(value) {}
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;
  ~Atomic() {
    if (Scheduler* const scheduler = Scheduler::running()) {
      scheduler->end_of_object(&value_, Site::current());
    }
  }

  T load(Order, Site site = Site::current()) const noexcept {
    if (Scheduler* const scheduler = enter("load", site)) {
      if (const void* const own = scheduler->buffered(&value_)) {
        T value;
        std::memcpy(&value, own, sizeof value);
        return value;
      }
    }
    return value_;
  }

  void store(T value, Order, Site site = Site::current()) noexcept {
    Scheduler* const scheduler = enter("store", site);
    if (scheduler == nullptr) {
      value_ = value;
      return;
    }
    switch (effect_at(site)) {
      case Effect::left_out:
        break;
      case Effect::late:
        scheduler->store_late(&value_, &value, sizeof value);
        break;
      default:
        scheduler->store(&value_, &value, sizeof value);
    }
  }

  T exchange(T value, Order, Site site = Site::current()) noexcept {
    return modify("exchange", site, [value](T) { return value; });
  }
  template <class D>
  T fetch_add(D by, Order, Site site = Site::current()) noexcept {
    return modify("fetch_add", site,
                  [by](T old) { return static_cast<T>(old + static_cast<T>(by)); });
  }
  template <class D>
  T fetch_sub(D by, Order, Site site = Site::current()) noexcept {
    return modify("fetch_sub", site,
                  [by](T old) { return static_cast<T>(old - static_cast<T>(by)); });
  }
  T fetch_or(T bits, Order, Site site = Site::current()) noexcept {
    return modify("fetch_or", site, [bits](T old) { return static_cast<T>(old | bits); });
  }
  T fetch_and(T bits, Order, Site site = Site::current()) noexcept {
    return modify("fetch_and", site, [bits](T old) { return static_cast<T>(old & bits); });
  }

  bool compare_exchange_strong(T& expected, T desired, Order, Order,
                               Site site = Site::current()) noexcept {
    return compare_exchange(expected, desired, 0, site);
  }
  bool compare_exchange_strong(T& expected, T desired, Order,
                               Site site = Site::current()) noexcept {
    return compare_exchange(expected, desired, 0, site);
  }
  bool compare_exchange_weak(T& expected, T desired, Order, Order,
                             Site site = Site::current()) noexcept {
    return compare_exchange(expected, desired, kFailsOnceIn, site);
  }
  bool compare_exchange_weak(T& expected, T desired, Order, Site site = Site::current()) noexcept {
    return compare_exchange(expected, desired, kFailsOnceIn, site);
  }

  /// What memory holds, without a step.
  [[nodiscard]] T newest() const noexcept { return value_; }

 private:
  static constexpr std::size_t kFailsOnceIn = 32;

  Scheduler* enter(const char* what, const Site& site) const noexcept {
    life_.check(site);
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) return nullptr;
    scheduler->step(what, site);
    life_.check(site);  // It may have ended while others ran.
    return scheduler;
  }

  template <class Change>
  T modify(const char* what, const Site& site, Change&& change) noexcept {
    Scheduler* const scheduler = enter(what, site);
    if (scheduler != nullptr) scheduler->drain();
    const T old = value_;
    const Effect effect = scheduler != nullptr ? effect_at(site) : Effect::as_written;
    if (effect != Effect::left_out) value_ = change(old);
    if (effect == Effect::twice) value_ = change(value_);
    return old;
  }

  bool compare_exchange(T& expected, T desired, std::size_t fails_once_in,
                        const Site& site) noexcept {
    Scheduler* const scheduler = enter("compare_exchange", site);
    if (scheduler != nullptr) {
      scheduler->drain();
      if (scheduler->random().one_in(fails_once_in)) {
        expected = value_;
        return false;
      }
    }
    if (value_ != expected) {
      expected = value_;
      return false;
    }
    value_ = desired;
    return true;
  }

  T value_;
  [[no_unique_address]] Life life_;
};

/// detail::PlainCell that knows whether it is full.
template <class T>
class Cell {
 public:
  void put(T&& value) noexcept {
    require(!std::exchange(full_, true), "a slot was written that is not empty");
    ::new (static_cast<void*>(storage_)) T(std::move(value));
  }
  T& ref() noexcept {
    require(full_, "a slot was read that is empty");
    return *std::launder(reinterpret_cast<T*>(storage_));
  }
  void destroy() noexcept {
    std::destroy_at(&ref());
    full_ = false;
  }

 private:
  bool full_ = false;
  alignas(T) std::byte storage_[sizeof(T)];
};

class Mutex {
 public:
  Mutex() noexcept = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  ~Mutex() { require(!locked_, "a lock ended while it was held"); }

  void lock(Site site = Site::current()) {
    life_.check(site);
    if (Scheduler* const scheduler = Scheduler::running()) {
      scheduler->step("lock", site);
      while (locked_) scheduler->wait(this, "lock", site);
      scheduler->drain();
    }
    locked_ = true;
  }
  void unlock(Site site = Site::current()) noexcept {
    life_.check(site);
    require(locked_, "a lock was opened that is not held", site);
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler != nullptr) scheduler->drain();
    locked_ = false;
    if (scheduler == nullptr) return;
    scheduler->wake(this);
    scheduler->step("unlock", site);
  }

 private:
  bool locked_ = false;
  Life life_;
};

/// std::thread as the library uses it.
class Thread {
 public:
  Thread() noexcept = default;
  template <class F>
  explicit Thread(F&& body) : fiber_(begin(std::function<void()>(std::forward<F>(body)))) {}
  Thread(Thread&& other) noexcept : fiber_(std::exchange(other.fiber_, kNone)) {}
  Thread& operator=(Thread&& other) noexcept {
    require(!joinable(), "a thread was given up that nobody has joined");
    fiber_ = std::exchange(other.fiber_, kNone);
    return *this;
  }
  ~Thread() { require(!joinable(), "a thread ended its life that nobody has joined"); }

  [[nodiscard]] bool joinable() const noexcept { return fiber_ != kNone; }
  void join() { Scheduler::running()->join(std::exchange(fiber_, kNone)); }

  /// How often a thread is refused: once in so many times; 0: never.
  static inline std::size_t refused_once_in = 0;

 private:
  static constexpr std::size_t kNone = SIZE_MAX;
  // Throws std::system_error when it is refused.
  static std::size_t begin(std::function<void()> body);
  std::size_t fiber_ = kNone;
};

struct SchedulerPolicy {
  template <class T>
  using atomic = Atomic<T>;
  template <class T>
  using cell = Cell<T>;
  using mutex = Mutex;
  using thread = Thread;
  using futex_word = Atomic<std::uint32_t>;

  static void light_barrier(Site site = Site::current()) noexcept {
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) return;
    scheduler->step("light barrier", site);
    if (effect_at(site) != Effect::left_out && !scheduler->asymmetric_barriers()) {
      scheduler->drain();
    }
  }
  static bool asymmetric() noexcept {
    Scheduler* const scheduler = Scheduler::running();
    return scheduler != nullptr && scheduler->asymmetric_barriers();
  }
  static void light_barrier(detail::Asymmetric, Site site = Site::current()) noexcept {
    if (Scheduler* const scheduler = Scheduler::running()) scheduler->step("light barrier", site);
  }
  static void heavy_barrier(Site site = Site::current()) noexcept {
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) return;
    scheduler->step("heavy barrier", site);
    if (effect_at(site) == Effect::left_out) return;
    if (scheduler->asymmetric_barriers()) {
      scheduler->drain_all();
    } else {
      scheduler->drain();
    }
  }

  static bool futex_wait(futex_word& word, std::uint32_t expected, Deadline deadline,
                         Site site = Site::current()) noexcept {
    Scheduler* const scheduler = Scheduler::running();
    require(scheduler != nullptr, "a wait outside of a run", site);
    scheduler->step("futex wait", site);
    scheduler->drain();
    // The comparison and the falling asleep are one step, as in the kernel.
    if (word.newest() != expected) return true;
    const Time until = deadline.is_never() ? kNever : time_of(deadline);
    if (until <= scheduler->now()) return false;
    return scheduler->wait(&word, "futex wait", site, until, true) == Woken::by_other;
  }
  static void futex_wake(futex_word& word, Site site = Site::current()) noexcept {
    Scheduler* const scheduler = Scheduler::running();
    if (scheduler == nullptr) return;
    scheduler->step("futex wake", site);
    if (effect_at(site) != Effect::left_out) scheduler->wake(&word);
  }

  static constexpr bool kCanSpin = true;
  static void yield(Site site = Site::current()) noexcept {
    if (Scheduler* const scheduler = Scheduler::running()) scheduler->yield(site);
  }
  static std::uintptr_t this_thread() noexcept {
    Scheduler* const scheduler = Scheduler::running();
    return 64 * (1 + (scheduler != nullptr ? 1 + scheduler->current() : 0));
  }

  static Time time_of(Deadline deadline) noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(deadline.when().time_since_epoch())
        .count();
  }
};

}  // namespace forebay::deterministic

namespace forebay::detail {
using SystemPolicy = deterministic::SchedulerPolicy;
}
