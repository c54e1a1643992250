// SPDX-License-Identifier: Apache-2.0
#pragma once

// The reader's half of a stream. Thread role of every member that does not say otherwise: the
// reader.
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

#include "forebay/byte_view.h"
#include "forebay/detail/gather_memory.h"
#include "forebay/detail/reclaimer.h"
#include "forebay/detail/stream_shared.h"

namespace forebay {

/// How a read ended.
enum class ReadStatus : std::uint8_t {
  ok,
  end,             ///< the stream was finished and holds fewer bytes
  would_block,     ///< fewer bytes are there now
  timed_out,       ///< fewer bytes came before the deadline
  stopped,         ///< stop was requested first
  cancelled,       ///< the stream was cancelled
  failed,          ///< the writer failed and fewer bytes are left; error() tells why
  exhausted,       ///< guards or shares hold all the memory that the writer needs
  limit_exceeded,  ///< more than gather_bytes_max, and not contiguous
};

namespace detail {

template <class P>
class ReaderSide {
  using Shared = StreamShared<P>;
  using Record = BasicBlock<P>;

 public:
  explicit ReaderSide(Shared& shared)
      : cursor(shared.cursor), shared_(shared), reclaimer_(shared) {}

  Cursor<P>& cursor;

  /// Brings n contiguous bytes under the cursor. `consuming`: earlier views have ended their life.
  ReadStatus ensure(std::size_t n, const Wait& wait, bool consuming) {
    // Where bytes were consumed since something was left to linger, the views of it are dead.
    if (consuming || cursor.current != linger_mark_) give_back_lingering();
    const FastPath fast_path(*this, consuming);
    return bring(n, wait, consuming);
  }

  /// Brings everything up to the end of the stream under the cursor.
  ReadStatus ensure_all(const Wait& wait) {
    const FastPath fast_path(*this);
    give_back_lingering();
    for (;;) {
      if (const ReadStatus status = prepare(true); status != ReadStatus::ok) return status;
      look_ahead(SIZE_MAX);
      const std::size_t all = cursor.size() + ahead_bytes_;
      if (all > shared_.options.gather_bytes_max && ahead_bytes_ != 0) {
        return ReadStatus::limit_exceeded;
      }
      const ReadStatus status = wait_for_more(0, wait, true);
      if (status == ReadStatus::end) {
        move_run_on(true);
        if (ahead_bytes_ != 0) gather(all, all, true);
        return ReadStatus::ok;
      }
      if (status != ReadStatus::ok) return status;
    }
  }

  /// Makes run and ring hold n bytes without gathering them, and take_slice() have them.
  ReadStatus ensure_buffered(std::size_t n, const Wait& wait) {
    const FastPath fast_path(*this);
    give_back_lingering();
    for (;;) {
      if (const ReadStatus status = prepare(true); status != ReadStatus::ok) return status;
      if (n <= cursor.size()) return ReadStatus::ok;
      look_ahead(n - cursor.size());
      if (n - cursor.size() <= ahead_bytes_) {
        for (std::size_t i = 0; i < ahead_slots_; ++i) {
          reclaimer_.attach(*shared_.queue.look(lingering_slots_ + run_slots_ + i));
        }
        return ReadStatus::ok;
      }
      const ReadStatus status = wait_for_more(n, wait, true, /*may_gather=*/false);
      if (status != ReadStatus::ok) return status;
    }
  }

  /// Consumes n bytes of the run, which holds them, and returns them.
  ByteView take(std::size_t n) noexcept { return cursor.take(n); }

  /// Consumes what is left of the run and goes on to the slice after it, which ensure_buffered()
  /// has seen, without giving anything back: the views of one read_gather() all stay good. Does
  /// not throw, since every slice has its block.
  ByteView take_slice(std::size_t most) {
    const FastPath fast_path(*this);
    if (cursor.size() == 0) next_run(false);
    return take(std::min(most, cursor.size()));
  }

  /// To be called when a call leaves slots whose views are good: they are until the cursor moves
  /// on.
  void mark_lingering() noexcept { linger_mark_ = cursor.current; }

  /// At most so many views make up the next n bytes, which are there.
  [[nodiscard]] std::size_t pieces(std::size_t n) const noexcept {
    return n <= cursor.size() ? 1 : 1 + ahead_slots_;
  }

