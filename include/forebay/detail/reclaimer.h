// SPDX-License-Identifier: Apache-2.0
#pragma once

// How the memory of a stream comes back: a block that the reader is done with is held by older
// guards (epochs), then by shares (a count), and then it is destroyed and its charge given back.

#include <cstddef>
#include <cstdint>
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
  const std::size_t capacity = block->capacity_bytes;
  const std::uint64_t charge = block->charge_bytes.load(relaxed);  // Relaxed: ordered by (R1).
  // (R1) acq_rel subtraction, synchronizes-with itself and the load (R2): the uses of all holders
  // come before the end of the block.
  const std::uint64_t left = block->holders.fetch_sub(kind, acq_rel) - kind;
  const bool leaves_bound = kind == Record::kBounded && (left & Record::kBoundedMask) == 0;
  if (left == 0) block->destroy(block, leaves_bound);
  if (home == nullptr) return;  // Memory of its own: no stream counts it.
  if (leaves_bound) {
    if (left != 0) {
      // Detached shares are left: the block goes on outside the bound and the pool's budget.
      home->account.add_detached(static_cast<std::int64_t>(charge));
      if (pool != nullptr) pool->give_back_credit(capacity);
    }
    home->give_back(charge, by_reader);
  } else if (left == 0) {
    home->account.add_detached(-static_cast<std::int64_t>(charge));
  }
}

/// Thread role: the reader.
template <class P>
class Reclaimer {
  using Record = BasicBlock<P>;

 public:
  explicit Reclaimer(StreamShared<P>& shared)
      : shared_(shared), domain_(shared.options.guards_max, &shared.drop_watch) {}

  [[nodiscard]] BasicGuard<P> pin() { return domain_.pin(); }

  /// The stream's hold on the block ends as soon as no guard pinned before this call lives.
  void retire(Record* block) noexcept {
    // Relaxed: the reader alone changes the charge.
    shared_.account.retire(block->charge_bytes.load(relaxed));
    if (!domain_.held_back()) [[likely]] {
      let_go(block);
      return;
    }
    block->reclaim = [](Retirable* retired) noexcept {
      drop_hold(static_cast<Record*>(static_cast<Block*>(retired)), Record::kBounded, false);
    };
    domain_.retire(block);
  }

  /// Gives the charge of a block back before the block is retired: its bytes are consumed, but a
  /// view of them is still good, and the writer must not starve for it.
  void uncharge(Record* block) noexcept {
    const std::uint64_t charge = block->charge_bytes.load(relaxed);  // Relaxed: as in retire().
    // A shared block keeps its charge: the shares count.
    if (charge == 0 || block->holders.load(relaxed) != Record::kBounded) return;
    block->charge_bytes.store(0, relaxed);
    shared_.account.retire(charge);
    shared_.give_back(charge, true);
  }

  /// Whether nobody but the stream holds the block and no guard lives.
  [[nodiscard]] bool sole_holder(const Record* block) const noexcept {
    // (R2) acquire load, synchronizes-with the subtraction (R1): the uses of those who held a share
    // come before the end of the block.
    return !domain_.held_back() && block->holders.load(acquire) == Record::kBounded;
  }

  void close(Retirable* last) noexcept { domain_.retire_last(last); }

 private:
  void let_go(Record* block) noexcept {
    // (R2) acquire load, synchronizes-with the subtraction (R1): as in sole_holder().
    if (block->holders.load(acquire) != Record::kBounded) {
      drop_hold(block, Record::kBounded, true);
      return;
    }
    const std::uint64_t charge = block->charge_bytes.load(relaxed);  // Relaxed: as in retire().
    block->destroy(block, true);
    shared_.give_back(charge, true);
  }

  StreamShared<P>& shared_;
  BasicEpochDomain<P> domain_;
};

}  // namespace forebay::detail
