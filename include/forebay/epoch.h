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
// The short case, a guard that is dropped where it was pinned, goes without the count. A node has
// one seat, a word that the issuer's thread alone writes: pin() takes it when it is free, and a
// drop on that thread leaves it, both with plain stores. A guard that took the seat and is dropped
// elsewhere, or after its node was closed, is counted like the others.
//
// Thread roles: pin() and retire() by one issuer at a time (calls may move between threads when the
// caller orders the move); copies and drops of guards by any thread.
//
// Ordering: what a thread did before it dropped a guard happens before the reclaiming of anything
// that the guard held back.
//
// Progress: pin() is wait-free. A drop is wait-free: three memory accesses where the guard has the
// seat, else one read-modify-write; the last drop also reclaims. When the issuer's calls have moved
// to another thread, the first of them may have to take the seat away: it costs a membarrier when a
// guard has the seat, and waits while that guard is between the two stores of its drop.
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
#include "forebay/detail/epoch_node.h"
#include "forebay/error.h"
#include "forebay/retirable.h"

namespace forebay {

/// Keeps what was readable when it was pinned, and all that became readable later. A handle: copies
/// hold as long as the original. May be moved, copied and dropped on any thread; one Guard object
/// may not be used by two threads at once. Dropping the last one reclaims, on that thread.
template <class P>
class BasicGuard {
  using Node = detail::EpochNode<P>;

 public:
  BasicGuard() noexcept = default;
  /// A copy holds as long as the original. One relaxed addition.
  BasicGuard(const BasicGuard& other) noexcept : node_(other.node_) {
    // Relaxed: the copied guard keeps the node alive, and its drop orders what came before.
    if (node_ != nullptr) node_->count.fetch_add(1, detail::relaxed);
  }
  /// Takes the hold over.
  BasicGuard(BasicGuard&& other) noexcept
      : node_(std::exchange(other.node_, nullptr)), seated_on_(other.seated_on_) {}
  /// Drops its own hold, and takes the other.
  BasicGuard& operator=(BasicGuard other) noexcept {
    std::swap(node_, other.node_);
    std::swap(seated_on_, other.seated_on_);
    return *this;
  }
  ~BasicGuard() { reset(); }

  /// Drops the guard now.
  void reset() noexcept {
    if (node_ == nullptr) return;
    Node* const node = std::exchange(node_, nullptr);
    if (seated_on_ == P::this_thread() && node->leave_seat(seated_on_)) [[likely]]
      return;
    drop_counted(node);
  }

  /// Whether the guard holds anything.
  [[nodiscard]] explicit operator bool() const noexcept { return node_ != nullptr; }

 private:
  template <class>
  friend class BasicEpochDomain;
  BasicGuard(Node* node, typename Node::Thread seated_on) noexcept
      : node_(node), seated_on_(seated_on) {}

  static void drop_counted(Node* node) noexcept {
    detail::DropWatch<P>* const watch = node->watch;
    // Relaxed: only restarts a clock. Before the drop, since the watch may be gone after it.
    if (watch != nullptr && watch->armed.load(detail::relaxed) != 0) [[unlikely]] {
      watch->drops.fetch_add(1, detail::relaxed);
    }
    Node::drop(node, 1);
  }

  Node* node_ = nullptr;
  // The thread that took the node's seat for this guard, if it has it.
  typename Node::Thread seated_on_ = Node::kNoThread;
};

/// The issuer: see the head of this file. `P` is the policy; use EpochDomain.
template <class P>
class BasicEpochDomain {
  using Node = detail::EpochNode<P>;
  using Thread = typename Node::Thread;

 public:
  /// What pin() gives.
  using Guard = BasicGuard<P>;
  /// Guards that may live at once for one epoch, unless said otherwise.
  static constexpr std::size_t kGuardsMaxDefault = std::size_t{1} << 20;

  /// `guards_max`: guards that may live at once for one epoch, which is the time between two
  /// objects retired under a guard; at least one. Throws std::bad_alloc.
  explicit BasicEpochDomain(std::size_t guards_max = kGuardsMaxDefault,
                            detail::DropWatch<P>* watch = nullptr)
      : open_(new Node(Node::kOpen, watch)),
        guards_max_(static_cast<std::int64_t>(
            std::clamp<std::uint64_t>(guards_max, 1, Node::kPredecessor - 1))) {
    give_seat();
  }

  BasicEpochDomain(const BasicEpochDomain&) = delete;
  BasicEpochDomain& operator=(const BasicEpochDomain&) = delete;
  ~BasicEpochDomain() {
    if (open_ != nullptr) close(nullptr);
  }

  /// Pins the present epoch. Thread role: issuer. Wait-free while the role stays on its thread.
  /// Throws LimitExceeded at guards_max; nothing has changed then.
  [[nodiscard]] Guard pin() {
    Node* const node = open_;
    const Thread me = P::this_thread();
    // Relaxed: the seat is free for this thread because this thread left it or gave it to itself.
    if (node->seat.load(detail::relaxed) == me) [[likely]] {
      node->seat.store(Node::kTaken, detail::relaxed);  // Relaxed: given on with the guard.
      return Guard(node, me);
    }
    if (seat_thread_ == me && pins_ < pins_max_) [[likely]] {
      ++pins_;
      return Guard(node, Node::kNoThread);
    }
    const Hold hold = pin_slow();
    return Guard(hold.node, hold.seated_on);
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
    if (successor == nullptr) return;
    close(successor);
  }

