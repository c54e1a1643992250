// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the two sides of a stream share: the ring, the ends, the books and the two event counts.
//
// Ends: the writer's end is one word. finish() and fail() claim it, and the first wins; an error is
// written between the claim and its publication. cancel() is a word of its own. A reader that sees
// the end looks at the ring once more, since what was published before the end is still to be read.

#include <cstddef>
#include <cstdint>
#include <exception>
#include <stop_token>

#include "forebay/byte_view.h"
#include "forebay/detail/account.h"
#include "forebay/detail/block.h"
#include "forebay/detail/borrowed.h"
#include "forebay/detail/process.h"
#include "forebay/event_count.h"
#include "forebay/spsc_queue.h"
#include "forebay/stream_options.h"

namespace forebay::detail {

/// How long an operation may wait.
struct Wait {
  bool allowed = true;  // false: try once
  Deadline deadline = Deadline::never();
  std::stop_token stop = {};

  [[nodiscard]] static Wait none() { return {.allowed = false}; }
};

/// Something that receives on the reader's own thread when the reader has nothing to read.
class ByteSource {
 public:
  enum class Pull : std::uint8_t {
    progress,   // look again: bytes or an end were published, or memory is wanted
    elsewhere,  // another thread receives: wait for its word
    would_block,
    timed_out,
    stopped,
  };
  /// Thread role: the reader.
  virtual Pull pull(const Wait& wait) = 0;
  /// Thread role: the reader, after pull() said elsewhere. Whether pull() should be called again.
  [[nodiscard]] virtual bool changed() const noexcept = 0;
  /// Thread role: any. Makes a wait in the source end: the stream was cancelled.
  virtual void interrupt() noexcept = 0;

 protected:
  ~ByteSource() = default;
};

/// Where the reader reads: the rest of its run. All of it the reader's, but for what cancel() does.
/// The reader writes it for every run and every read, so nothing that others look at may be near.
template <class P>
struct alignas(kInterferenceBytes) Cursor {
  const std::byte* current = nullptr;
  // Where the fast path must stop: the end of the run, or null once the stream is cancelled. So a
  // cancel counts for the very next read, and no read looks at a flag.
  typename P::template atomic<const std::byte*> fast_end{nullptr};
  const std::byte* end = nullptr;
  Block* block = nullptr;

  [[nodiscard]] std::size_t size() const noexcept {
    return static_cast<std::size_t>(end - current);
  }
  /// Consumes n bytes, which are there, and returns them.
  ByteView take(std::size_t n) noexcept {
    const ByteView view(current, n, block);
    current += n;
    return view;
  }
  void set(const std::byte* first, const std::byte* last, Block* of) noexcept {
    current = first;
    end = last;
    block = of;
  }
};

template <class P>
struct StreamShared {
  enum End : std::uint32_t { kOpen, kClaimed, kFinished, kFailed };
  enum Want : std::uint32_t { kFed, kWantsRoom, kWantsPool, kWantMask };

  StreamShared(const StreamOptions& stream_options, void (*destroyer)(StreamShared*) noexcept)
      : options(stream_options),
        destroy(destroyer),
        reader_event(spin_ns(stream_options)),
        writer_event(spin_ns(stream_options)),
        queue(stream_options.max_items) {}

  // First, so that a read finds it at small offsets: processors forward what one read stores to the
  // load of the next without the way through memory then.
  Cursor<P> cursor;
  const StreamOptions options;
  void (*const destroy)(StreamShared*) noexcept;
  Account<P> account;
  DropWatch<P> drop_watch;
  BasicEventCount<P> reader_event;  // waiter: the reader; for bytes, the end, cancel, starvation
  BasicEventCount<P> writer_event;  // waiter: the writer; for room, cancel
  SpscQueue<Slice, P> queue;
  ReleaseTable releases;  // written before a slice that names a function, and published with it

  alignas(kInterferenceBytes) typename P::template atomic<std::uint32_t> end{kOpen};
  typename P::template atomic<std::uint32_t> cancelled{0};
  // What the writer wants that is not there. Tells the reader that waiting for more without giving
  // something back would be for ever. In the low bits a Want, above them how often there was one,
  // so that a waiting reader notices the next.
  typename P::template atomic<std::uint32_t> starved{kFed};
  typename P::template atomic<std::uint64_t> starved_bytes{0};
  // Written between claiming the end and publishing it; read after (S2).
  std::exception_ptr error;
  Block* unsealed_at_end = nullptr;
  // Set before the stream is used and reset after: no order needed.
  ByteSource* source = nullptr;
  // The writer, the reader with its guards, and every SharedBytes hold one.
  alignas(kInterferenceBytes) typename P::template atomic<std::uint64_t> references{2};
  const Birthplace birthplace;

