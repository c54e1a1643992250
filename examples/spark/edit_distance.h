// SPDX-License-Identifier: Apache-2.0
#pragma once

// Levenshtein's distance of two strings: how many characters must be put in, taken out or replaced
// to make one of the other.

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace examples {

/// Keeps its memory between calls; one thread uses it at a time.
class EditDistance {
 public:
  /// The distance in characters; both strings are UTF-8, as Spark's are.
  std::int64_t operator()(std::string_view one, std::string_view other) {
    if (one.size() > other.size()) std::swap(one, other);
    const bool ascii = is_ascii(one) && is_ascii(other);
    if (one.empty() && ascii) return static_cast<std::int64_t>(other.size());
    return ascii && one.size() <= 64 ? by_bits(one, other) : by_rows(one, other);
  }

 private:
  static bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
  }

  // A column of the table of distances in two words: where a value is one more than the one above
  // it, and where it is one less (Myers 1999, as Hyyrö writes it down).
  std::int64_t by_bits(std::string_view pattern, std::string_view text) {
    for (std::size_t i = 0; i < pattern.size(); ++i) {
      places_[static_cast<unsigned char>(pattern[i])] |= std::uint64_t{1} << i;
    }
    const std::uint64_t last = std::uint64_t{1} << (pattern.size() - 1);
    std::uint64_t more = ~std::uint64_t{0};
    std::uint64_t less = 0;
    auto distance = static_cast<std::int64_t>(pattern.size());
    for (const char c : text) {
      const std::uint64_t same = places_[static_cast<unsigned char>(c)];
      const std::uint64_t down = same | less;
      const std::uint64_t across = (((same & more) + more) ^ more) | same;
      std::uint64_t grows = less | ~(across | more);
      std::uint64_t shrinks = more & across;
      distance += (grows & last) != 0;
      distance -= (shrinks & last) != 0;
      grows = (grows << 1) | 1;
      shrinks <<= 1;
      more = shrinks | ~(down | grows);
      less = grows & down;
    }
    for (const char c : pattern) places_[static_cast<unsigned char>(c)] = 0;
    return distance;
  }

  // Row by row of the table.
  std::int64_t by_rows(std::string_view one, std::string_view other) {
    characters(one, columns_);
    characters(other, rows_);
    distances_.resize(columns_.size() + 1);
    std::iota(distances_.begin(), distances_.end(), 0);
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      std::int64_t diagonal = distances_[0]++;
      for (std::size_t column = 0; column < columns_.size(); ++column) {
        const std::int64_t above = distances_[column + 1];
        distances_[column + 1] = std::min({diagonal + (rows_[row] == columns_[column] ? 0 : 1),
                                           above + 1, distances_[column] + 1});
        diagonal = above;
      }
    }
    return distances_.back();
  }

  static void characters(std::string_view text, std::u32string& out) {
    out.clear();
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      // A byte that goes on adds six bits; one that begins a character brings the rest.
      if ((byte & 0xC0) == 0x80 && !out.empty()) {
        out.back() = out.back() << 6 | (byte & 0x3F);
      } else {
        out.push_back(byte);
      }
    }
  }

  std::array<std::uint64_t, 128> places_{};
  std::u32string columns_;
  std::u32string rows_;
  std::vector<std::int64_t> distances_;
};

}  // namespace examples
