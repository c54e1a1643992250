// SPDX-License-Identifier: Apache-2.0
#pragma once

// How the memory of a stream comes back: a block that the reader is done with is held by older
// guards (epochs), then by shares (a count), and then it is destroyed and its charge given back.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "forebay/detail/stream_shared.h"
#include "forebay/epoch.h"

namespace forebay::detail {

/// Any thread: drops one hold on a published block, of the given kind.
template <class P>
void drop_hold(BasicBlock<P>* block, std::uint64_t kind, bool by_reader) noexcept {
  using Record = BasicBlock<P>;
  // All that is needed of the block after the subtraction, when it may be gone.
  StreamShared<P>* const home = block->home;
  CreditSource* const pool = block->pool;
  // Whoever drops the last bounded hold finds the whole block charged: see Reclaimer::retire().
  const std::size_t capacity = block->capacity_bytes;
  std::uint64_t holders = block->holders.load(relaxed);  // Relaxed: taken by the exchange (R1).
  std::uint64_t left;
  bool detaches;
  do {
    left = holders - kind;
    detaches = kind == Record::kBounded && left != 0 && (left & Record::kBoundedMask) == 0;
    // Who leaves the block to detached shares holds it as one of them until that is counted: the
    // last of them may take the pool along.
    if (detaches) left += Record::kDetached;
    // (R1) acq_rel exchange, synchronizes-with itself and the load (R2): the uses of all holders
    // come before the end of the block.
  } while (!block->holders.compare_exchange_weak(holders, left, acq_rel, relaxed));
  if (detaches) {
    // The block goes on outside the bound and the pool's budget.
    if (home != nullptr) home->account.add_detached(static_cast<std::int64_t>(capacity));
    if (pool != nullptr) pool->give_back_credit(capacity);
    if (home != nullptr) home->give_back(capacity, by_reader);
    drop_hold(block, Record::kDetached, by_reader);
    return;
  }
  if (left != 0) return;
  block->destroy(block, kind == Record::kBounded);
  if (home == nullptr) return;  // Memory of its own: no stream counts it.
  if (kind == Record::kBounded) {
    home->give_back(capacity, by_reader);
  } else {
    home->account.add_detached(-static_cast<std::int64_t>(capacity));
  }
}

/// Thread role: the reader.
template <class P>
class Reclaimer {
  using Record = BasicBlock<P>;
  // What an epoch can count, with room for copies.
  static constexpr std::size_t kGuardsMax = std::size_t{EpochNode<P>::kOpen} / 2;

 public:
  explicit Reclaimer(StreamShared<P>& shared)
      : shared_(shared),
        borrowed_(shared),
        domain_(std::min(shared.options.guards_max, kGuardsMax), &shared.drop_watch) {}

  [[nodiscard]] BasicGuard<P> pin() { return domain_.pin(); }

  /// The reader is done with the block: it counts as retained until it is given back.
  void count_retired(const Record* block) noexcept {
    // Relaxed: the reader alone changes the charge.
    shared_.account.retire(block->charge_bytes.load(relaxed));
  }

  /// The stream's hold on the block, which was counted as retired, ends as soon as no guard pinned
  /// before this call lives.
  void retire(Record* block) noexcept {
    const std::uint64_t charge = block->charge_bytes.load(relaxed);  // Relaxed: as above.
    if (sole_holder(block)) [[likely]] {
      end(block);
      if (charge != 0) shared_.give_back_soon(charge);
      return;
    }
    // Somebody else holds it from now on, so that it counts, whatever it counted before.
    if (charge == 0) {
      block->charge_bytes.store(block->capacity_bytes, relaxed);  // Relaxed: as above.
      shared_.account.charge_gathered(block->capacity_bytes);
      shared_.account.retire(block->capacity_bytes);
    }
    if (!domain_.held_back()) {
      drop_hold(block, Record::kBounded, true);
      return;
    }
    block->reclaim = [](Retirable* retired) noexcept {
      drop_hold(static_cast<Record*>(static_cast<Block*>(retired)), Record::kBounded, false);
    };
    domain_.retire(block);
  }

