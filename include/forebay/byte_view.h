// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace forebay {

namespace detail {
struct Block;
}

/// What a reader gets: bytes that somebody else owns. A pointer, a size, and the block that the
/// bytes lie in, so that StreamReader::share() needs no look-up. Copy it freely.
///
/// Lifetime: valid until the next consuming call on the reader it came from, unless a Guard was
/// pinned at or before the read, or the view was shared.
class ByteView {
 public:
  constexpr ByteView() noexcept = default;
  /// Views `size` bytes at `data`; `block` is what they lie in, null for memory that no stream
  /// owns.
  constexpr ByteView(const std::byte* data, std::size_t size,
                     detail::Block* block = nullptr) noexcept
      : data_(data), size_bytes_(size), block_(block) {}

  /// The first byte.
  [[nodiscard]] constexpr const std::byte* data() const noexcept { return data_; }
  /// Size in bytes.
  [[nodiscard]] constexpr std::size_t size() const noexcept { return size_bytes_; }
  /// Whether there are no bytes.
  [[nodiscard]] constexpr bool empty() const noexcept { return size_bytes_ == 0; }
  /// The byte at `i`, which must be below size().
  [[nodiscard]] constexpr const std::byte& operator[](std::size_t i) const noexcept {
    return data_[i];
  }
  /// For range loops.
  [[nodiscard]] constexpr const std::byte* begin() const noexcept { return data_; }
  /// For range loops.
  [[nodiscard]] constexpr const std::byte* end() const noexcept { return data_ + size_bytes_; }

  /// Part of this view; `offset` and `offset + count` are clamped to the view.
  [[nodiscard]] constexpr ByteView subview(std::size_t offset,
                                           std::size_t count = SIZE_MAX) const noexcept {
    if (offset > size_bytes_) offset = size_bytes_;
    if (count > size_bytes_ - offset) count = size_bytes_ - offset;
    return ByteView(data_ + offset, count, block_);
  }

  /// As a span.
  [[nodiscard]] constexpr operator std::span<const std::byte>() const noexcept {
    return {data_, size_bytes_};
  }
  /// As text.
  [[nodiscard]] operator std::string_view() const noexcept {
    return {reinterpret_cast<const char*>(data_), size_bytes_};
  }

  /// The block the bytes lie in; null when they came from elsewhere. For the library's own use.
  [[nodiscard]] constexpr detail::Block* block() const noexcept { return block_; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_bytes_ = 0;
  detail::Block* block_ = nullptr;
};

}  // namespace forebay
