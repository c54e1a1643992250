// SPDX-License-Identifier: Apache-2.0
#pragma once

// SpscQueue: a bounded queue from one producer thread to one consumer thread.
//
//     SpscQueue<int> queue{1024};
//     queue.try_push(1);                 // producer thread
//     int item; queue.try_pop(item);     // consumer thread
//
// Layout: a ring of lines. A line holds the items that fit beside one state word, and the state
// word counts the items published in that line since the ring was made; so the flag travels to the
// consumer in the same cache line as the data, and neither side ever reads the other's index to
// learn that an item is there. For items of more than 16 bytes a line is one item and its state.
// The consumer hands slots back a quarter of the ring at a time, so that the producer reads the one
// shared index rarely; the ring has that quarter as room on top of its capacity, and the consumer
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

 public:
  /// Items beside one state word; see the layout above.
  static constexpr std::size_t kItemsPerLine =
      sizeof(T) <= 16 && alignof(T) <= 8 ? (64 - sizeof(std::uint64_t)) / sizeof(T) : 1;
  /// Largest capacity, in items.
  static constexpr std::size_t kCapacityMax = std::size_t{1} << 31;

  /// A queue that takes at least `capacity` items, 1 to kCapacityMax, beyond what was popped.
  /// Throws std::invalid_argument outside that range, std::bad_alloc.
  explicit SpscQueue(std::size_t capacity)
      : capacity_(checked(capacity)),
        release_batch_(std::max<std::size_t>(1, capacity / 4)),
        limit_(capacity + release_batch_ - 1),
        line_count_((limit_ + kItemsPerLine - 1) / kItemsPerLine),
        lines_(std::make_unique<Line[]>(line_count_)) {}

  SpscQueue(const SpscQueue&) = delete;
  SpscQueue& operator=(const SpscQueue&) = delete;
  ~SpscQueue() {
    while (front() != nullptr) pop();
  }

  /// Items that fit at least. The ring may take up to a quarter more.
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

  /// Moves the item in and publishes it; on false the queue is full and `item` is untouched.
  /// Thread role: producer.
  [[nodiscard]] bool try_push(T&& item) noexcept {
    if (!has_room()) return false;
    Line& line = lines_[producer_.line];
    line.items[producer_.index].put(std::move(item));
    // (Q1) release store, synchronizes-with the acquire load (Q2): publishes the item.
    line.state.store(producer_.lap_base + producer_.index + 1, detail::release);
    producer_.advance(1, line_count_);
    return true;
  }
  /// Pushes a copy, otherwise as above.
  [[nodiscard]] bool try_push(
      const T& item) noexcept requires std::is_nothrow_copy_constructible_v<T> {
    return try_push(T(item));
  }

  /// Pushes from the front of `items` as many as fit and returns the count; they are moved from.
  /// One publication for each line of items. Thread role: producer.
  [[nodiscard]] std::size_t try_push_n(std::span<T> items) noexcept {
    std::size_t done = 0;
    while (done < items.size() && has_room()) {
      const std::size_t room = limit_ - (producer_.position - producer_.cached_head);
      const std::size_t count =
          std::min({items.size() - done, kItemsPerLine - producer_.index, room});
      Line& line = lines_[producer_.line];
      for (std::size_t i = 0; i < count; ++i) {
        line.items[producer_.index + i].put(std::move(items[done + i]));
      }
      // (Q1) release store, synchronizes-with the acquire load (Q2): publishes the items.
      line.state.store(producer_.lap_base + producer_.index + count, detail::release);
      producer_.advance(count, line_count_);
      done += count;
    }
    return done;
  }

  /// Whether an item would fit. Thread role: producer.
  [[nodiscard]] bool has_room() noexcept {
    if (producer_.position - producer_.cached_head < limit_) [[likely]]
      return true;
    // (Q3) acquire load, synchronizes-with the release store (Q4): the slots are the producer's.
    producer_.cached_head = head_.load(detail::acquire);
    return producer_.position - producer_.cached_head < limit_;
  }

  /// The oldest item, or null when there is none. It stays until pop(). Thread role: consumer.
  [[nodiscard]] T* front() noexcept {
    if (T* item = look(0)) [[likely]]
      return item;
    flush();
    return nullptr;
  }

  /// The item `ahead` places behind the oldest, or null when it is not there yet. All before it
  /// must have been seen. Thread role: consumer.
  [[nodiscard]] T* look(std::size_t ahead) noexcept {
    Cursor at = consumer_;
    at.advance(ahead, line_count_);
    Line& line = lines_[at.line];
    const std::uint64_t wanted = at.lap_base + at.index + 1;
    if (at.line != seen_line_ || seen_state_ < wanted) {
      // (Q2) acquire load, synchronizes-with the release store (Q1): the item is complete.
      seen_state_ = line.state.load(detail::acquire);
      seen_line_ = at.line;
      if (seen_state_ < wanted) return nullptr;
    }
    return &line.items[at.index].ref();
  }

  /// Drops the oldest item, which must exist. Thread role: consumer.
  void pop() noexcept {
    lines_[consumer_.line].items[consumer_.index].destroy();
    consumer_.advance(1, line_count_);
    if (consumer_.position - released_ >= release_batch_) flush();
  }

  /// Moves the oldest item out; false when there is none. Thread role: consumer.
  [[nodiscard]] bool try_pop(T& out) noexcept {
    T* item = front();
    if (item == nullptr) return false;
    out = std::move(*item);
    pop();
    return true;
  }

  /// Moves up to out.size() items out and returns the count. Thread role: consumer.
  [[nodiscard]] std::size_t try_pop_n(std::span<T> out) noexcept {
    std::size_t done = 0;
    while (done < out.size() && try_pop(out[done])) ++done;
    return done;
  }

  /// Gives all popped slots back to the producer now. Thread role: consumer.
  void flush() noexcept {
    if (released_ == consumer_.position) return;
    released_ = consumer_.position;
    // (Q4) release store, synchronizes-with the acquire load (Q3): done with the slots before it.
    head_.store(released_, detail::release);
  }

 private:
  struct Line {
    typename P::template atomic<std::uint64_t> state{0};
    typename P::template cell<T> items[kItemsPerLine];
  };

  // Where one side stands: `position` counts items since the beginning; `line`, `index` and
  // `lap_base` are the same position in terms of the ring, kept to spare the division.
  struct Cursor {
    std::uint64_t position = 0;
    std::size_t line = 0;
    std::size_t index = 0;
    std::uint64_t lap_base = 0;

    void advance(std::size_t count, std::size_t line_count) noexcept {
      position += count;
      index += count;
      if (index < kItemsPerLine) return;
      line += index / kItemsPerLine;
      index %= kItemsPerLine;
      while (line >= line_count) {
        line -= line_count;
        lap_base += kItemsPerLine;
      }
    }
  };
  struct ProducerCursor : Cursor {
    std::uint64_t cached_head = 0;  // the producer's copy of head_
  };

  static std::size_t checked(std::size_t capacity) {
    if (capacity == 0 || capacity > kCapacityMax) {
      throw std::invalid_argument("SpscQueue: capacity must be 1 to 2^31");
    }
    return capacity;
  }

  const std::size_t capacity_;
  const std::size_t release_batch_;  // popped slots are given back this many at a time
  const std::size_t limit_;          // items in the ring, popped ones not given back included
  const std::size_t line_count_;
  const std::unique_ptr<Line[]> lines_;

  alignas(detail::kInterferenceBytes) ProducerCursor producer_;  // producer only
  alignas(detail::kInterferenceBytes) Cursor consumer_;          // consumer only, as what follows
  std::uint64_t released_ = 0;                                   // what head_ holds
  std::size_t seen_line_ = SIZE_MAX;  // the line whose state was read last, and that state
  std::uint64_t seen_state_ = 0;
  // Written by the consumer, read by the producer.
  alignas(detail::kInterferenceBytes) typename P::template atomic<std::uint64_t> head_{0};
};

}  // namespace forebay