  /// Any thread that holds a reference.
  void add_reference() noexcept { references.fetch_add(1, relaxed); }  // Relaxed: one is held.
  /// Any thread. The last one destroys the stream.
  void drop_reference() noexcept {
    // (S3) acq_rel subtraction, synchronizes-with itself: all uses come before the destruction.
    if (references.fetch_sub(1, acq_rel) == 1) destroy(this);
  }

  [[nodiscard]] bool is_cancelled() const noexcept {
    return cancelled.load(relaxed) != 0;  // Relaxed: carries no data.
  }
  /// Reader: opens the fast path up to `run_end`, unless the stream was cancelled.
  void open_fast_path(const std::byte* run_end) noexcept {
    // Relaxed: the reader's own value, or the null of a cancel, which stays.
    if (cursor.fast_end.load(relaxed) == run_end) return;
    cursor.fast_end.store(run_end, relaxed);  // Relaxed: ordered by (S6).
    P::light_barrier();  // (S6) pairs with the heavy barrier (S7): opened before the look.
    if (is_cancelled())
      cursor.fast_end.store(nullptr, relaxed);  // Relaxed: only the reader reads it.
  }
  [[nodiscard]] std::uint32_t end_seen() const noexcept {
    // (S2) acquire load, synchronizes-with the release operations (S1): sees the error, and all
    // that was published before the end.
    return end.load(acquire);
  }
  [[nodiscard]] bool ended() const noexcept { return end_seen() >= kFinished; }

  /// Any thread. True for the call that ended the stream.
  bool end_with(std::exception_ptr failure, Block* unsealed) noexcept {
    std::uint32_t expected = kOpen;
    // Relaxed: a claim; what it protects is published by (S1).
    if (!end.compare_exchange_strong(expected, kClaimed, relaxed, relaxed)) return false;
    unsealed_at_end = unsealed;
    const std::uint32_t kind = failure == nullptr ? kFinished : kFailed;
    error = std::move(failure);
    // (S1) release store, synchronizes-with the acquire load (S2): publishes the error and the end.
    end.store(kind, release);
    reader_event.notify();
    writer_event.notify();
    return true;
  }

  /// Any thread.
  void cancel() noexcept {
    cancelled.store(1, relaxed);  // Relaxed: the barriers order it.
    // (S7) pairs with the light barrier (S6): a reader that opens its fast path does so before the
    // null, or sees the cancel.
    P::heavy_barrier();
    cursor.fast_end.store(nullptr, relaxed);  // Relaxed: ordered by (S7).
    wake_cancelled();
  }

  /// The same for when the reader is gone and has no fast path.
  void cancel_by_reader() noexcept {
    cancelled.store(1, relaxed);  // Relaxed: carries no data; the event counts order the sleep.
    wake_cancelled();
  }

  /// Any thread. Whether a charge of `bytes` would be within the bound.
  [[nodiscard]] bool fits(std::uint64_t used, std::uint64_t bytes) const noexcept {
    return bytes == 0 || used == 0 ||
           (used <= options.max_bytes && bytes <= options.max_bytes - used);
  }

  /// Reader: gives the charge of a block back that nobody else holds. While the reader has bytes to
  /// read, the writer is told of an eighth of the bound at a time, and woken when half of it is
  /// free: a wake costs more than many reads. Before the reader waits, it tells and wakes in any
  /// case.
  void give_back_soon(std::uint64_t bytes) noexcept {
    account.give_back_by_reader(bytes);
    if (account.untold() >= options.max_bytes / 8) tell();
  }
  void tell() noexcept {
    account.tell();
    writer_event.notify_if([this] { return account.used() <= options.max_bytes / 2; });
  }

  /// Gives the charge of a block back, and wakes who waits for it.
  void give_back(std::uint64_t bytes, bool by_reader) noexcept {
    if (by_reader) {
      account.give_back_by_reader(bytes);
      tell();
    } else {
      account.give_back_by_others(bytes);
      writer_event.notify();
      reader_event.notify();
    }
  }

 private:
  void wake_cancelled() noexcept {
    reader_event.notify();
    writer_event.notify();
    if (source != nullptr) source->interrupt();
  }

  static std::uint32_t spin_ns(const StreamOptions& options) noexcept {
    constexpr std::int64_t kMax = 1'000'000'000;
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(options.spin_max.count(), 0, kMax));
  }
};

}  // namespace forebay::detail