  /// As retire(), and nothing can be pinned or retired any more: for an object that everything
  /// retired before depends on, such as the domain's own home. Thread role: issuer.
  void retire_last(Retirable* object) noexcept {
    open_->append_last(object);
    close(nullptr);
  }

  /// Whether a guard lives, on this epoch or an older one. Thread role: issuer.
  [[nodiscard]] bool held_back() noexcept {
    // The seat before the count: whoever copied the guard that has it and then left is seen to have
    // left only together with the copy.
    const bool seated = is_seated();
    // (E4) acquire load, synchronizes-with the subtraction (E2): when nobody is left, what the
    // last holder did comes before the reclaiming.
    const std::int64_t count = open_->count.load(detail::acquire);
    if (count + pins_ + (seated ? 1 : 0) != Node::kOpen) return true;
    // Nobody can be on the seat, whose guard may have been dropped elsewhere.
    if (open_->seat.load(detail::relaxed) != P::this_thread()) {
      if (seated) ++pins_;
      give_seat();
    }
    return false;
  }

  /// From now on the watch hears of every drop on another thread, also where that thread was the
  /// issuer's when it pinned. Thread role: issuer.
  void hear_drops() noexcept {
    if (seat_thread_ != P::this_thread()) take_seat_over();
  }

 private:
  struct Hold {
    Node* node;
    Thread seated_on;
  };

  // The seat is not this thread's, or the limit may be reached.
  [[gnu::noinline]] Hold pin_slow() {
    const Thread me = P::this_thread();
    if (seat_thread_ != me && take_seat_over()) {
      open_->seat.store(Node::kTaken, detail::relaxed);  // Relaxed: as in pin().
      return {open_, me};
    }
    if (pins_ >= pins_max_) [[unlikely]]
      fold_pins();
    ++pins_;
    return {open_, Node::kNoThread};
  }

  // Nobody can pin the open node any more; its count becomes the number of its holders.
  void close(Node* successor) noexcept {
    if (seat_thread_ != P::this_thread()) take_seat_over();
    // Either this thread's own or nobody's: the seat does not change meanwhile.
    const std::int64_t held = std::exchange(pins_, 0) + (is_seated() ? 1 : 0);
    Node* const node = std::exchange(open_, successor);
    // Relaxed: this thread's guard is counted from now on, and only this thread looks for its own.
    node->seat_owner.store(Node::kNoThread, detail::relaxed);
    node->next = successor;
    pins_max_ = guards_max_ - 1;
    if (successor != nullptr) give_seat();
    // (E3) acq_rel, as the subtraction (E2): publishes what was left in the node to the last
    // holder.
    Node::drop(node, Node::kOpen - held);
  }

  // Finds out how many guards of the open epoch live, and so how many more may be pinned before
  // that must be found out again.
  void fold_pins() {
    const std::int64_t seated = is_seated() ? 1 : 0;
    // Relaxed: the issuer's own pins change place; the sum is the same.
    const std::int64_t count = open_->count.fetch_add(pins_, detail::relaxed) + pins_;
    const std::int64_t held = (count + seated) % Node::kPredecessor;
    pins_ = 0;
    pins_max_ = guards_max_ - held;
    if (pins_max_ <= 0) {
      throw LimitExceeded("guards alive at once", static_cast<std::uint64_t>(guards_max_),
                          static_cast<std::uint64_t>(held) + 1);
    }
  }

  // Whether a pin is counted by the seat of the open node.
  [[nodiscard]] bool is_seated() const noexcept {
    // (E8) acquire load, synchronizes-with release store (E7): what the last one on the seat did
    // comes before the reclaiming.
    return seat_thread_ != Node::kNoThread && open_->seat.load(detail::acquire) != seat_thread_;
  }

  // This thread may take the seat, and leave it without a read-modify-write. Not without
  // membarrier: a fence costs more than that.
  void give_seat() noexcept {
    if (!P::asymmetric()) return;
    seat_thread_ = P::this_thread();
    open_->give_seat(seat_thread_);
  }

  // The calls of the issuer have moved to this thread. Whether it has the seat, free, from now on;
  // else nobody has, until the next epoch or until no guard lives.
  bool take_seat_over() noexcept {
    if (is_seated()) open_->take_seat_away();
    if (is_seated()) {
      ++pins_;
      seat_thread_ = Node::kNoThread;
    }
    if (seat_thread_ == Node::kNoThread) return false;
    give_seat();
    return true;
  }

  Node* open_;             // where pin() counts
  std::int64_t pins_ = 0;  // guards pinned on open_ that neither its count nor its seat knows of
  Thread seat_thread_ = Node::kNoThread;  // owner of the seat of open_
  const std::int64_t guards_max_;
  // pins_ up to which guards_max_ cannot be passed, with the seat taken
  std::int64_t pins_max_ = guards_max_ - 1;
};

using EpochDomain = BasicEpochDomain<detail::SystemPolicy>;
/// What StreamReader::pin() and EpochDomain::pin() give.
using Guard = BasicGuard<detail::SystemPolicy>;

}  // namespace forebay
