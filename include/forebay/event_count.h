// SPDX-License-Identifier: Apache-2.0
#pragma once

// EventCount: how one thread sleeps until a condition holds, at no cost to those who make it true.
//
//     EventCount data;                                   // waiter: the consumer
//     data.await([&] { return queue.front() != nullptr; });  // consumer
//     queue.try_push(item); data.notify();                   // producer
//
// Thread roles: one waiter at a time; any number of notifiers.
//
// Ordering: whatever a notifier wrote before notify() is seen by the waiter's condition, or the
// waiter is woken. notify() is a load behind a compiler barrier while nobody waits; the thread that
// is about to park pays with a membarrier. What the condition reads must itself be published with
// release and read with acquire: the event count orders the sleep, not the data.
//
// Destruction: no waiter may be inside, and every notify() must have returned.
//
// When not to use: for more than one waiter at a time, or between processes.

#include <chrono>
#include <cstdint>
#include <stop_token>

#include "forebay/deadline.h"
#include "forebay/detail/assert.h"
#include "forebay/detail/atomic.h"

namespace forebay {

/// How a wait ended.
enum class WaitStatus : std::uint8_t {
  ready,      ///< the condition holds
  timed_out,  ///< the deadline passed first
  stopped,    ///< stop was requested first
};

/// What one side's waits came to.
struct WaitStats {
  std::uint64_t waits = 0;           ///< times the waiter found nothing and had to wait
  std::uint64_t parks = 0;           ///< of these, times it went to sleep in the kernel
  std::uint64_t spurious_wakes = 0;  ///< woke and the condition did not hold
  std::uint64_t waited_ns = 0;       ///< nanoseconds spent waiting, beyond the first few looks
};

/// One waiter, any number of notifiers: see the head of this file. `P` is the policy; use
/// EventCount.
template <class P>
class BasicEventCount {
 public:
  /// What arm() takes.
  using Callback = void (*)(void* context);

  /// `spin_ns_max`: longest time to spin before parking; 0 parks at once. The window actually used
  /// adapts: waits that end while spinning open it, waits that sleep close it, and on one CPU it is
  /// zero.
  explicit BasicEventCount(std::uint32_t spin_ns_max = kSpinNsMaxDefault) noexcept
      : spin_ns_max_(P::kCanSpin && detail::usable_cpu_count() > 1 ? spin_ns_max : 0),
        spin_ns_(spin_ns_max_) {}

  BasicEventCount(const BasicEventCount&) = delete;
  BasicEventCount& operator=(const BasicEventCount&) = delete;
  ~BasicEventCount() {
    FOREBAY_ASSERT(word_.load(detail::relaxed) != kParked,
                   "an EventCount was destroyed while a thread waits on it");
  }

  /// Longest spin before a wait parks, in nanoseconds.
  static constexpr std::uint32_t kSpinNsMaxDefault = 20'000;

  /// Wakes the waiter, or runs its armed callback, if there is one.
  /// Thread role: any. Blocking: wait-free; one system call, and only when somebody waits.
  void notify() noexcept {
    P::light_barrier();  // (L1) pairs with heavy barrier (H1): the caller's writes before the look.
    // Relaxed: only a hint whether to take the slow path; (L1) orders it.
    if (word_.load(detail::relaxed) != kIdle) [[unlikely]]
      notify_slow();
  }

  /// notify(), but only if `worthwhile()` holds when somebody waits: for a notifier that knows when
  /// a wake would be too early, and will notify again. Thread role and blocking as notify().
  template <class Worthwhile>
  void notify_if(Worthwhile&& worthwhile) noexcept {
    P::light_barrier();  // (L1) pairs with heavy barrier (H1): the caller's writes before the look.
    if (word_.load(detail::relaxed) != kIdle && worthwhile()) [[unlikely]]
      notify_slow();
  }

  /// Whether somebody waits or has a callback armed. A hint: may be stale by the time it returns.
  [[nodiscard]] bool has_waiter() const noexcept { return word_.load(detail::relaxed) != kIdle; }

  /// Waits until `condition()` holds. Thread role: the waiter. Blocking: until the condition holds,
  /// the deadline passes, or stop is requested. A condition that holds wins over both.
  template <class Condition>
  WaitStatus await(Condition&& condition, Deadline deadline = Deadline::never(),
                   const std::stop_token& stop = {}) {
    if (condition()) return WaitStatus::ready;
    if (stop.stop_requested()) return WaitStatus::stopped;
    if (deadline.passed()) return WaitStatus::timed_out;
    count(waits_);
    const std::uint32_t window_ns = spin_window_ns();
    // Most waits of a busy stream end within a few looks: these do not pay for a clock.
    if (window_ns != 0 && look(condition)) {
      spin_ns_ = spin_ns_max_;
      return WaitStatus::ready;
    }
    const auto began = Deadline::clock::now();
    WaitStatus status = WaitStatus::ready;
    if (spin(condition, began + std::chrono::nanoseconds(window_ns))) {
      spin_ns_ = spin_ns_max_;
    } else {
      spin_ns_ /= 2;
      if (stop.stop_possible()) {
        std::stop_callback on_stop(stop, [this] { notify(); });
        status = park(condition, deadline, stop);
      } else {
        status = park(condition, deadline, stop);
      }
    }
    const std::chrono::nanoseconds waited = Deadline::clock::now() - began;
    count(waited_ns_, static_cast<std::uint64_t>(waited.count()));
    return status;
  }

