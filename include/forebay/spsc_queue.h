// SPDX-License-Identifier: Apache-2.0
#pragma once

// SpscQueue: a bounded queue from one producer thread to one consumer thread.
//
//     SpscQueue<int> queue{1024};
//     queue.try_push(1);                 // producer thread
//     int item; queue.try_pop(item);     // consumer thread
//
// Layout: items stand in lines, lines in segments. A line holds a few items beside one state word,
// which is the number of items pushed when the last of them was; so the flag travels to the
// consumer with the data, and neither side reads the other's index to learn that an item is there.
// Small items share a cache line with their state. Where only one fits, it and its state stand as
// close to the next as they can, since what the queue costs is the cache lines that it moves. The
// producer asks for those it will write a few lines ahead. Segments are some 4 KiB. The producer
// fills one, links the next to it and goes on; the consumer follows the links and gives a segment
// back when it leaves it. The producer takes the one that came back last: while the consumer keeps
// up, the two go round in a few segments that stay in the nearest cache, where writing a line that
// the other side has read costs a fraction of what it costs elsewhere, however large the queue may
// grow when the consumer does not keep up. Beside whole segments the consumer gives slots back a
// quarter of the capacity at a time; the queue has that quarter as room on top, and the consumer
// gives everything back whenever it finds the queue empty, so that the delay is never seen.
//
// Ordering: what the producer did before try_push() happens before what the consumer does after it
// got the item; what the consumer did before an item's slot is given back happens before the
// producer's use of that slot.
//
// Progress: every operation is wait-free. Nothing blocks: see EventCount for waiting.
//
// Synchronization: calls of one side must not overlap each other; the two sides need no order
// between them. Construction and destruction exclude all else. Each side may move to another thread
// when the caller orders the move.
//
// When not to use: with several producers or consumers; between processes.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "forebay/detail/assert.h"
#include "forebay/detail/atomic.h"

namespace forebay {

/// The queue: see the head of this file. `P` is the policy.
template <class T, class P = detail::SystemPolicy>
class SpscQueue {
  static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_destructible_v<T>,
                "items move between threads; a throwing move would leave a slot half filled");
  static constexpr std::size_t kLineBytes = 64;

 public:
  /// Items beside one state word: what a cache line holds, and eight where it holds none.
  static constexpr std::size_t kItemsPerLine =
      sizeof(T) <= kLineBytes - sizeof(std::uint64_t) && alignof(T) <= alignof(std::uint64_t)
          ? (kLineBytes - sizeof(std::uint64_t)) / sizeof(T)
          : 8;
  /// Largest capacity, in items.
  static constexpr std::size_t kCapacityMax = std::size_t{1} << 31;

  /// A queue that takes at least `capacity` items, 1 to kCapacityMax, beyond what was popped.
  /// Throws std::invalid_argument outside that range, std::bad_alloc.
  explicit SpscQueue(std::size_t capacity)
      : capacity_(checked(capacity)),
        release_batch_(std::max<std::size_t>(1, capacity / 4)),
        limit_(capacity + release_batch_ - 1),
        lines_per_segment_(
            std::clamp<std::size_t>(release_batch_ / kItemsPerLine, 1,
                                    std::max<std::size_t>(1, kSegmentBytes / sizeof(Line)))),
        // The limit may begin anywhere in a segment, behind one that the consumer has yet to leave.
        segment_count_((limit_ - 1) / segment_items() + 2),
        segments_(std::make_unique<Segment[]>(segment_count_)),
        lines_(std::make_unique<Line[]>(segment_count_ * lines_per_segment_)) {
    // Relaxed: no other thread has the queue yet.
    for (std::size_t i = 1; i + 1 < segment_count_; ++i) {
      segments_[i].next.store(&segments_[i + 1], detail::relaxed);
    }
    producer_.free = &segments_[1];
    producer_.oldest = &segments_[0];
    producer_.oldest_end = producer_.segment_end = segment_items();
    producer_.stop = std::min<std::uint64_t>(limit_, segment_items());
    consumer_.release_at = release_batch_;
    enter(producer_, segments_[0]);
    enter(consumer_, segments_[0]);
    looked_ = consumer_;
  }

