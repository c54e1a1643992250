// SPDX-License-Identifier: Apache-2.0
#pragma once

// A counted credit that many threads take from and give to. Taking is one compare-and-swap while
// there is enough and nobody waits. Who must wait is queued, and is granted its credit in order by
// whoever gives some back: a grant cannot be lost, since a waiter that times out either finds
// itself granted or leaves the queue, both under the lock.

#include <cstddef>
#include <cstdint>
#include <mutex>

#include "forebay/detail/atomic.h"
#include "forebay/detail/stream_shared.h"

namespace forebay::detail {

template <class P>
class CreditGate {
 public:
  explicit CreditGate(std::int64_t credit) noexcept : credit_(credit) {}
  CreditGate(const CreditGate&) = delete;
  CreditGate& operator=(const CreditGate&) = delete;

  /// Thread role: any. Lock-free.
  [[nodiscard]] bool try_take(std::int64_t amount) noexcept {
    // Relaxed: a hint; who waits is served under the lock.
    return waiters_.load(relaxed) == 0 && subtract(amount);
  }

  struct Taken {
    WaitStatus status;  // ready: the credit was taken, or `instead` holds
    bool granted;       // whether the credit was taken
  };

  /// Waits until the credit was taken or `instead()` holds; who makes it hold notifies `event`,
  /// whose waiter the caller is. Thread role: any. Blocking: as `wait` allows.
  template <class Instead>
  [[nodiscard]] Taken take(std::int64_t amount, const Wait& wait, BasicEventCount<P>& event,
                           Instead&& instead) {
    if (try_take(amount)) return {WaitStatus::ready, true};
    if (!wait.allowed) return {WaitStatus::timed_out, false};
    Waiter waiter{amount, event};
    {
      const std::lock_guard lock(mutex_);
      enqueue(waiter);
      P::heavy_barrier();  // (G1) pairs with the light barrier (G2): queued before the last look.
      grant();
    }
    // Relaxed: what counts is read under the lock, below.
    const WaitStatus status = event.await(
        [&] { return waiter.granted.load(relaxed) != 0 || instead(); }, wait.deadline, wait.stop);
    const std::lock_guard lock(mutex_);
    if (waiter.granted.load(relaxed) != 0) return {WaitStatus::ready, true};
    dequeue(waiter);
    grant();  // Who stood behind a large wish may be served now.
    return {status, false};
  }

  /// Thread role: any. Takes the lock only when somebody waits.
  void give(std::int64_t amount) noexcept {
    // Relaxed: a number; (G2) orders it before the look for waiters, and the memory that it stands
    // for is handed over by the free list.
    credit_.fetch_add(amount, relaxed);
    P::light_barrier();  // (G2) pairs with the heavy barrier (G1): given before the look.
    if (waiters_.load(relaxed) == 0) return;
    const std::lock_guard lock(mutex_);
    grant();
  }

  /// Thread role: any; a snapshot.
  [[nodiscard]] std::int64_t available() const noexcept { return credit_.load(relaxed); }

 private:
  struct Waiter {
    const std::int64_t amount;
    BasicEventCount<P>& event;
    typename P::template atomic<std::uint32_t> granted{0};
    Waiter* next = nullptr;
  };

  bool subtract(std::int64_t amount) noexcept {
    // Relaxed: a number, as in give().
    std::int64_t credit = credit_.load(relaxed);
    while (credit >= amount) {
      if (credit_.compare_exchange_weak(credit, credit - amount, relaxed, relaxed)) return true;
    }
    return false;
  }

  // All under the lock.
  void enqueue(Waiter& waiter) noexcept {
    Waiter** end = &first_;
    while (*end != nullptr) end = &(*end)->next;
    *end = &waiter;
    waiters_.store(waiters_.load(relaxed) + 1, relaxed);  // Relaxed: ordered by (G1).
  }
  void dequeue(Waiter& waiter) noexcept {
    Waiter** at = &first_;
    while (*at != &waiter) at = &(*at)->next;
    *at = waiter.next;
    waiters_.store(waiters_.load(relaxed) - 1, relaxed);  // Relaxed: a hint.
  }
  void grant() noexcept {
    while (first_ != nullptr && subtract(first_->amount)) {
      Waiter& waiter = *first_;
      dequeue(waiter);
      waiter.granted.store(1, relaxed);  // Relaxed: ordered by the lock.
      // The waiter cannot be gone yet: it takes the lock before it leaves.
      waiter.event.notify();
    }
  }

  alignas(kInterferenceBytes) typename P::template atomic<std::int64_t> credit_;
  typename P::template atomic<std::uint32_t> waiters_{0};
  typename P::mutex mutex_;
  Waiter* first_ = nullptr;
};

}  // namespace forebay::detail