  /// Arms a one-shot callback: the next notify() runs it, on the notifier's thread, unless
  /// `condition()` holds already, in which case nothing is armed and false is returned.
  /// Thread role: the waiter, who may not wait while a callback is armed (see disarm()).
  /// The callback must not block, throw, or call back into this object.
  template <class Condition>
  [[nodiscard]] bool arm(Callback callback, void* context, Condition&& condition) {
    callback_ = callback;
    context_ = context;
    // (C1) release store, synchronizes-with the acquire exchange (C2): publishes the callback.
    word_.store(kArmed, detail::release);
    P::heavy_barrier();  // (H1) pairs with the light barrier (L1): armed before the last look.
    if (!condition()) return true;
    return !disarm();
  }

  /// Takes an armed callback back. False when it has run or is about to.
  bool disarm() noexcept {
    std::uint32_t expected = kArmed;
    // Relaxed: on success nobody else read what arm() wrote; on failure the callback belongs to
    // the notifier.
    return word_.compare_exchange_strong(expected, kIdle, detail::relaxed, detail::relaxed);
  }

  /// Thread role: any; a snapshot that may lag.
  [[nodiscard]] WaitStats stats() const noexcept {
    return {waits_.load(detail::relaxed), parks_.load(detail::relaxed),
            spurious_wakes_.load(detail::relaxed), waited_ns_.load(detail::relaxed)};
  }

 private:
  using Counter = typename P::template atomic<std::uint64_t>;

  // Relaxed: one writer, and readers that want no more than a figure.
  static void count(Counter& counter, std::uint64_t by = 1) noexcept {
    counter.store(counter.load(detail::relaxed) + by, detail::relaxed);
  }

  static constexpr std::uint32_t kIdle = 0;    // nobody waits
  static constexpr std::uint32_t kParked = 1;  // a thread sleeps, or is about to
  static constexpr std::uint32_t kArmed = 2;   // a callback waits

  static constexpr std::uint64_t kWaitsPerTry = 32;  // of the closed window
  static constexpr int kLooks = 16;                  // between two looks at the clock

  void notify_slow() noexcept {
    // (C2) acquire exchange, synchronizes-with the release store (C1): sees the armed callback.
    // The exchange makes exactly one notifier responsible for a waiter.
    switch (word_.exchange(kIdle, detail::acquire)) {
      case kParked:
        P::futex_wake(word_);
        break;
      case kArmed: {
        // The waiter may arm again as soon as the exchange is done, but only after this callback
        // told it so: the two fields are this thread's until then.
        const Callback callback = callback_;
        void* const context = context_;
        callback(context);
      } break;
      default:
        break;
    }
  }

  template <class Condition>
  WaitStatus park(Condition& condition, Deadline deadline, const std::stop_token& stop) {
    count(parks_);
    for (bool woken = false;; woken = true) {
      // Who was woken looks first, so that only one who has to sleep again pays for the barrier.
      if (woken && condition()) {
        word_.store(kIdle, detail::relaxed);  // As below.
        return WaitStatus::ready;
      }
      // Relaxed: (H1) orders it before the condition's reads.
      word_.store(kParked, detail::relaxed);
      P::heavy_barrier();  // (H1) pairs with the light barrier (L1): flag before the last look.
      const bool ready = condition();
      const bool stopped = !ready && stop.stop_requested();
      if (ready || stopped) {
        // Relaxed: a notifier that comes now finds nobody, or wakes a word on which nobody sleeps.
        word_.store(kIdle, detail::relaxed);
        return ready ? WaitStatus::ready : WaitStatus::stopped;
      }
      if (woken) count(spurious_wakes_);
      if (!P::futex_wait(word_, kParked, deadline)) {
        word_.store(kIdle, detail::relaxed);
        return condition() ? WaitStatus::ready : WaitStatus::timed_out;
      }
    }
  }

  // Spinning pays where the wait is shorter than a sleep and a wake. How long the gap was cannot be
  // told from how long a wait took that slept; whether spinning would have done can. So the window
  // is full while it does, and halves with each sleep. Closed, it is tried now and then, so that
  // gaps that have become short are noticed.
  [[nodiscard]] std::uint32_t spin_window_ns() const noexcept {
    const bool tries = spin_ns_ == 0 && waits_.load(detail::relaxed) % kWaitsPerTry == 0;
    return tries ? spin_ns_max_ : spin_ns_;
  }

  template <class Condition>
  static bool look(Condition& condition) {
    for (int i = 0; i < kLooks; ++i) {
      detail::cpu_pause();
      if (condition()) return true;
    }
    return false;
  }

  template <class Condition>
  static bool spin(Condition& condition, Deadline::time_point until) {
    while (Deadline::clock::now() < until) {
      if (look(condition)) return true;
    }
    return false;
  }

  alignas(detail::kInterferenceBytes) typename P::futex_word word_{kIdle};
  Callback callback_ = nullptr;  // the waiter's, given to the notifier by (C1)
  void* context_ = nullptr;
  // The waiter's own, on a line that notifiers do not read.
  alignas(detail::kInterferenceBytes) Counter waits_{0};
  Counter parks_{0};
  Counter spurious_wakes_{0};
  Counter waited_ns_{0};
  const std::uint32_t spin_ns_max_;
  std::uint32_t spin_ns_;  // the window, in nanoseconds
};

using EventCount = BasicEventCount<detail::SystemPolicy>;

}  // namespace forebay
