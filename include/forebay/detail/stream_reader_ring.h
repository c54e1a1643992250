// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the reader holds of the ring, how its memory is made contiguous, and how it goes back.
// Thread role of every member: the reader.
//
// The slices stay in the ring until the reader is done with them; the ring is its only list. From
// the front it holds:
//
//     | lingering        | run              | ahead              | not seen yet
//     | consumed, views  | what the cursor  | seen while looking |
//     | may be looked at | moves through    | for enough bytes   |
//
// The run is contiguous memory: slices of one block that lie next to each other, or, when a read
// does not lie in one run, memory that it was gathered into; then no slot of the ring belongs to
// the run. Lingering slots are given back at the next consuming call, since until then a view of
// them is good.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "forebay/detail/gather_memory.h"
#include "forebay/detail/reclaimer.h"
#include "forebay/detail/stream_shared.h"

namespace forebay::detail {

template <class P>
class ReaderRing {
  using Record = BasicBlock<P>;

 public:
  explicit ReaderRing(StreamShared<P>& shared)
      : cursor(shared.cursor), reclaimer(shared), shared_(shared) {}

  Cursor<P>& cursor;
  Reclaimer<P> reclaimer;

  // --- The parts of the ring ---------------------------------------------------------------------

  /// Brings the next bytes under the cursor, if it has none, and as many as are contiguous.
  void move_run_on(bool consuming) {
    if (cursor.size() == 0) next_run(consuming);
    extend_run();
  }

  /// The first slice beyond what was seen, or null when it is not there yet.
  [[nodiscard]] Slice* next_unseen() noexcept { return shared_.queue.look(slots()); }

  /// Sees slices beyond the run until `wanted` bytes are ahead, or there are no more.
  void look_ahead(std::size_t wanted) noexcept {
    while (ahead_bytes_ < wanted) {
      const Slice* slice = next_unseen();
      if (slice == nullptr) return;
      ahead_bytes_ += slice->size();
      ++ahead_slots_;
    }
  }

  /// Gives every slice ahead its block. Throws std::bad_alloc.
  void attach_ahead() {
    for (std::size_t i = 0; i < ahead_slots_; ++i) {
      reclaimer.attach(*shared_.queue.look(lingering_slots_ + run_slots_ + i));
    }
  }

  [[nodiscard]] std::size_t ahead_slots() const noexcept { return ahead_slots_; }
  [[nodiscard]] std::size_t ahead_bytes() const noexcept { return ahead_bytes_; }
  /// Bytes under the cursor and ahead.
  [[nodiscard]] std::size_t seen_bytes() const noexcept { return cursor.size() + ahead_bytes_; }
  /// Slots that the reader has seen and not given back.
  [[nodiscard]] std::size_t slots() const noexcept {
    return lingering_slots_ + run_slots_ + ahead_slots_;
  }
  /// Whether some of them belong to the run or to what is ahead.
  [[nodiscard]] bool slots_in_use() const noexcept { return run_slots_ + ahead_slots_ != 0; }
  /// Whether the run lies in gathered memory.
  [[nodiscard]] bool run_is_gathered() const noexcept { return gathered_ != nullptr; }
  /// Whether memory of slots that were given back may still be looked at.
  [[nodiscard]] bool blocks_linger() const noexcept { return lingering_blocks_ != nullptr; }
  /// Bytes of all runs that the cursor has passed.
  [[nodiscard]] std::uint64_t bytes_passed() const noexcept { return run_bytes_ - cursor.size(); }

  /// The run is consumed: makes the next slice with bytes the run, if there is one.
  void next_run(bool consuming) {
    do {
      leave_run();
      if (consuming) give_back_lingering();
      Slice* slice = shared_.queue.look(lingering_slots_);
      if (slice == nullptr) return;
      reclaimer.attach(*slice);
      const std::size_t gathered = std::exchange(ahead_offset_, 0);
      cursor.set(slice->data + gathered, slice->data + slice->size(), slice->block);
      run_slots_ = 1;
      if (ahead_slots_ != 0) {
        --ahead_slots_;
        ahead_bytes_ -= cursor.size();
      }
      run_bytes_ += cursor.size();
    } while (cursor.size() == 0);
  }