  SpscQueue(const SpscQueue&) = delete;
  SpscQueue& operator=(const SpscQueue&) = delete;
  ~SpscQueue() {
    while (front() != nullptr) pop();
  }

  /// Items that fit at least. There may be room for a quarter more.
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

  /// Moves the item in and publishes it; on false the queue is full and `item` is untouched.
  /// Thread role: producer.
  [[nodiscard]] bool try_push(T&& item) noexcept { return push(std::move(item)); }
  /// Pushes a copy, otherwise as above.
  [[nodiscard]] bool try_push(
      const T& item) noexcept requires std::is_nothrow_copy_constructible_v<T> {
    return push(item);
  }

  /// Pushes from the front of `items` as many as fit and returns the count; they are moved from.
  /// One publication for each line of items. Thread role: producer.
  [[nodiscard]] std::size_t try_push_n(std::span<T> items) noexcept {
    std::size_t done = 0;
    while (done < items.size() && has_room()) {
      const std::size_t count =
          std::min({items.size() - done, kItemsPerLine - producer_.index,
                    static_cast<std::size_t>(producer_.stop - producer_.position)});
      Line& line = *producer_.line;
      for (std::size_t i = 0; i < count; ++i) {
        producer_.item(i).put(std::move(items[done + i]));
      }
      producer_.position += count;
      // (Q1) release store, synchronizes-with the acquire load (Q2): publishes the items.
      line.state.store(producer_.position, detail::release);
      prefetch_ahead();
      producer_.step(count);
      done += count;
    }
    return done;
  }

  /// Whether an item would fit. Thread role: producer.
  [[nodiscard]] bool has_room() noexcept {
    return producer_.position != producer_.stop || make_room();
  }

  /// The oldest item, or null when there is none. It stays until pop(). Thread role: consumer.
  [[nodiscard]] T* front() noexcept {
    if (consumer_.position >= seen_ && !see_more()) [[unlikely]] {
      flush();
      return nullptr;
    }
    return &consumer_.item().ref();
  }

  /// The item `ahead` places behind the oldest, or null when it is not there yet. All before it
  /// must have been seen. Thread role: consumer.
  [[nodiscard]] T* look(std::size_t ahead) noexcept {
    if (consumer_.position + ahead < seen_) return &consumer_.item(ahead).ref();
    return look_beyond(consumer_.position + ahead);
  }

  /// Drops the oldest item, which must have been seen. Thread role: consumer.
  void pop() noexcept {
    if (consumer_.line == consumer_.end) [[unlikely]]
      leave_segment();
    consumer_.item().destroy();
    ++consumer_.position;
    consumer_.step(1);
    if (consumer_.position >= consumer_.release_at) [[unlikely]]
      flush();
  }

  /// Moves the oldest item out; false when there is none. Thread role: consumer.
  [[nodiscard]] bool try_pop(T& out) noexcept {
    T* item = front();
    if (item == nullptr) return false;
    out = std::move(*item);
    pop();
    return true;
  }

  /// Moves out as many as there are, up to out.size(), and returns the count.
  /// Thread role: consumer.
  [[nodiscard]] std::size_t try_pop_n(std::span<T> out) noexcept {
    std::size_t done = 0;
    while (done < out.size() && front() != nullptr) {
      const std::size_t count =
          std::min<std::size_t>(out.size() - done, seen_ - consumer_.position);
      for (std::size_t i = 0; i < count; ++i) {
        auto& item = consumer_.item(i);
        out[done + i] = std::move(item.ref());
        item.destroy();
      }
      consumer_.position += count;
      consumer_.step(count);
      done += count;
      if (consumer_.position >= consumer_.release_at) flush();
    }
    return done;
  }

  /// Gives all popped slots back to the producer now. Thread role: consumer.
  void flush() noexcept {
    if (consumer_.release_at != consumer_.position + release_batch_) give_back();
  }

 private:
  static constexpr std::size_t kSegmentBytes = 4096;
  static constexpr std::size_t kPrefetchBytes = 4 * kLineBytes;  // ahead, as measured