  /// Bytes that can be had without waiting.
  std::size_t available() noexcept {
    look_ahead(SIZE_MAX - cursor.size());
    return cursor.size() + ahead_bytes_;
  }

  /// Counts bytes that a read copied out.
  void count_copied(std::size_t bytes) noexcept { count(copied_, bytes); }

  [[nodiscard]] BasicGuard<P> pin() { return reclaimer_.pin(); }

  /// Whether the stream ended and everything was consumed. Never waits.
  [[nodiscard]] bool finished() noexcept {
    return shared_.ended() && cursor.size() == 0 && available() == 0;
  }

  /// Arms a callback for when a read of one byte would not wait, or the writer wants room that a
  /// read gives. False when that is so already.
  [[nodiscard]] bool arm(void (*callback)(void*), void* context) {
    const std::uint32_t starved = starved_seen();
    if (ensure(1, Wait::none(), false) != ReadStatus::would_block) return false;
    // What guards alone keep from the writer is for the next read to give back, when they are gone.
    const bool held = lingering_blocks_ != nullptr && retention_blocks_writer();
    if (held) reclaimer_.watch_guards();
    return shared_.reader_event.arm(callback, context, [this, starved, held] {
      return changed() || starved_seen() != starved || (held && reclaimer_.guards_gone());
    });
  }

  /// The reader is gone: gives back all it held; `last` is reclaimed when no guard is left.
  void close(Retirable* last) noexcept {
    discard();
    if (shared_.ended()) {
      // The last block, if its writer ended the stream without sealing it.
      Block* const block = std::exchange(shared_.unsealed_at_end, nullptr);
      if (block != nullptr) retire(static_cast<Record*>(block));
    }
    reclaimer_.close(last);
  }

  /// Gives back what was published after close(). For the last one who holds the stream.
  void drain() noexcept {
    while (const Slice* slice = shared_.queue.front()) {
      if (slice->borrowed()) {
        shared_.releases.release(*slice);
      } else if (slice->sealed()) {
        slice->block->destroy(slice->block, true);
      }
      shared_.queue.pop();
    }
    Block* const block = shared_.unsealed_at_end;
    if (block != nullptr) block->destroy(block, true);
  }

  // Any thread: figures that may lag by one run.
  [[nodiscard]] std::uint64_t bytes_out() const noexcept { return bytes_out_.load(relaxed); }
  [[nodiscard]] std::uint64_t bytes_copied() const noexcept { return copied_.load(relaxed); }
  [[nodiscard]] std::uint64_t gathers() const noexcept { return gathers_made_.load(relaxed); }

 private:
  // Brings the fast path in line with the run when a call that may change the run ends, by an
  // exception too. Whoever made that call may then have a view of the run, and what lingers when a
  // call ends that consumes nothing may still be looked at.
  struct FastPath {
    explicit FastPath(ReaderSide& of, bool consuming_call = true) noexcept
        : side(of), consuming(consuming_call) {}
    FastPath(const FastPath&) = delete;
    FastPath& operator=(const FastPath&) = delete;
    ~FastPath() {
      if (!consuming) side.mark_lingering();
      if (side.cursor.block != nullptr) side.cursor.block->viewed = true;
      side.shared_.open_fast_path(side.cursor.end);
    }
    ReaderSide& side;
    const bool consuming;
  };

  ReadStatus bring(std::size_t n, const Wait& wait, bool consuming) {
    for (;;) {
      if (const ReadStatus status = prepare(consuming); status != ReadStatus::ok) return status;
      if (n <= cursor.size()) return ReadStatus::ok;
      look_ahead(n - cursor.size());
      if (n - cursor.size() <= ahead_bytes_) {
        // What came since prepare() may go on where the run ends.
        move_run_on(consuming);
        if (n <= cursor.size()) return ReadStatus::ok;
        if (n > shared_.options.gather_bytes_max) return ReadStatus::limit_exceeded;
        gather(n, n, consuming);
        return ReadStatus::ok;
      }
      const ReadStatus status = wait_for_more(n, wait, consuming);
      if (status != ReadStatus::ok) return status;
    }
  }