  // --- Giving back -------------------------------------------------------------------------------

  /// The views of what lingers are dead.
  void give_back_lingering() noexcept {
    for (; lingering_slots_ != 0; --lingering_slots_) pop_slot();
    // These were counted when their slots were given back.
    while (lingering_blocks_ != nullptr) reclaimer.retire(take_first(lingering_blocks_));
    while (lingering_gathers_ != nullptr) give_back_gathered(take_first(lingering_gathers_));
  }

  /// For calls that consume nothing and yet must let the writer go on: the slots and the charge go
  /// back, the memory stays where there may be views of it from before.
  void uncharge_lingering() noexcept {
    for (; lingering_slots_ != 0; --lingering_slots_) {
      const Slice slice = *shared_.queue.front();
      if (slice.borrowed() || !slice.sealed() || !slice.block->viewed) {
        pop_slot();
        continue;
      }
      shared_.queue.pop();
      reclaimer.count_retired(static_cast<Record*>(slice.block));
      slice.block->next_retired = lingering_blocks_;
      lingering_blocks_ = slice.block;
    }
    uncharge_lingering_blocks(&Reclaimer<P>::uncharge);
    let_writer_know();
  }

  /// Those that guards or shares held before may be the reader's alone by now.
  void uncharge_lingering_blocks(void (Reclaimer<P>::*uncharge)(Record*) noexcept) noexcept {
    for (Retirable* one = lingering_blocks_; one != nullptr; one = one->next_retired) {
      (reclaimer.*uncharge)(static_cast<Record*>(static_cast<Block*>(one)));
    }
  }

  /// Tells of every slot and byte that was given back, and wakes who waits for them.
  void let_writer_know() noexcept {
    shared_.queue.flush();
    shared_.account.tell();
    shared_.writer_event.notify();
  }

  /// The stream was cancelled: all that is buffered goes back.
  void discard() noexcept {
    leave_run();
    lingering_slots_ += std::exchange(ahead_slots_, 0);
    ahead_bytes_ = 0;
    ahead_offset_ = 0;
    give_back_lingering();
    while (shared_.queue.front() != nullptr) pop_slot();
    shared_.queue.flush();
    shared_.account.tell();
  }

  /// The reader is done with the block.
  void retire(Record* block) noexcept {
    reclaimer.count_retired(block);
    reclaimer.retire(block);
  }

  // --- Gathering ---------------------------------------------------------------------------------

  /// Makes the first n bytes of run and ahead, which hold them, one run in memory of `capacity`
  /// bytes.
  void gather(std::size_t n, std::size_t capacity, bool consuming) {
    const std::size_t have = cursor.size();
    if (gathered_ == nullptr || room_behind_run() < n - have) {
      Record* const block = gathers_.acquire(std::max(n, capacity), &shared_);
      if (have != 0) std::memcpy(block->data, cursor.current, have);
      count(copied_, have);
      count(gathers_made_);
      leave_run();
      gathered_ = block;
      cursor.set(block->data, block->data + have, block);
    }
    while (cursor.size() < n) {
      const Slice* slice = shared_.queue.look(lingering_slots_);
      const std::size_t left = slice->size() - ahead_offset_;
      const std::size_t part = std::min(left, n - cursor.size());
      std::byte* const to = gathered_->data + (cursor.end - gathered_->data);
      if (part != 0) std::memcpy(to, slice->data + ahead_offset_, part);
      cursor.end += part;
      ahead_bytes_ -= part;
      ahead_offset_ += part;
      count(copied_, part);
      run_bytes_ += part;
      if (part == left) {
        ahead_offset_ = 0;
        --ahead_slots_;
        ++lingering_slots_;
      }
    }
    // Nothing but seals may be left: their blocks are done with as well.
    if (ahead_bytes_ == 0) lingering_slots_ += std::exchange(ahead_slots_, 0);
    if (consuming) give_back_lingering();
  }

