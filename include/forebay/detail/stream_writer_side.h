// SPDX-License-Identifier: Apache-2.0
#pragma once

// The writer's half of a stream: admission against the bound, and publication of slices.
// Thread role of every member that does not say otherwise: the writer.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "forebay/detail/stream_shared.h"

namespace forebay {

/// How an attempt to add a chunk ended.
enum class PushStatus : std::uint8_t {
  ok,
  would_block,  ///< no room within the bound; the chunk is still the caller's
  timed_out,    ///< no room before the deadline; the chunk is still the caller's
  stopped,      ///< stop was requested first; the chunk is still the caller's
  cancelled,    ///< the reader is gone or gave up; nothing can be added any more
  finished,     ///< finish() or fail() was called; nothing can be added any more
};

namespace detail {

template <class P>
class WriterSide {
  using Shared = StreamShared<P>;
  using Record = BasicBlock<P>;

 public:
  explicit WriterSide(Shared& shared) noexcept : shared_(shared) {}

  /// Takes the block and publishes the bytes as its only slice. On any status but ok the block is
  /// still the caller's.
  PushStatus add(Record* block, const std::byte* data, std::size_t size, const Wait& wait) {
    const PushStatus status = wait_for_room(block->capacity_bytes, wait);
    if (status != PushStatus::ok) return status;
    charge(block);
    publish(Slice{data, size | Slice::kSealed, {block}}, size);
    return PushStatus::ok;
  }

  /// Takes borrowed memory and publishes it, named `number` in the stream's ReleaseTable. On any
  /// status but ok it is still the caller's.
  PushStatus add_borrowed(std::span<const std::byte> bytes, std::uint64_t number, void* context,
                          const Wait& wait) {
    const PushStatus status = wait_for_room(bytes.size(), wait);
    if (status != PushStatus::ok) return status;
    charge(bytes.size());
    Slice slice{bytes.data(), bytes.size() | number << Slice::kReleaseShift | Slice::kSealed, {}};
    slice.context = context;
    publish(slice, bytes.size());
    return PushStatus::ok;
  }

  /// Waits until `bytes` more fit the bound and the ring takes a slice.
  PushStatus wait_for_room(std::size_t bytes, const Wait& wait) {
    if (const PushStatus status = state(); status != PushStatus::ok) return status;
    if (has_room(bytes)) [[likely]] {
      declare_fed();
      return PushStatus::ok;
    }
    count(bound_hits_);
    declare_starved(bytes);
    if (!wait.allowed) {
      if (!has_room_untold(bytes)) return PushStatus::would_block;
      declare_fed();  // Room has come between the look and the declaration.
      return PushStatus::ok;
    }
    shared_.writer_event.disarm();
    const WaitStatus waited = shared_.writer_event.await(
        [&] { return state() != PushStatus::ok || has_room(bytes); }, wait.deadline, wait.stop);
    switch (waited) {
      case WaitStatus::timed_out:
        return PushStatus::timed_out;
      case WaitStatus::stopped:
        return PushStatus::stopped;
      case WaitStatus::ready:
        break;
    }
    declare_fed();
    return state();
  }

  /// Charges a block that has been given room to this stream.
  void charge(Record* block) noexcept {
    block->home = &shared_;
    block->viewed = false;
    block->charge_bytes.store(block->capacity_bytes, relaxed);  // Relaxed: published by (Q1).
    charge(block->capacity_bytes);
  }

  /// Publishes a slice; the ring must have room. The last slice of a block is sealed, by itself or
  /// by an empty slice after it, or the block is named when the stream ends.
  void publish(Slice slice, std::size_t size) noexcept {
    const bool pushed = shared_.queue.try_push(std::move(slice));
    FOREBAY_ASSERT(pushed, "a slice was published without room in the ring");
    (void)pushed;
    count(bytes_in_, size);
    count(slices_in_);
    shared_.reader_event.notify();
  }

  /// There is room within the bound, but the pool has no block to fill it: the reader may hold
  /// those that this stream is entitled to. Counts until room is found again, or fed() is called.
  void declare_pool_starved() noexcept { declare(Shared::kWantsPool); }
  void fed() noexcept { declare_fed(); }

  /// Takes the charge of a block back of which nothing was published, and destroys the block.
  void abandon(Record* block) noexcept {
    shared_.account.uncharge(block->capacity_bytes);
    block->destroy(block, true);
  }