  // Items that fill whole cache lines get whole cache lines, the state one of its own.
  static constexpr std::size_t kItemAlignment =
      std::max(alignof(T), sizeof(T) % kLineBytes == 0 ? kLineBytes : 1);
  // One item and its state are packed, unless they fill a cache line.
  static constexpr std::size_t kLineAlignment =
      kItemsPerLine == 1 && sizeof(T) <= kLineBytes - 2 * sizeof(std::uint64_t)
          ? alignof(std::uint64_t)
          : std::max(kLineBytes, kItemAlignment);
  struct alignas(kLineAlignment) Line {
    typename P::template atomic<std::uint64_t> state{0};
    alignas(kItemAlignment) typename P::template cell<T> items[kItemsPerLine];
  };
  // Its lines stand in lines_, at the same place times lines_per_segment_.
  struct alignas(kLineBytes) Segment {
    // The one filled after it, or null; of a free one, another that is free.
    typename P::template atomic<Segment*> next{nullptr};
  };

  // Where one side stands: `position` counts items since the beginning. At the end of a segment
  // until it goes on to the next.
  struct Cursor {
    std::uint64_t position = 0;
    Line* line = nullptr;
    std::size_t index = 0;
    Line* end = nullptr;
    Segment* segment = nullptr;

    auto& item(std::size_t ahead = 0) const noexcept {
      return line->items[kItemsPerLine == 1 ? 0 : index + ahead];
    }
    // Over items of one line.
    void step(std::size_t count) noexcept {
      if (kItemsPerLine != 1) {
        index += count;
        if (index != kItemsPerLine) return;
        index = 0;
      }
      ++line;
    }
  };
  struct ProducerCursor : Cursor {
    std::uint64_t stop = 0;         // the position up to which there is room in this segment
    std::uint64_t segment_end = 0;  // the position where it ends
    Segment* free = nullptr;        // the last that came back, a list
    Segment* oldest = nullptr;      // that did not come back yet, and the position where it ends
    std::uint64_t oldest_end = 0;
  };
  struct ConsumerCursor : Cursor {
    std::uint64_t release_at = 0;  // the position at which to give slots back
  };

  [[nodiscard]] std::size_t segment_items() const noexcept {
    return lines_per_segment_ * kItemsPerLine;
  }

  template <class U>
  bool push(U&& item) noexcept {
    if (!has_room()) return false;
    Line& line = *producer_.line;
    producer_.item().put(std::forward<U>(item));
    ++producer_.position;
    // (Q1) release store, synchronizes-with the acquire load (Q2): publishes the item.
    line.state.store(producer_.position, detail::release);
    prefetch_ahead();
    producer_.step(1);
    return true;
  }

  // Where the producer begins a line: asks for one that it will come to, since to get it back from
  // the consumer takes longer than to fill those before it. Where a line is several cache lines
  // long it was slower.
  void prefetch_ahead() noexcept {
    if (sizeof(Line) > kLineBytes || producer_.index != 0) return;
    const auto ahead = reinterpret_cast<std::uintptr_t>(producer_.line) + kPrefetchBytes;
    if (ahead < reinterpret_cast<std::uintptr_t>(producer_.end)) detail::prefetch_to_write(ahead);
  }

  void enter(Cursor& at, Segment& segment) noexcept {
    at.segment = &segment;
    at.line = &lines_[static_cast<std::size_t>(&segment - segments_.get()) * lines_per_segment_];
    at.end = at.line + lines_per_segment_;
  }

  // The producer, where it knows of no room: asks what came back, and goes on to a segment that
  // did.
  [[gnu::noinline]] bool make_room() noexcept {
    // (Q3) acquire load, synchronizes-with the release store (Q4): the slots are the producer's.
    const std::uint64_t given_back = given_back_.load(detail::acquire);
    const std::uint64_t end_of_room = given_back / 2 + limit_;
    if (producer_.position == end_of_room) return false;
    if (producer_.position == producer_.segment_end) {
      // Relaxed throughout: only the producer writes links, and the consumer has left.
      while (given_back > 2 * producer_.oldest_end) {
        Segment* const back = producer_.oldest;
        producer_.oldest = back->next.load(detail::relaxed);
        producer_.oldest_end += segment_items();
        back->next.store(producer_.free, detail::relaxed);
        producer_.free = back;
      }
      // Never null: there are segments for all that the limit allows.
      Segment* const taken = producer_.free;
      producer_.free = taken->next.load(detail::relaxed);
      taken->next.store(nullptr, detail::relaxed);
      // Relaxed: what the consumer finds there has its own states.
      producer_.segment->next.store(taken, detail::relaxed);
      enter(producer_, *taken);
      producer_.segment_end += segment_items();
    }
    producer_.stop = std::min(end_of_room, producer_.segment_end);
    return true;
  }