  /// Lets go of what waits although no guard lives any more: where memory for an epoch could not be
  /// had, a drop found nothing to let go of.
  void catch_up() noexcept {
    if (domain_.held_back()) return;
    Retirable nothing{.reclaim = [](Retirable*) noexcept {}};
    domain_.retire(&nothing);
  }

  /// Gives the charge of a block back that was counted as retired while a view of it is still good,
  /// so that the writer does not starve for the sake of that view; but not while guards or shares
  /// hold the block as well.
  void uncharge(Record* block) noexcept {
    if (!domain_.held_back()) uncharge_unguarded(block);
  }

  /// From now on the drop watch hears of every drop on another thread.
  void hear_drops() noexcept { domain_.hear_drops(); }

  /// Has the reader woken when the guards that live now are gone; not without memory for that.
  void watch_guards() noexcept {
    watching_ = !domain_.held_back();
    if (watching_) return;
    auto* const watch = new (std::nothrow) GuardWatch(*this);
    if (watch == nullptr) return;
    watching_ = true;
    ++watches_;
    domain_.retire(watch);
  }

  /// Whether the guards that lived at watch_guards() are gone.
  [[nodiscard]] bool guards_gone() const noexcept {
    // Relaxed: no memory is given back for it; the event count orders the sleep.
    return watching_ && watches_over_.load(relaxed) == watches_;
  }

  /// As uncharge(), where nothing was pinned since watch_guards().
  void uncharge_watched(Record* block) noexcept {
    if (guards_gone()) uncharge_unguarded(block);
  }

  /// Whether nobody but the stream holds the block and no guard lives.
  [[nodiscard]] bool sole_holder(const Record* block) noexcept {
    // (R2) acquire load, synchronizes-with the exchange (R1): the uses of those who held a share
    // come before the end of the block.
    return !domain_.held_back() && block->holders.load(acquire) == Record::kBounded;
  }

  /// A slice is done with of which no view was handed out and no block made: nobody holds it.
  void release(const Slice& slice) noexcept {
    shared_.releases.release(slice);
    shared_.account.retire(slice.size());
    shared_.give_back_soon(slice.size());
  }

  /// Gives a slice of borrowed memory a block. Throws std::bad_alloc; then nothing has changed.
  void attach(Slice& slice) { borrowed_.attach(slice); }

  void close(Retirable* last) noexcept { domain_.retire_last(last); }

 private:
  // Nobody else holds the block.
  void end(Record* block) noexcept {
    if (BorrowedBlock<P>::is(block)) [[likely]] {
      borrowed_.release(block);
    } else {
      block->destroy(block, true);
    }
  }

  // Reclaimed when the guards before it are gone, a moment before the domain says so.
  struct GuardWatch : Retirable {
    explicit GuardWatch(Reclaimer& owner) noexcept : reclaimer(owner) {
      this->reclaim = [](Retirable* retired) noexcept {
        auto* const watch = static_cast<GuardWatch*>(retired);
        watch->reclaimer.watches_over_.fetch_add(1, relaxed);  // Relaxed: as guards_gone().
        watch->reclaimer.shared_.reader_event.notify();
        delete watch;
      };
    }
    Reclaimer& reclaimer;
  };

  void uncharge_unguarded(Record* block) noexcept {
    const std::uint64_t charge = block->charge_bytes.load(relaxed);  // Relaxed: as above.
    // Relaxed: no memory is given back here. Whoever shares the block later is found by retire().
    if (charge == 0 || block->holders.load(relaxed) != Record::kBounded) return;
    block->charge_bytes.store(0, relaxed);
    shared_.give_back(charge, true);
  }

  StreamShared<P>& shared_;
  BorrowedBlocks<P> borrowed_;
  BasicEpochDomain<P> domain_;
  bool watching_ = false;
  std::uint64_t watches_ = 0;
  typename P::template atomic<std::uint64_t> watches_over_{0};
};

}  // namespace forebay::detail