  /// Memory to gather `n` bytes into when more are to come: twice as much, within the limit.
  [[nodiscard]] std::size_t growth(std::size_t n) const noexcept {
    return std::min(2 * n, shared_.options.gather_bytes_max);
  }

  /// Counts bytes that a read copied out.
  void count_copied(std::size_t bytes) noexcept { count(copied_, bytes); }

  // Any thread: figures that may lag.
  [[nodiscard]] std::uint64_t bytes_copied() const noexcept { return copied_.load(relaxed); }
  [[nodiscard]] std::uint64_t gathers() const noexcept { return gathers_made_.load(relaxed); }

 private:
  // Neighbouring slices of one block are one run.
  void extend_run() noexcept {
    while (run_slots_ != 0) {
      const Slice* slice = shared_.queue.look(lingering_slots_ + run_slots_);
      if (slice == nullptr || slice->borrowed() || slice->block != cursor.block ||
          slice->data != cursor.end) {
        return;
      }
      cursor.end += slice->size();
      ++run_slots_;
      run_bytes_ += slice->size();
      if (ahead_slots_ != 0) {
        --ahead_slots_;
        ahead_bytes_ -= slice->size();
      }
    }
  }

  // What the run consists of joins what lingers.
  void leave_run() noexcept {
    lingering_slots_ += std::exchange(run_slots_, 0);
    if (gathered_ != nullptr) {
      gathered_->next_retired = lingering_gathers_;
      lingering_gathers_ = std::exchange(gathered_, nullptr);
    }
    cursor.set(nullptr, nullptr, nullptr);
  }

  // The oldest slot of the ring is done with, and with the last of a block, the block. Every read
  // ends here sooner or later: the compiler would not inline it into all who call it.
  [[gnu::always_inline]] void pop_slot() noexcept {
    const Slice slice = *shared_.queue.front();
    shared_.queue.pop();
    if (slice.borrowed()) {
      reclaimer.release(slice);
    } else if (slice.sealed()) {
      retire(static_cast<Record*>(slice.block));
    }
  }

  static Record* take_first(Retirable*& list) noexcept {
    auto* const block = static_cast<Record*>(static_cast<Block*>(list));
    list = block->next_retired;
    return block;
  }

  // Gathered memory counts against the bound from when the reader is done with it; unless a guard
  // or a share holds it, that is no time at all.
  void give_back_gathered(Record* block) noexcept {
    if (reclaimer.sole_holder(block)) {
      gathers_.recycle(block);
      return;
    }
    reclaimer.retire(block);
  }

  [[nodiscard]] std::size_t room_behind_run() const noexcept {
    return gathered_->capacity_bytes - static_cast<std::size_t>(cursor.end - gathered_->data);
  }

  using Counter = typename P::template atomic<std::uint64_t>;
  // Relaxed: one writer, and readers that want no more than a figure.
  static void count(Counter& counter, std::uint64_t by = 1) noexcept {
    counter.store(counter.load(relaxed) + by, relaxed);
  }

  StreamShared<P>& shared_;
  GatherMemory<P> gathers_;
  Record* gathered_ = nullptr;              // the run's memory, when it was gathered
  Retirable* lingering_gathers_ = nullptr;  // gathered memory of which views may be looked at
  Retirable* lingering_blocks_ = nullptr;   // blocks of lingering slots that were given back early
  std::size_t lingering_slots_ = 0;
  std::size_t run_slots_ = 0;
  std::size_t ahead_slots_ = 0;
  std::size_t ahead_bytes_ = 0;   // without what was gathered of the first slot
  std::size_t ahead_offset_ = 0;  // bytes of the first slot ahead that were gathered
  std::uint64_t run_bytes_ = 0;   // bytes of all runs, the present one included
  Counter copied_{0};
  Counter gathers_made_{0};
};

}  // namespace forebay::detail
