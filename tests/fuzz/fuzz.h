// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the fuzzers share. A fuzzer states laws with FOREBAY_FUZZ_REQUIRE; one that does not hold
// ends the program, and the input that broke it is what libFuzzer, or the replay, names.
//
// An input is only the bytes of what is tested, so that any file can be one. What else varies is
// drawn from a number that the bytes themselves give: the same input always does the same.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>

#define FOREBAY_FUZZ_REQUIRE(condition)                                                        \
  ((condition) ? void()                                                                        \
               : (std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition), \
                  std::abort()))

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace forebay::fuzz {

inline std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline std::span<const std::byte> bytes_of(const std::uint8_t* data, std::size_t size) {
  return std::as_bytes(std::span(data, size));
}

/// A digest of bytes, in words where there are whole ones. Not for strangers: they may collide.
class Digest {
 public:
  void add(std::span<const std::byte> bytes) noexcept {
    for (; bytes.size() >= sizeof(std::uint64_t); bytes = bytes.subspan(sizeof(std::uint64_t))) {
      std::uint64_t word;
      std::memcpy(&word, bytes.data(), sizeof word);
      add_word(word);
    }
    for (const std::byte byte : bytes) add_word(std::to_integer<std::uint64_t>(byte));
  }
  void add(std::string_view text) noexcept { add(std::as_bytes(std::span(text))); }
  void add_word(std::uint64_t word) noexcept {
    value_ = (value_ ^ word) * 0x9E3779B97F4A7C15;
    value_ ^= value_ >> 29;
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

 private:
  std::uint64_t value_ = 0xCBF29CE484222325;
};

/// Numbers that follow from a seed.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
  /// 0 .. bound - 1.
  std::uint64_t below(std::uint64_t bound) noexcept {
    state_ += 0x9E3779B97F4A7C15;
    std::uint64_t mixed = (state_ ^ (state_ >> 30)) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
    return (mixed ^ (mixed >> 31)) % bound;
  }

 private:
  std::uint64_t state_;
};

/// Cuts bytes into parts: of one size, or of random ones.
class Cutter {
 public:
  Cutter(std::span<const std::byte> bytes, std::size_t part_bytes)
      : left_(bytes), part_bytes_(part_bytes), random_(0) {}
  /// Sizes of all orders of magnitude.
  Cutter(std::span<const std::byte> bytes, Random random) : left_(bytes), random_(random) {}

  /// The next part; empty when there is none.
  std::span<const std::byte> next() {
    std::size_t size = part_bytes_;
    if (size == 0) size = 1 + random_.below(std::uint64_t{2} << random_.below(12));
    const auto part = left_.first(std::min(size, left_.size()));
    left_ = left_.subspan(part.size());
    return part;
  }

 private:
  std::span<const std::byte> left_;
  std::size_t part_bytes_ = 0;
  Random random_;
};

inline Random random_of(std::span<const std::byte> bytes) {
  Digest digest;
  digest.add(bytes);
  return Random(digest.value());
}

}  // namespace forebay::fuzz
