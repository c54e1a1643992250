// SPDX-License-Identifier: Apache-2.0
#pragma once

// Who runs next. Three ways, of which the seed takes one: anybody at any time; the same fiber for a
// while; and by priorities that change at a few chosen steps (probabilistic concurrency testing),
// which finds what needs few preemptions at the right places, however many steps there are.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "random.h"

namespace forebay::deterministic {

/// A set of fibers, one bit each.
using FiberSet = std::uint32_t;
inline constexpr std::size_t kFibersMax = 32;

inline std::size_t pick(FiberSet set, Random& random) noexcept {
  for (std::size_t skipped = random.below(static_cast<std::size_t>(std::popcount(set)));
       skipped != 0; --skipped) {
    set &= set - 1;
  }
  return static_cast<std::size_t>(std::countr_zero(set));
}

class Strategy {
 public:
  explicit Strategy(Random& random) noexcept : random_(random) {
    switch (random.below(3)) {
      case 0:
        stay_ = std::size_t{1} << random.below(3);
        break;
      case 1:
        stay_ = std::size_t{8} << random.below(4);
        break;
      default:
        by_priority_ = true;
        for (std::int64_t& priority : priorities_) {
          priority = static_cast<std::int64_t>(random.next() >> 2);
        }
        changes_ = random.below(kChangesMax + 1);
        for (std::size_t i = 0; i < changes_; ++i) change_at_[i] = random.up_to(kHorizonSteps);
        std::sort(change_at_.begin(), change_at_.begin() + static_cast<std::ptrdiff_t>(changes_));
    }
  }

  /// At a step of `current`, which may go on itself. `among` is not empty.
  std::size_t next(std::size_t current, FiberSet among) noexcept {
    if (!by_priority_) return random_.one_in(stay_) ? pick(among, random_) : current;
    ++steps_;
    while (changed_ < changes_ && change_at_[changed_] <= steps_) {
      ++changed_;
      lower(current);
    }
    return highest(among);
  }

  /// After `current` has nothing to do for now.
  std::size_t other(FiberSet among) noexcept {
    return by_priority_ ? highest(among) : pick(among, random_);
  }

  /// `current` waits in a loop for the others.
  void lower(std::size_t current) noexcept { priorities_[current] = --lowest_; }

 private:
  static constexpr std::size_t kChangesMax = 6;
  static constexpr std::size_t kHorizonSteps = 4096;

  [[nodiscard]] std::size_t highest(FiberSet among) const noexcept {
    auto best = static_cast<std::size_t>(std::countr_zero(among));
    for (FiberSet rest = among & (among - 1); rest != 0; rest &= rest - 1) {
      const auto one = static_cast<std::size_t>(std::countr_zero(rest));
      if (priorities_[one] > priorities_[best]) best = one;
    }
    return best;
  }

  Random& random_;
  bool by_priority_ = false;
  std::size_t stay_ = 1;  // changes place once in so many steps
  std::array<std::int64_t, kFibersMax> priorities_{};
  std::int64_t lowest_ = 0;
  std::array<std::size_t, kChangesMax> change_at_{};
  std::size_t changes_ = 0;
  std::size_t changed_ = 0;
  std::size_t steps_ = 0;
};

}  // namespace forebay::deterministic
