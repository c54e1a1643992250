// SPDX-License-Identifier: Apache-2.0
#pragma once

// EpochDomain: memory that one thread hands out and takes back, held as long as anybody looks at
// it.
//
//     Guard guard = domain.pin();      // issuer: nothing retired from now on is reclaimed
//     domain.retire(&object);          // issuer: reclaim when no older guard lives
//     guard = {};                      // any thread: the last one reclaims, here and now
//
// How it works: epochs are a chain of nodes, each with a count. The issuer pins in the newest node;
// that is an addition to a plain counter of its own. Retiring while a guard lives closes the newest
// node: the object is left in it, a new node is linked behind it, and the plain counter is added to
// the node's count in one step. A node's count also holds one for its predecessor, so nodes come to
// zero in order; whoever brings a node to zero reclaims what was left in it and then lets go of the
// next. There is no scan, no grace period, no registration of threads, and no drop that another
// thread would have to notice: the count decides who is last.
//
// Thread roles: pin() and retire() by one issuer at a time (calls may move between threads when the
// caller orders the move); copies and drops of guards by any thread.
//
// Ordering: what a thread did before it dropped a guard happens before the reclaiming of anything
// that the guard held back.
//
// Progress: pin() is wait-free, a drop is one read-modify-write; the last drop also reclaims.
//
// Destruction: guards may outlive the domain; what they hold back is reclaimed when they go.
//
// When not to use: when several threads must pin or retire at once; that needs a general scheme.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "forebay/detail/atomic.h"
#include "forebay/error.h"

namespace forebay {

/// What can be retired: a base of the object, or a member of it. `reclaim` must not throw; it runs
/// on the thread that drops the last guard, or inside retire(), and may free the object.
struct Retirable {
  /// The domain's own, from retire() on.
  Retirable* next_retired = nullptr;
  /// Called once, when nobody can look at the object any more.
  void (*reclaim)(Retirable*) noexcept = nullptr;
};

namespace detail {

/// Somebody who wants to hear of dropped guards; outlives every guard of its domain.
template <class P>
struct DropWatch {
  typename P::template atomic<std::uint32_t> armed{0};
  typename P::template atomic<std::uint64_t> drops{0};
};

template <class P>
struct EpochNode {
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

  /// Gives `held` references back. Whoever brings a closed node to zero reclaims the chain as far
  /// as it is free.
  static void drop(EpochNode* node, std::int64_t held) noexcept {
    // (E2) acq_rel subtraction, synchronizes-with itself, (E3) and (E4): what the holders did comes
    // before the reclaiming, and the last one sees what was left in the node.
    while (node != nullptr && node->count.fetch_sub(held, acq_rel) == held) {
      EpochNode* const next = node->next;
      node->reclaim_all();
      delete node;
      node = next;
      held = kPredecessor;
    }
  }

  void reclaim_all() noexcept {
    while (retired != nullptr) {
      Retirable* const object = retired;
      retired = object->next_retired;
      object->reclaim(object);
    }
  }

