// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a reader does that finds too little: it tells the writer of what it gave back, makes room
// for a writer that waits for the reader, and then waits itself; or says why that would be for
// ever. Thread role of every member: the reader.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "forebay/detail/stream_reader_ring.h"

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
class ReaderWait {
  using Shared = StreamShared<P>;

 public:
  ReaderWait(Shared& shared, ReaderRing<P>& ring) noexcept : shared_(shared), ring_(ring) {}

  /// The run and what is ahead hold fewer than n bytes: finds out why, or waits for a change.
  /// `ok` means: look again.
  ReadStatus for_more(std::size_t n, const Wait& wait, bool consuming, bool may_gather = true) {
    if (shared_.ended()) {
      // A writer that ended because of a cancel must not hide it.
      if (shared_.is_cancelled()) return ReadStatus::ok;
      if (ring_.next_unseen() != nullptr) return ReadStatus::ok;  // Published before the end.
      return shared_.end_seen() == Shared::kFailed ? ReadStatus::failed : ReadStatus::end;
    }
    // What was seen since the run was looked for may be its beginning; or seals alone, which have
    // no bytes and give back what the writer may wait for.
    if (ring_.cursor.size() == 0 && ring_.ahead_slots() != 0) return ReadStatus::ok;
    const bool cannot_be_one_run = ring_.ahead_slots() != 0 || ring_.run_is_gathered();
    if (n > shared_.options.gather_bytes_max && cannot_be_one_run && may_gather) {
      return ReadStatus::limit_exceeded;
    }
    ring_.let_writer_know();
    const std::uint32_t starved = starved_seen();
    if (ring_.next_unseen() == nullptr && writer_blocked(starved)) {
      if (!consuming) ring_.uncharge_lingering();
      const std::size_t all = ring_.seen_bytes();
      if (ring_.slots_in_use()) {
        // They have bytes, by the above: the writer waits for what the reader waits to have more
        // of.
        const bool too_many = std::max(n, all) > shared_.options.gather_bytes_max;
        // A pool that others use up is no limit of this call: then copying keeps the stream going.
        const bool by_pool = (starved & Shared::kWantMask) == Shared::kWantsPool;
        if (too_many || !(may_gather || by_pool)) return ReadStatus::limit_exceeded;
        feed_writer(all, consuming);
        return ReadStatus::ok;
      }
      if (retention_blocks_writer()) {
        ring_.reclaimer.catch_up();
        if (retention_blocks_writer()) return wait_for_drop(wait);
      }
    }
    return wait_for_change(wait, starved);
  }

  /// Has a callback run when there is something to read, an end or a cancel, or when the writer
  /// wants room that a read gives. False when that is so already.
  [[nodiscard]] bool arm(void (*callback)(void*), void* context, std::uint32_t starved) {
    // What guards alone keep from the writer is for the next read to give back, when they are gone.
    const bool held = ring_.blocks_linger() && retention_blocks_writer();
    if (held) ring_.reclaimer.watch_guards();
    return shared_.reader_event.arm(callback, context, [this, starved, held] {
      return changed() || starved_seen() != starved || (held && ring_.reclaimer.guards_gone());
    });
  }

  [[nodiscard]] std::uint32_t starved_seen() const noexcept {
    // (S5) acquire load, synchronizes-with the release store (S4): sees the bytes wanted.
    return shared_.starved.load(acquire);
  }

 private:
  // Gathers all that is buffered, so that its memory and its slots are free for the writer.
  void feed_writer(std::size_t all, bool consuming) {
    ring_.gather(all, ring_.growth(all), consuming);
    if (!consuming) ring_.uncharge_lingering();
    ring_.let_writer_know();
  }

  // Whether the writer, who wants room, would still find none.
  [[nodiscard]] bool writer_blocked(std::uint32_t starved) const noexcept {
    const std::uint32_t want = starved & Shared::kWantMask;
    if (want == Shared::kFed) return false;
    if (want == Shared::kWantsPool) return true;
    // Either may be what the writer still lacks, whichever it lacked first.
    return !room_for_writer() || ring_.slots() >= shared_.queue.capacity();
  }
  [[nodiscard]] bool room_for_writer() const noexcept {
    // Relaxed: published by (S4).
    return shared_.fits(shared_.account.used(), shared_.starved_bytes.load(relaxed));
  }
  [[nodiscard]] bool retention_blocks_writer() const noexcept {
    return (starved_seen() & Shared::kWantMask) == Shared::kWantsRoom && !room_for_writer() &&
           shared_.account.retained() != 0;
  }

  // Guards and shares hold all the memory. Waits until that changes, for retention_grace after the
  // last drop.
  ReadStatus wait_for_drop(const Wait& wait) {
    if (shared_.options.retention_grace.count() == 0) return ReadStatus::exhausted;
    if (!wait.allowed) return ReadStatus::would_block;
    ring_.reclaimer.hear_drops();
    // Relaxed, all of the watch: a clock is started anew, no data depends on it.
    shared_.drop_watch.armed.store(1, relaxed);
    const std::uint64_t drops = shared_.drop_watch.drops.load(relaxed);
    const Deadline grace = Deadline::after(shared_.options.retention_grace);
    const Wait bounded{.deadline = std::min(wait.deadline, grace), .stop = wait.stop};
    if (ring_.blocks_linger()) ring_.reclaimer.watch_guards();
    const auto freed = [this] {
      ring_.uncharge_lingering_blocks(&Reclaimer<P>::uncharge_watched);
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
    return ring_.next_unseen() != nullptr || shared_.is_cancelled() || shared_.ended();
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

  Shared& shared_;
  ReaderRing<P>& ring_;
};

}  // namespace detail
}  // namespace forebay