  // --- The parts of the ring ---------------------------------------------------------------------

  // Brings the next bytes under the cursor, if it has none, and as many as are contiguous.
  ReadStatus prepare(bool consuming) {
    // Relaxed: a figure.
    bytes_out_.store(run_bytes_ - cursor.size(), relaxed);
    if (shared_.is_cancelled()) {
      if (consuming) discard();
      return ReadStatus::cancelled;
    }
    move_run_on(consuming);
    return ReadStatus::ok;
  }

  void move_run_on(bool consuming) {
    if (cursor.size() == 0) next_run(consuming);
    extend_run();
  }

  Slice* next_unseen() noexcept {
    return shared_.queue.look(lingering_slots_ + run_slots_ + ahead_slots_);
  }

  // Sees slices beyond the run until `wanted` bytes are ahead, or there are no more.
  void look_ahead(std::size_t wanted) noexcept {
    while (ahead_bytes_ < wanted) {
      const Slice* slice = next_unseen();
      if (slice == nullptr) return;
      ahead_bytes_ += slice->size();
      ++ahead_slots_;
    }
  }

  // The run is consumed: makes the next slice with bytes the run, if there is one.
  void next_run(bool consuming) {
    do {
      leave_run();
      if (consuming) give_back_lingering();
      Slice* slice = shared_.queue.look(lingering_slots_);
      if (slice == nullptr) return;
      reclaimer_.attach(*slice);
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

  // --- Giving back -------------------------------------------------------------------------------

  void give_back_lingering() noexcept {
    for (; lingering_slots_ != 0; --lingering_slots_) pop_slot();
    // These were counted when their slots were given back.
    while (lingering_blocks_ != nullptr) reclaimer_.retire(take_first(lingering_blocks_));
    while (lingering_gathers_ != nullptr) give_back_gathered(take_first(lingering_gathers_));
  }

  static Record* take_first(Retirable*& list) noexcept {
    auto* const block = static_cast<Record*>(static_cast<Block*>(list));
    list = block->next_retired;
    return block;
  }

  // The oldest slot of the ring is done with, and with the last of a block, the block.
  void pop_slot() noexcept {
    const Slice slice = *shared_.queue.front();
    shared_.queue.pop();
    if (slice.borrowed()) {
      reclaimer_.release(slice);
    } else if (slice.sealed()) {
      retire(static_cast<Record*>(slice.block));
    }
  }

  void retire(Record* block) noexcept {
    reclaimer_.count_retired(block);
    reclaimer_.retire(block);
  }

  // For calls that consume nothing and yet must let the writer go on: the slots and the charge go
  // back, the memory stays where there may be views of it from before.
  void uncharge_lingering() noexcept {
    for (; lingering_slots_ != 0; --lingering_slots_) {
      const Slice slice = *shared_.queue.front();
      shared_.queue.pop();
      if (slice.borrowed()) reclaimer_.release(slice);
      if (slice.borrowed() || !slice.sealed()) continue;
      if (!slice.block->viewed) {
        retire(static_cast<Record*>(slice.block));
        continue;
      }
      reclaimer_.count_retired(static_cast<Record*>(slice.block));
      slice.block->next_retired = lingering_blocks_;
      lingering_blocks_ = slice.block;
    }
    uncharge_lingering_blocks(&Reclaimer<P>::uncharge);
    let_writer_know();
  }

  // Those that guards or shares held before may be the reader's alone by now.
  void uncharge_lingering_blocks(void (Reclaimer<P>::*uncharge)(Record*) noexcept) noexcept {
    for (Retirable* one = lingering_blocks_; one != nullptr; one = one->next_retired) {
      (reclaimer_.*uncharge)(static_cast<Record*>(static_cast<Block*>(one)));
    }
  }

  // Tells of every slot and byte that was given back, and wakes who waits for them.
  void let_writer_know() noexcept {
    shared_.queue.flush();
    shared_.account.tell();
    shared_.writer_event.notify();
  }

  // The stream was cancelled: all that is buffered goes back.
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

  // --- Gathering ---------------------------------------------------------------------------------

  // Makes the first n bytes of run and ahead, which hold them, one run in memory of `capacity`
  // bytes.
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

  [[nodiscard]] std::size_t room_behind_run() const noexcept {
    return gathered_->capacity_bytes - static_cast<std::size_t>(cursor.end - gathered_->data);
  }

  // Memory to gather `n` bytes into when more are to come: twice as much, within the limit.
  [[nodiscard]] std::size_t growth(std::size_t n) const noexcept {
    return std::min(2 * n, shared_.options.gather_bytes_max);
  }

  // Gathered memory counts against the bound from when the reader is done with it; unless a guard
  // or a share holds it, that is no time at all.
  void give_back_gathered(Record* block) noexcept {
    if (reclaimer_.sole_holder(block)) {
      gathers_.recycle(block);
      return;
    }
    reclaimer_.retire(block);
  }

  // --- Waiting -----------------------------------------------------------------------------------

  // The run and what is ahead hold fewer than n bytes: finds out why, or waits for a change.
  // `ok` means: look again.
  ReadStatus wait_for_more(std::size_t n, const Wait& wait, bool consuming,
                           bool may_gather = true) {
    if (shared_.ended()) {
      // A writer that ended because of a cancel must not hide it.
      if (shared_.is_cancelled()) return ReadStatus::ok;
      if (next_unseen() != nullptr) return ReadStatus::ok;  // Published before the end.
      return shared_.end_seen() == Shared::kFailed ? ReadStatus::failed : ReadStatus::end;
    }
    // What was seen since the run was looked for may be its beginning; or seals alone, which have
    // no bytes and give back what the writer may wait for.
    if (cursor.size() == 0 && ahead_slots_ != 0) return ReadStatus::ok;
    const bool cannot_be_one_run = ahead_slots_ != 0 || gathered_ != nullptr;
    if (n > shared_.options.gather_bytes_max && cannot_be_one_run && may_gather) {
      return ReadStatus::limit_exceeded;
    }
    let_writer_know();
    const std::uint32_t starved = starved_seen();
    if (next_unseen() == nullptr && writer_blocked(starved)) {
      if (!consuming) uncharge_lingering();
      const std::size_t all = cursor.size() + ahead_bytes_;
      if (run_slots_ + ahead_slots_ != 0 && all != 0) {
        // The writer waits for what the reader waits to have more of.
        const bool too_many = std::max(n, all) > shared_.options.gather_bytes_max;
        // A pool that others use up is no limit of this call: then copying keeps the stream going.
        const bool by_pool = (starved & Shared::kWantMask) == Shared::kWantsPool;
        if (too_many || !(may_gather || by_pool)) return ReadStatus::limit_exceeded;
        feed_writer(all, consuming);
        return ReadStatus::ok;
      }
      if (retention_blocks_writer()) {
        reclaimer_.catch_up();
        if (retention_blocks_writer()) return wait_for_drop(wait);
      }
    }
    return wait_for_change(wait, starved);
  }

  // Gathers all that is buffered, so that its memory and its slots are free for the writer.
  void feed_writer(std::size_t all, bool consuming) {
    gather(all, growth(all), consuming);
    if (!consuming) uncharge_lingering();
    let_writer_know();
  }

  // Whether the writer, who wants room, would still find none.
  [[nodiscard]] bool writer_blocked(std::uint32_t starved) const noexcept {
    const std::uint32_t want = starved & Shared::kWantMask;
    if (want == Shared::kFed) return false;
    if (want == Shared::kWantsPool) return true;
    // Either may be what the writer still lacks, whichever it lacked first.
    return !room_for_writer() ||
           lingering_slots_ + run_slots_ + ahead_slots_ >= shared_.queue.capacity();
  }
  [[nodiscard]] bool room_for_writer() const noexcept {
    // Relaxed: published by (S4).
    return shared_.fits(shared_.account.used(), shared_.starved_bytes.load(relaxed));
  }
  [[nodiscard]] bool retention_blocks_writer() const noexcept {
    return (starved_seen() & Shared::kWantMask) == Shared::kWantsRoom && !room_for_writer() &&
           shared_.account.retained() != 0;
  }
  [[nodiscard]] std::uint32_t starved_seen() const noexcept {
    // (S5) acquire load, synchronizes-with the release store (S4): sees the bytes wanted.
    return shared_.starved.load(acquire);
  }

  // Guards and shares hold all the memory. Waits until that changes, for retention_grace after the
  // last drop.
  ReadStatus wait_for_drop(const Wait& wait) {
    if (shared_.options.retention_grace.count() == 0) return ReadStatus::exhausted;
    if (!wait.allowed) return ReadStatus::would_block;
    reclaimer_.hear_drops();
    // Relaxed, all of the watch: a clock is started anew, no data depends on it.
    shared_.drop_watch.armed.store(1, relaxed);
    const std::uint64_t drops = shared_.drop_watch.drops.load(relaxed);
    const Deadline grace = Deadline::after(shared_.options.retention_grace);
    const Wait bounded{.deadline = std::min(wait.deadline, grace), .stop = wait.stop};
    if (lingering_blocks_ != nullptr) reclaimer_.watch_guards();
    const auto freed = [this] {
      uncharge_lingering_blocks(&Reclaimer<P>::uncharge_watched);
      return !retention_blocks_writer();
    };
    ReadStatus status = await(freed, bounded);
    const bool dropped = shared_.drop_watch.drops.load(relaxed) != drops;
    shared_.drop_watch.armed.store(0, relaxed);
    if (status == ReadStatus::timed_out && !wait.deadline.passed()) {
      status = dropped ? ReadStatus::ok : ReadStatus::exhausted;
    }
    return status;
  }

  ReadStatus wait_for_change(const Wait& wait, std::uint32_t starved) {
    if (shared_.source != nullptr) {
      switch (shared_.source->pull(wait)) {
        case ByteSource::Pull::progress:
          return ReadStatus::ok;
        case ByteSource::Pull::would_block:
          return ReadStatus::would_block;
        case ByteSource::Pull::timed_out:
          return ReadStatus::timed_out;
        case ByteSource::Pull::stopped:
          return ReadStatus::stopped;
        case ByteSource::Pull::elsewhere:
          break;
      }
    }
    // Relaxed: as above.
    const auto change = [this, starved] {
      return starved_seen() != starved || (shared_.source != nullptr && shared_.source->changed());
    };
    return await(change, wait);
  }

  // Whether there is a slice that was not seen, an end or a cancel.
  [[nodiscard]] bool changed() noexcept {
    return next_unseen() != nullptr || shared_.is_cancelled() || shared_.ended();
  }

  // Waits for a slice, an end, a cancel, or for `change` to hold.
  template <class Change>
  ReadStatus await(Change&& change, const Wait& wait) {
    const auto ready = [&] { return changed() || change(); };
    if (!wait.allowed) return ready() ? ReadStatus::ok : ReadStatus::would_block;
    shared_.reader_event.disarm();
    switch (shared_.reader_event.await(ready, wait.deadline, wait.stop)) {
      case WaitStatus::timed_out:
        return ReadStatus::timed_out;
      case WaitStatus::stopped:
        return ReadStatus::stopped;
      case WaitStatus::ready:
        break;
    }
    return ReadStatus::ok;
  }

  using Counter = typename P::template atomic<std::uint64_t>;
  // Relaxed: one writer, and readers that want no more than a figure.
  static void count(Counter& counter, std::uint64_t by = 1) noexcept {
    counter.store(counter.load(relaxed) + by, relaxed);
  }

  Shared& shared_;
  Reclaimer<P> reclaimer_;
  GatherMemory<P> gathers_;
  Record* gathered_ = nullptr;              // the run's memory, when it was gathered
  Retirable* lingering_gathers_ = nullptr;  // gathered memory of which views may be looked at
  Retirable* lingering_blocks_ = nullptr;   // blocks of lingering slots that were given back early
  const std::byte* linger_mark_ = nullptr;  // where the cursor stood when they were left
  std::size_t lingering_slots_ = 0;
  std::size_t run_slots_ = 0;
  std::size_t ahead_slots_ = 0;
  std::size_t ahead_bytes_ = 0;   // without what was gathered of the first slot
  std::size_t ahead_offset_ = 0;  // bytes of the first slot ahead that were gathered
  std::uint64_t run_bytes_ = 0;   // bytes of all runs, the present one included
  Counter bytes_out_{0};
  Counter copied_{0};
  Counter gathers_made_{0};
};

}  // namespace detail
}  // namespace forebay