  // Guards that were not dropped where the issuer counts them, kPredecessor for a living
  // predecessor, and kOpen while open.
  typename P::template atomic<std::int64_t> count;
  DropWatch<P>* const watch;
  // Written by the issuer before the node is closed by (E3), read after the count came to zero.
  EpochNode* next = nullptr;
  Retirable* retired = nullptr;
};

}  // namespace detail

/// Keeps what was readable when it was pinned, and all that became readable later. A handle: copies
/// hold as long as the original. May be moved, copied and dropped on any thread; one Guard object
/// may not be used by two threads at once. Dropping the last one reclaims, on that thread.
template <class P>
class BasicGuard {
 public:
  BasicGuard() noexcept = default;
  /// A copy holds as long as the original. One relaxed addition.
  BasicGuard(const BasicGuard& other) noexcept : node_(other.node_) {
    // Relaxed: the copied guard keeps the node alive, and its drop orders what came before.
    if (node_ != nullptr) node_->count.fetch_add(1, detail::relaxed);
  }
  /// Takes the hold over.
  BasicGuard(BasicGuard&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  /// Drops its own hold, and takes the other.
  BasicGuard& operator=(BasicGuard other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~BasicGuard() { reset(); }

  /// Drops the guard now.
  void reset() noexcept {
    if (node_ == nullptr) return;
    detail::DropWatch<P>* const watch = node_->watch;
    // Relaxed: only restarts a clock. Before the drop, since the watch may be gone after it.
    if (watch != nullptr && watch->armed.load(detail::relaxed) != 0) [[unlikely]] {
      watch->drops.fetch_add(1, detail::relaxed);
    }
    detail::EpochNode<P>::drop(std::exchange(node_, nullptr), 1);
  }

  /// Whether the guard holds anything.
  [[nodiscard]] explicit operator bool() const noexcept { return node_ != nullptr; }

 private:
  template <class>
  friend class BasicEpochDomain;
  explicit BasicGuard(detail::EpochNode<P>* node) noexcept : node_(node) {}
  detail::EpochNode<P>* node_ = nullptr;
};

/// The issuer: see the head of this file. `P` is the policy; use EpochDomain.
template <class P>
class BasicEpochDomain {
  using Node = detail::EpochNode<P>;

 public:
  /// What pin() gives.
  using Guard = BasicGuard<P>;
  /// Guards that may live at once for one epoch, unless said otherwise.
  static constexpr std::size_t kGuardsMaxDefault = std::size_t{1} << 20;

  /// `guards_max`: guards that may live at once for one epoch, which is the time between two
  /// objects retired under a guard. Throws std::bad_alloc.
  explicit BasicEpochDomain(std::size_t guards_max = kGuardsMaxDefault,
                            detail::DropWatch<P>* watch = nullptr)
      : open_(new Node(Node::kOpen, watch)),
        guards_max_(static_cast<std::int64_t>(
            std::min<std::uint64_t>(guards_max, Node::kPredecessor - 1))) {}

  BasicEpochDomain(const BasicEpochDomain&) = delete;
  BasicEpochDomain& operator=(const BasicEpochDomain&) = delete;
  ~BasicEpochDomain() {
    if (open_ != nullptr) close(open_, nullptr);
  }

  /// Pins the present epoch. Thread role: issuer. Wait-free.
  /// Throws LimitExceeded at guards_max; nothing has changed then.
  [[nodiscard]] Guard pin() {
    if (pins_ >= pins_max_) [[unlikely]]
      fold_pins();
    ++pins_;
    return Guard(open_);
  }

  /// Reclaims the object as soon as no guard pinned before this call lives: at once, when there is
  /// none. When memory for a node cannot be had, the object waits for a later retire() instead.
  /// Thread role: issuer.
  void retire(Retirable* object) noexcept {
    if (!held_back()) [[likely]] {
      open_->reclaim_all();
      object->reclaim(object);
      return;
    }
    open_->append(object);
    // Without memory the object stays in the open node.
    Node* const successor = new (std::nothrow) Node(Node::kOpen + Node::kPredecessor, open_->watch);
    if (successor != nullptr) close(std::exchange(open_, successor), successor);
  }

  /// As retire(), and nothing can be pinned or retired any more: for an object that everything
  /// retired before depends on, such as the domain's own home. Thread role: issuer.
  void retire_last(Retirable* object) noexcept {
    open_->append_last(object);
    close(std::exchange(open_, nullptr), nullptr);
  }

  /// Whether a guard lives, on this epoch or an older one. Thread role: issuer.
  [[nodiscard]] bool held_back() const noexcept {
    // (E4) acquire load, synchronizes-with the subtraction (E2): when nobody is left, what the
    // last holder did comes before the reclaiming.
    return open_->count.load(detail::acquire) + pins_ != Node::kOpen;
  }

 private:
  // Nobody can pin the node any more; its count becomes the number of its holders.
  void close(Node* node, Node* successor) noexcept {
    node->next = successor;
    pins_max_ = guards_max_;
    // (E3) acq_rel, as the subtraction (E2): publishes what was left in the node to the last
    // holder.
    Node::drop(node, Node::kOpen - std::exchange(pins_, 0));
  }

  // Finds out how many guards of the open epoch live, and so how many more may be pinned before
  // that must be found out again.
  void fold_pins() {
    // Relaxed: the issuer's own pins change place; the sum is the same.
    const std::int64_t count = open_->count.fetch_add(pins_, detail::relaxed) + pins_;
    const std::int64_t held = count % Node::kPredecessor;
    pins_ = 0;
    pins_max_ = guards_max_ - held;
    if (pins_max_ <= 0) {
      throw LimitExceeded("guards alive at once", static_cast<std::uint64_t>(guards_max_),
                          static_cast<std::uint64_t>(held) + 1);
    }
  }

  Node* open_;             // where pin() counts
  std::int64_t pins_ = 0;  // guards pinned on open_ that its count does not know of
  const std::int64_t guards_max_;
  std::int64_t pins_max_ = guards_max_;  // pins_ up to which guards_max_ cannot be passed
};

using EpochDomain = BasicEpochDomain<detail::SystemPolicy>;
/// What StreamReader::pin() and EpochDomain::pin() give.
using Guard = BasicGuard<detail::SystemPolicy>;

}  // namespace forebay
