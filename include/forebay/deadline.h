// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace forebay {

/// The moment at which a wait gives up, on the steady clock. A value: pass it down, compare it.
///
///     reader.read_until(8, Deadline::after(std::chrono::milliseconds(50)));
///
/// A deadline in the past or a duration of zero or less makes a call try once and not wait.
class Deadline {
 public:
  /// CLOCK_MONOTONIC, which the waits in the kernel use too.
  using clock = std::chrono::steady_clock;
  /// A moment on that clock.
  using time_point = clock::time_point;

  /// A deadline that never passes.
  [[nodiscard]] static constexpr Deadline never() noexcept { return Deadline(time_point::max()); }

  /// `duration` from now; saturates at never().
  template <class Rep, class Period>
  [[nodiscard]] static Deadline after(std::chrono::duration<Rep, Period> duration) {
    const time_point now = clock::now();
    // Compared in double seconds, so that a duration too long for the clock cannot overflow.
    const std::chrono::duration<double> wanted = duration;
    const std::chrono::duration<double> room = time_point::max() - now;
    if (wanted >= room) return never();
    if (wanted.count() <= 0) return Deadline(now);
    return Deadline(now + std::chrono::duration_cast<clock::duration>(duration));
  }

  /// The given point of the steady clock.
  [[nodiscard]] static constexpr Deadline at(time_point when) noexcept { return Deadline(when); }

  /// Whether it never passes.
  [[nodiscard]] constexpr bool is_never() const noexcept { return when_ == time_point::max(); }
  /// The moment.
  [[nodiscard]] constexpr time_point when() const noexcept { return when_; }

  /// Whether the deadline has passed. Reads the clock unless it is never().
  [[nodiscard]] bool passed() const noexcept { return !is_never() && clock::now() >= when_; }

  friend constexpr auto operator<=>(Deadline, Deadline) noexcept = default;

 private:
  constexpr explicit Deadline(time_point when) noexcept : when_(when) {}
  time_point when_;
};

}  // namespace forebay