  /// Any thread, but not while the writer publishes. `unsealed`: a block of which slices were
  /// published, and none of them sealed. True for the call that ended the stream.
  bool end(std::exception_ptr error, Record* unsealed = nullptr) noexcept {
    return shared_.end_with(std::move(error), unsealed);
  }

  /// Whether anything can be added at all.
  [[nodiscard]] PushStatus state() const noexcept {
    if (shared_.is_cancelled()) return PushStatus::cancelled;
    // Relaxed: the writer reads no data that the end publishes.
    if (shared_.end.load(relaxed) != Shared::kOpen) return PushStatus::finished;
    return PushStatus::ok;
  }

  /// Arms a callback for when what found no room last, or else any one byte, may fit, or nothing
  /// ever will. False when that is so already.
  [[nodiscard]] bool arm(void (*callback)(void*), void* context) noexcept {
    const auto writable = [this] {
      return state() != PushStatus::ok || has_room_untold(wanted_bytes_);
    };
    if (writable()) return false;
    declare_starved(wanted_bytes_);
    return shared_.writer_event.arm(callback, context, writable);
  }

  [[nodiscard]] bool has_room(std::size_t bytes) noexcept {
    if (!shared_.queue.has_room()) return false;
    if (shared_.fits(shared_.account.used_at_most(released_), bytes)) [[likely]]
      return true;
    // Looks at what was given back only when that may matter. The writer may have asked for more
    // than it has been told since.
    released_ = std::max(released_, shared_.account.released());
    return shared_.fits(shared_.account.used_at_most(released_), bytes);
  }

  /// The same for who does not wait, and so is not told in time: looks on the reader's own line.
  [[nodiscard]] bool has_room_untold(std::size_t bytes) noexcept {
    released_ = shared_.account.given_back_untold();
    return has_room(bytes);
  }

  // Any thread: figures that may lag.
  [[nodiscard]] std::uint64_t bytes_in() const noexcept { return bytes_in_.load(relaxed); }
  [[nodiscard]] std::uint64_t slices_in() const noexcept { return slices_in_.load(relaxed); }
  [[nodiscard]] std::uint64_t bytes_peak() const noexcept { return peak_.load(relaxed); }
  [[nodiscard]] std::uint64_t bound_hits() const noexcept { return bound_hits_.load(relaxed); }

 private:
  using Counter = typename P::template atomic<std::uint64_t>;

  void charge(std::size_t bytes) noexcept {
    shared_.account.charge(bytes);
    const std::uint64_t used = shared_.account.used_at_most(released_);
    if (used > peak_.load(relaxed)) peak_.store(used, relaxed);
  }

  void declare_starved(std::size_t bytes) noexcept {
    wanted_bytes_ = bytes;
    shared_.starved_bytes.store(bytes, relaxed);  // Relaxed: published by (S4).
    declare(Shared::kWantsRoom);
  }

  void declare(std::uint32_t want) noexcept {
    // Relaxed: the writer's own.
    const std::uint32_t times = (shared_.starved.load(relaxed) | Shared::kWantMask) + 1;
    // (S4) release store, synchronizes-with the acquire load (S5): publishes the bytes wanted.
    shared_.starved.store(times | want, release);
    shared_.reader_event.notify();
  }

  // The last declaration does not count any more, whether the writer waits or tries now and then.
  void declare_fed() noexcept {
    // Relaxed, both: the writer's own; a reader that misses it gives back more than it has to.
    const std::uint32_t starved = shared_.starved.load(relaxed);
    if ((starved & Shared::kWantMask) == Shared::kFed) [[likely]]
      return;
    wanted_bytes_ = 1;
    shared_.starved.store(starved & ~std::uint32_t{Shared::kWantMask}, relaxed);
  }

  // Relaxed: one writer, and readers that want no more than a figure.
  static void count(Counter& counter, std::uint64_t by = 1) noexcept {
    counter.store(counter.load(relaxed) + by, relaxed);
  }

  Shared& shared_;
  std::uint64_t released_ = 0;  // Account::released() when the writer looked last
  alignas(kInterferenceBytes) Counter bytes_in_{0};
  Counter slices_in_{0};
  Counter bound_hits_{0};
  Counter peak_{0};
  std::size_t wanted_bytes_ = 1;  // what found no room last; any one byte after something did
};

}  // namespace detail
}  // namespace forebay