  // The consumer, where it has seen nothing beyond its place.
  bool see_more() noexcept {
    if (consumer_.line == consumer_.end && !leave_segment()) [[unlikely]]
      return false;
    // (Q2) acquire load, synchronizes-with the release store (Q1): the items are complete.
    const std::uint64_t state = consumer_.line->state.load(detail::acquire);
    if (state <= consumer_.position) return false;
    seen_ = state;
    return true;
  }

  // The consumer, at the end of a segment: goes on, if the producer did, and gives it back.
  [[gnu::noinline]] bool leave_segment() noexcept {
    if (!follow(consumer_)) return false;
    give_back();
    return true;
  }

  void give_back() noexcept {
    consumer_.release_at = consumer_.position + release_batch_;
    const bool left = consumer_.line != consumer_.end;
    // (Q4) release store, synchronizes-with the acquire load (Q3): done with the slots before it,
    // and with the segment that ends there.
    given_back_.store(2 * consumer_.position + (left ? 1 : 0), detail::release);
  }

  bool follow(Cursor& at) noexcept {
    // Relaxed: all items of the segment were seen by (Q2), and its old link was taken out before
    // the first of them was pushed.
    Segment* const next = at.segment->next.load(detail::relaxed);
    if (next == nullptr) return false;
    enter(at, *next);
    return true;
  }

  [[gnu::noinline]] T* look_beyond(std::uint64_t wanted) noexcept {
    // Mostly one after the other: from where the last look was.
    Cursor at =
        looked_.position >= consumer_.position && looked_.position <= wanted ? looked_ : consumer_;
    at.index += static_cast<std::size_t>(wanted - at.position);
    at.position = wanted;
    std::size_t lines = at.index / kItemsPerLine;
    at.index %= kItemsPerLine;
    while (lines >= static_cast<std::size_t>(at.end - at.line)) {
      lines -= static_cast<std::size_t>(at.end - at.line);
      if (!follow(at)) return nullptr;
    }
    at.line += lines;
    // (Q2) acquire load, synchronizes-with the release store (Q1): the items are complete.
    const std::uint64_t state = at.line->state.load(detail::acquire);
    if (state <= wanted) return nullptr;
    looked_ = at;
    if (at.line == consumer_.line && at.end == consumer_.end) seen_ = state;
    return &at.item().ref();
  }

  static std::size_t checked(std::size_t capacity) {
    if (capacity == 0 || capacity > kCapacityMax) {
      throw std::invalid_argument("SpscQueue: capacity must be 1 to 2^31");
    }
    return capacity;
  }

  const std::size_t capacity_;
  const std::size_t release_batch_;  // popped slots are given back this many at a time, or earlier
  const std::size_t limit_;          // items in the queue, popped ones not given back included
  const std::size_t lines_per_segment_;
  const std::size_t segment_count_;
  const std::unique_ptr<Segment[]> segments_;
  const std::unique_ptr<Line[]> lines_;

  alignas(detail::kInterferenceBytes) ProducerCursor producer_;  // producer only
  alignas(detail::kInterferenceBytes) ConsumerCursor consumer_;  // consumer only, as what follows
  std::uint64_t seen_ = 0;  // of the consumer's line, it knows of the items before this one
  Cursor looked_;           // where look() was last
  // Twice the position up to which slots were given back; one more where the segment that ends
  // there was left. Written by the consumer, read by the producer.
  alignas(detail::kInterferenceBytes) typename P::template atomic<std::uint64_t> given_back_{0};
};

}  // namespace forebay
