// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace forebay::deterministic {

/// A sequence of numbers that a seed determines (SplitMix64): small, quick, and the same on every
/// machine, unlike the distributions of the standard library.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    std::uint64_t mixed = state_ += 0x9E3779B97F4A7C15U;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
    return mixed ^ (mixed >> 31);
  }
  /// 0 to bound - 1; the bound is below 2^32.
  std::size_t below(std::size_t bound) noexcept {
    return static_cast<std::size_t>(((next() >> 32) * bound) >> 32);
  }
  /// True once in `count` times; never for 0.
  bool one_in(std::size_t count) noexcept { return count != 0 && below(count) == 0; }
  /// A number from 1 to `most`, small ones as likely as large ones.
  std::size_t up_to(std::size_t most) noexcept {
    std::size_t bits = 0;
    while ((most >> bits) > 1) ++bits;
    const std::size_t bound = std::size_t{2} << below(bits + 1);
    return 1 + below(bound - 1 < most ? bound - 1 : most);
  }

 private:
  std::uint64_t state_;
};

}  // namespace forebay::deterministic
