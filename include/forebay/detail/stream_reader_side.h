// SPDX-License-Identifier: Apache-2.0
#pragma once

// The reader's half of a stream: the calls that bring bytes under the cursor. Thread role of every
// member that does not say otherwise: the reader.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "forebay/byte_view.h"
#include "forebay/detail/stream_reader_ring.h"
#include "forebay/detail/stream_reader_wait.h"

namespace forebay::detail {

template <class P>
class ReaderSide {
  using Shared = StreamShared<P>;
  using Record = BasicBlock<P>;

 public:
  explicit ReaderSide(Shared& shared)
      : cursor_(shared.cursor), shared_(shared), ring_(shared), wait_(shared, ring_) {}

  /// Brings n contiguous bytes under the cursor. `consuming`: earlier views have ended their life.
  ReadStatus ensure(std::size_t n, const Wait& wait, bool consuming) {
    // Where bytes were consumed since something was left to linger, the views of it are dead.
    if (consuming || cursor_.current != linger_mark_) ring_.give_back_lingering();
    const FastPath fast_path(*this, consuming);
    return bring(n, wait, consuming);
  }

  /// Brings everything up to the end of the stream under the cursor.
  ReadStatus ensure_all(const Wait& wait) {
    const FastPath fast_path(*this);
    ring_.give_back_lingering();
    for (;;) {
      if (const ReadStatus status = prepare(true); status != ReadStatus::ok) return status;
      ring_.look_ahead(SIZE_MAX);
      const std::size_t all = ring_.seen_bytes();
      if (all > shared_.options.gather_bytes_max && ring_.ahead_bytes() != 0) {
        return ReadStatus::limit_exceeded;
      }
      const ReadStatus status = wait_.for_more(0, wait, true);
      if (status == ReadStatus::end) {
        ring_.move_run_on(true);
        if (ring_.ahead_bytes() != 0) ring_.gather(all, all, true);
        return ReadStatus::ok;
      }
      if (status != ReadStatus::ok) return status;
    }
  }

  /// Makes run and ring hold n bytes without gathering them, and take_slice() have them.
  ReadStatus ensure_buffered(std::size_t n, const Wait& wait) {
    const FastPath fast_path(*this);
    ring_.give_back_lingering();
    for (;;) {
      if (const ReadStatus status = prepare(true); status != ReadStatus::ok) return status;
      if (n <= cursor_.size()) return ReadStatus::ok;
      ring_.look_ahead(n - cursor_.size());
      if (n - cursor_.size() <= ring_.ahead_bytes()) {
        ring_.attach_ahead();
        return ReadStatus::ok;
      }
      const ReadStatus status = wait_.for_more(n, wait, true, /*may_gather=*/false);
      if (status != ReadStatus::ok) return status;
    }
  }

  /// Consumes n bytes of the run, which holds them, and returns them.
  ByteView take(std::size_t n) noexcept { return cursor_.take(n); }

  /// Consumes what is left of the run and goes on to the slice after it, which ensure_buffered()
  /// has seen, without giving anything back: the views of one read_gather() all stay good. Does
  /// not throw, since every slice has its block.
  ByteView take_slice(std::size_t most) {
    const FastPath fast_path(*this);
    if (cursor_.size() == 0) ring_.next_run(false);
    return take(std::min(most, cursor_.size()));
  }

  /// To be called when a call leaves slots whose views are good: they are until the cursor moves
  /// on.
  void mark_lingering() noexcept { linger_mark_ = cursor_.current; }

  /// At most so many views make up the next n bytes, which are there.
  [[nodiscard]] std::size_t pieces(std::size_t n) const noexcept {
    return n <= cursor_.size() ? 1 : 1 + ring_.ahead_slots();
  }

  /// Bytes that can be had without waiting.
  std::size_t available() noexcept {
    ring_.look_ahead(SIZE_MAX - cursor_.size());
    return ring_.seen_bytes();
  }

  /// Counts bytes that a read copied out.
  void count_copied(std::size_t bytes) noexcept { ring_.count_copied(bytes); }

  [[nodiscard]] BasicGuard<P> pin() { return ring_.reclaimer.pin(); }

  /// Whether the stream ended and everything was consumed. Never waits.
  [[nodiscard]] bool finished() noexcept {
    return shared_.ended() && cursor_.size() == 0 && available() == 0;
  }

  /// Arms a callback for when a read of one byte would not wait, or the writer wants room that a
  /// read gives. False when that is so already.
  [[nodiscard]] bool arm(void (*callback)(void*), void* context) {
    const std::uint32_t starved = wait_.starved_seen();
    if (ensure(1, Wait::none(), false) != ReadStatus::would_block) return false;
    return wait_.arm(callback, context, starved);
  }

  /// The reader is gone: gives back all it held; `last` is reclaimed when no guard is left.
  void close(Retirable* last) noexcept {
    ring_.discard();
    if (shared_.ended()) {
      // The last block, if its writer ended the stream without sealing it.
      Block* const block = std::exchange(shared_.unsealed_at_end, nullptr);
      if (block != nullptr) ring_.retire(static_cast<Record*>(block));
    }
    ring_.reclaimer.close(last);
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
  [[nodiscard]] std::uint64_t bytes_copied() const noexcept { return ring_.bytes_copied(); }
  [[nodiscard]] std::uint64_t gathers() const noexcept { return ring_.gathers(); }

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
      if (side.cursor_.block != nullptr) side.cursor_.block->viewed = true;
      side.shared_.open_fast_path(side.cursor_.end);
    }
    ReaderSide& side;
    const bool consuming;
  };

  ReadStatus bring(std::size_t n, const Wait& wait, bool consuming) {
    for (;;) {
      if (const ReadStatus status = prepare(consuming); status != ReadStatus::ok) return status;
      if (n <= cursor_.size()) return ReadStatus::ok;
      ring_.look_ahead(n - cursor_.size());
      if (n - cursor_.size() <= ring_.ahead_bytes()) {
        // What came since prepare() may go on where the run ends.
        ring_.move_run_on(consuming);
        if (n <= cursor_.size()) return ReadStatus::ok;
        if (n > shared_.options.gather_bytes_max) return ReadStatus::limit_exceeded;
        ring_.gather(n, n, consuming);
        return ReadStatus::ok;
      }
      const ReadStatus status = wait_.for_more(n, wait, consuming);
      if (status != ReadStatus::ok) return status;
    }
  }

  // Brings the next bytes under the cursor, if it has none, and as many as are contiguous.
  ReadStatus prepare(bool consuming) {
    // Relaxed: a figure.
    bytes_out_.store(ring_.bytes_passed(), relaxed);
    if (shared_.is_cancelled()) {
      if (consuming) ring_.discard();
      return ReadStatus::cancelled;
    }
    ring_.move_run_on(consuming);
    return ReadStatus::ok;
  }

  Cursor<P>& cursor_;
  Shared& shared_;
  ReaderRing<P> ring_;
  ReaderWait<P> wait_;
  const std::byte* linger_mark_ = nullptr;  // where the cursor stood when something was left
  typename P::template atomic<std::uint64_t> bytes_out_{0};
};

}  // namespace forebay::detail
