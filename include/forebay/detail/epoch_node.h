// SPDX-License-Identifier: Apache-2.0
#pragma once

// One epoch: who holds it, and what waits for them to go. See forebay/epoch.h for how epochs form a
// chain; a guard is either one of the node's count, or the one on its seat.

#include <cstddef>
#include <cstdint>

#include "forebay/detail/atomic.h"
#include "forebay/retirable.h"

namespace forebay::detail {

/// Somebody who wants to hear of dropped guards; outlives every guard of its domain.
template <class P>
struct DropWatch {
  typename P::template atomic<std::uint32_t> armed{0};
  typename P::template atomic<std::uint64_t> drops{0};
};

template <class P>
struct EpochNode {
  /// What P::this_thread() gives, or kNoThread.
  using Thread = std::uintptr_t;
  static constexpr Thread kNoThread = 0;
  // What the seat holds in place of the thread for which it is free.
  static constexpr Thread kTaken = 1;
  static constexpr Thread kLeaving = 2;

  // Added while the node is open, so that the count cannot come to zero.
  static constexpr std::int64_t kOpen = std::int64_t{1} << 41;
  // What a living predecessor counts: more than there can be guards, so that they can be told
  // apart.
  static constexpr std::int64_t kPredecessor = std::int64_t{1} << 40;

  EpochNode(std::int64_t initial, DropWatch<P>* drop_watch) noexcept
      : count(initial), watch(drop_watch) {}

  /// Leaves an object to be reclaimed with this node. Issuer, while the node is open.
  void append(Retirable* object) noexcept {
    object->next_retired = retired;
    retired = object;
  }

  /// As append(), but the object is reclaimed after all that was left in the node before.
  void append_last(Retirable* object) noexcept {
    Retirable** end = &retired;
    while (*end != nullptr) end = &(*end)->next_retired;
    object->next_retired = nullptr;
    *end = object;
  }

  /// Makes `thread` the one that may take the seat and leave it. Issuer, while the node is open and
  /// no guard has the seat.
  void give_seat(Thread thread) noexcept {
    // Relaxed, both: whoever leaves the seat has its guard from the issuer.
    seat_owner.store(thread, relaxed);
    seat.store(thread, relaxed);
  }

  /// A guard that took the seat leaves it, on the thread `owner` that took it. False, with nothing
  /// done, when the seat was taken away: then the guard is one of those that are counted.
  [[nodiscard]] bool leave_seat(Thread owner) noexcept {
    seat.store(kLeaving, relaxed);  // Relaxed: ordered by (E5).
    // (E5) light barrier, pairs with heavy barrier (E6): leaving before the look at the owner.
    P::light_barrier(kAsymmetric);
    if (seat_owner.load(relaxed) == owner) [[likely]] {
      // (E7) release store, synchronizes-with acquire load (E8): what the holder did comes before
      // what the issuer does when it finds the seat free. The last access: the node may be gone.
      seat.store(owner, release);
      return true;
    }
    seat.store(kTaken, relaxed);  // Relaxed: only ends a wait for it; (E2) orders the drop.
    return false;
  }

  /// Takes the seat away from its owner. Issuer, on any thread; whether a guard has the seat stays
  /// as it is from then on.
  void take_seat_away() noexcept {
    seat_owner.store(kNoThread, relaxed);  // Relaxed: ordered by (E6).
    // (E6) heavy barrier, pairs with light barrier (E5): the owner before the look at the seat.
    P::heavy_barrier();
    // Relaxed: the issuer looks once more, with (E8). Whoever leaves now has seen an owner, or
    // sees none and puts back what it found: a few instructions either way.
    while (seat.load(relaxed) == kLeaving) P::yield();
  }

  /// Gives `held` references back. Whoever brings a closed node to zero reclaims the chain as far
  /// as it is free.
  static void drop(EpochNode* node, std::int64_t held) noexcept {
    if (node->let_go(held)) [[unlikely]]
      reclaim_chain(node);
  }
  /// Whether nobody holds the node any more.
  [[nodiscard]] bool let_go(std::int64_t held) noexcept {
    // (E2) acq_rel subtraction, synchronizes-with itself, (E3) and (E4): what the holders did comes
    // before the reclaiming, and the last one sees what was left in the node.
    return count.fetch_sub(held, acq_rel) == held;
  }
  [[gnu::noinline]] static void reclaim_chain(EpochNode* node) noexcept {
    do {
      EpochNode* const next = node->next;
      node->reclaim_all();
      delete node;
      node = next;
    } while (node != nullptr && node->let_go(kPredecessor));
  }

  void reclaim_all() noexcept {
    while (retired != nullptr) {
      Retirable* const object = retired;
      retired = object->next_retired;
      object->reclaim(object);
    }
  }

  // What one thread writes all the time stands a cache line apart from what others write, wherever
  // the node begins: no allocator is asked for a line of its own.
  static constexpr std::size_t kApartBytes = 48;  // a line of 64 at the alignment of operator new

  // Written by the issuer before the node is closed by (E3), read after the count came to zero.
  EpochNode* next = nullptr;
  Retirable* retired = nullptr;
  std::byte apart_before_[kApartBytes - 2 * sizeof(void*)];
  // Free for its owner, taken or being left. Belongs to the issuer while it is free, else to the
  // guard that took it.
  typename P::template atomic<Thread> seat{kNoThread};
  typename P::template atomic<Thread> seat_owner{kNoThread};
  std::byte apart_behind_[kApartBytes];
  // Guards that were not dropped where the issuer counts them, kPredecessor for a living
  // predecessor, and kOpen while open.
  typename P::template atomic<std::int64_t> count;
  DropWatch<P>* const watch;
};

#ifndef FOREBAY_POLICY_HEADER  // Atomics that check themselves are larger.
static_assert(offsetof(EpochNode<SystemPolicy>, seat) == EpochNode<SystemPolicy>::kApartBytes &&
              sizeof(EpochNode<SystemPolicy>) == 128);
#endif

}  // namespace forebay::detail
