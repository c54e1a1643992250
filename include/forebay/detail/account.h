// SPDX-License-Identifier: Apache-2.0
#pragma once

// The books of one stream: what was charged for memory, and what was given back. Each counter that
// is written often has one writer, so that neither publishing nor reading needs a
// read-modify-write. What the reader gives back it counts at once, and tells the writer a batch at
// a time: a writer at the bound looks at that figure all the time, and each store to a line that
// another core looks at costs the reader the way there and back.

#include <cstdint>

#include "forebay/detail/atomic.h"

namespace forebay::detail {

template <class P>
class Account {
  using Counter = typename P::template atomic<std::uint64_t>;

 public:
  /// Bytes that count against the bound, as told. A snapshot.
  [[nodiscard]] std::uint64_t used() const noexcept {
    // Given back before charged: what was given back had been charged, so the difference of what is
    // seen is never negative.
    const std::uint64_t given_back = released();
    // Relaxed: the writer reads its own; the gather charge is ordered by (A1) and (A2).
    return charged_.load(relaxed) + gathered_.load(relaxed) - given_back;
  }

  /// Writer: the same, given what had been given back when it looked last; never too small.
  [[nodiscard]] std::uint64_t used_at_most(std::uint64_t released_before) const noexcept {
    // Relaxed: as in used(); what was given back by then had been charged.
    return charged_.load(relaxed) + gathered_.load(relaxed) - released_before;
  }

  /// Bytes that the reader is done with and that guards or shares still hold.
  [[nodiscard]] std::uint64_t retained() const noexcept {
    const std::uint64_t given_back = given_back_untold();
    const std::uint64_t retired = retired_.load(relaxed);  // Relaxed: ordered as in used().
    return retired > given_back ? retired - given_back : 0;
  }

  /// Bytes that the reader is not done with.
  [[nodiscard]] std::uint64_t buffered() const noexcept {
    const std::uint64_t retired = retired_.load(relaxed);  // Relaxed: a figure.
    const std::uint64_t charged = charged_.load(relaxed) + gathered_.load(relaxed);
    return charged > retired ? charged - retired : 0;
  }

  /// Bytes given back so far, as told.
  [[nodiscard]] std::uint64_t released() const noexcept {
    // (A1) acquire loads, synchronize-with the release store (A4) and the addition (A3): the charge
    // of what was given back is seen.
    return told_by_reader_.load(acquire) + released_by_others_.load(acquire);
  }

  /// The same with what the reader has not told yet. For when there is time to ask.
  [[nodiscard]] std::uint64_t given_back_untold() const noexcept {
    // (A5) acquire loads, synchronize-with the release store (A2) and the addition (A3): as (A1).
    return released_by_reader_.load(acquire) + released_by_others_.load(acquire);
  }

  /// Writer: memory that is about to be published, or to be filled.
  void charge(std::uint64_t bytes) noexcept { add(charged_, bytes); }
  /// Writer: memory that was charged and never published.
  void uncharge(std::uint64_t bytes) noexcept { add(charged_, 0 - bytes); }
  /// Reader: memory that was gathered, from when the reader is done with it.
  void charge_gathered(std::uint64_t bytes) noexcept { add(gathered_, bytes); }
  /// Reader: memory that the reader is done with.
  void retire(std::uint64_t bytes) noexcept { add(retired_, bytes); }

  void give_back_by_reader(std::uint64_t bytes) noexcept {
    // (A2) release store, synchronizes-with the acquire load (A5). One writer: the reader.
    released_by_reader_.store(released_by_reader_.load(relaxed) + bytes, release);
  }
  /// Reader: bytes that it gave back and has not told.
  [[nodiscard]] std::uint64_t untold() const noexcept {
    // Relaxed, both: the reader's own.
    return released_by_reader_.load(relaxed) - told_by_reader_.load(relaxed);
  }
  /// Reader: tells.
  void tell() noexcept {
    // (A4) release store, synchronizes-with the acquire load (A1). One writer: the reader.
    told_by_reader_.store(released_by_reader_.load(relaxed), release);
  }
  void give_back_by_others(std::uint64_t bytes) noexcept {
    // (A3) release addition, synchronizes-with the acquire loads (A1) and (A5).
    released_by_others_.fetch_add(bytes, release);
  }

  // Figures only: relaxed.
  void add_detached(std::int64_t bytes) noexcept {
    detached_.fetch_add(static_cast<std::uint64_t>(bytes), relaxed);
  }
  void add_shares(std::int64_t count) noexcept {
    shares_.fetch_add(static_cast<std::uint64_t>(count), relaxed);
  }
  [[nodiscard]] std::uint64_t detached() const noexcept { return detached_.load(relaxed); }
  [[nodiscard]] std::uint64_t shares() const noexcept { return shares_.load(relaxed); }

 private:
  // Relaxed: one writer; readers are ordered by (A1), or want no more than a figure.
  static void add(Counter& counter, std::uint64_t bytes) noexcept {
    counter.store(counter.load(relaxed) + bytes, relaxed);
  }

  alignas(kInterferenceBytes) Counter charged_{0};             // writer
  alignas(kInterferenceBytes) Counter released_by_reader_{0};  // reader
  Counter retired_{0};                                         // reader
  alignas(kInterferenceBytes) Counter told_by_reader_{0};      // reader, once a batch
  alignas(kInterferenceBytes) Counter gathered_{0};            // reader, seldom
  alignas(kInterferenceBytes) Counter released_by_others_{0};  // anybody who drops the last hold
  Counter detached_{0};
  Counter shares_{0};
};

}  // namespace forebay::detail
