// SPDX-License-Identifier: Apache-2.0
#pragma once

// Big-endian integers, in and out.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace forebay::spark {

using Bytes = std::vector<std::byte>;

template <class T>
[[nodiscard]] T load_be(std::span<const std::byte> bytes) noexcept {
  using Bits = std::make_unsigned_t<T>;
  Bits value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    const auto higher = static_cast<Bits>(static_cast<std::uint64_t>(value) << 8);
    value = static_cast<Bits>(higher | std::to_integer<Bits>(bytes[i]));
  }
  return static_cast<T>(value);
}

template <class T>
void append_be(Bytes& to, T value) {
  const auto bits = static_cast<std::make_unsigned_t<T>>(value);
  for (std::size_t i = sizeof(T); i-- != 0;) to.push_back(static_cast<std::byte>(bits >> (8 * i)));
}

// A length and that many bytes.
inline void append_text(Bytes& to, std::string_view text) {
  append_be(to, static_cast<std::int32_t>(text.size()));
  const auto bytes = std::as_bytes(std::span(text));
  to.insert(to.end(), bytes.begin(), bytes.end());
}

}  // namespace forebay::spark
