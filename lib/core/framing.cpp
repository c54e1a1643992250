// SPDX-License-Identifier: Apache-2.0
#include "forebay/framing.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace forebay {

namespace {

constexpr std::uint32_t kContinuation = 0xFFFFFFFF;

// Flatbuffers are little-endian, and the library runs on little-endian machines or swaps here.
template <class T>
T load_le(std::span<const std::byte> bytes, std::size_t offset) noexcept {
  std::make_unsigned_t<T> value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<std::make_unsigned_t<T>>(
        std::to_integer<std::make_unsigned_t<T>>(bytes[offset + i]) << (8 * i));
  }
  return static_cast<T>(value);
}

bool holds(std::span<const std::byte> bytes, std::int64_t offset, std::size_t size) noexcept {
  return offset >= 0 && size <= bytes.size() &&
         static_cast<std::uint64_t>(offset) <= bytes.size() - size;
}

}  // namespace

std::int64_t arrow_body_length(std::span<const std::byte> metadata) noexcept {
  // A flatbuffer begins with the offset of its root table; a table begins with the distance back to
  // its vtable; a vtable has its own size, the table's size, and the offset of each field in the
  // table, 0 for a field that has its default.
  constexpr std::size_t kBodyLengthField = 3;
  constexpr std::size_t kEntry = 4 + 2 * kBodyLengthField;
  if (!holds(metadata, 0, 4)) return -1;
  const std::int64_t table = load_le<std::uint32_t>(metadata, 0);
  if (!holds(metadata, table, 4)) return -1;
  const auto at_table = static_cast<std::size_t>(table);
  const std::int64_t vtable = table - load_le<std::int32_t>(metadata, at_table);
  if (!holds(metadata, vtable, 4)) return -1;
  const auto at_vtable = static_cast<std::size_t>(vtable);
  const std::size_t vtable_size = load_le<std::uint16_t>(metadata, at_vtable);
  if (vtable_size < kEntry + 2) return 0;
  if (!holds(metadata, vtable, kEntry + 2)) return -1;
  const std::uint16_t field = load_le<std::uint16_t>(metadata, at_vtable + kEntry);
  if (field == 0) return 0;
  if (!holds(metadata, table + field, 8)) return -1;
  return load_le<std::int64_t>(metadata, at_table + field);
}

void ArrowFrameScanner::begin(Part part, std::uint64_t left) noexcept {
  part_ = part;
  left_ = left;
  gathered_.clear();
}

std::size_t ArrowFrameScanner::consume(std::span<const std::byte> bytes) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  switch (part_) {
    case Part::opaque:
      return bytes.size();
    case Part::body:
      consume_body(count);
      return count;
    default:
      break;
  }
  gathered_.insert(gathered_.end(), bytes.begin(),
                   bytes.begin() + static_cast<std::ptrdiff_t>(count));
  left_ -= count;
  if (left_ == 0) {
    if (part_ == Part::prefix) {
      end_of_prefix();
    } else {
      end_of_metadata();
    }
  }
  return count;
}

void ArrowFrameScanner::consume_body(std::uint64_t bytes) noexcept {
  left_ -= std::min(left_, bytes);
  if (left_ == 0) begin(Part::prefix, 4);
}

void ArrowFrameScanner::end_of_prefix() {
  const std::uint32_t word = load_le<std::uint32_t>(gathered_, 0);
  if (word == kContinuation && !marker_seen_) {
    marker_seen_ = true;
    begin(Part::prefix, 4);
    return;
  }
  marker_seen_ = false;
  ended_ = word == 0;
  if (word == 0 || word > kMetadataBytesMax) {
    begin(Part::opaque, std::numeric_limits<std::uint64_t>::max());
  } else {
    begin(Part::metadata, word);
  }
}

void ArrowFrameScanner::end_of_metadata() {
  const std::int64_t body = arrow_body_length(gathered_);
  if (body < 0) {
    begin(Part::opaque, std::numeric_limits<std::uint64_t>::max());
  } else if (body == 0) {
    begin(Part::prefix, 4);
  } else {
    last_body_bytes_ = static_cast<std::uint64_t>(body);
    begin(Part::body, last_body_bytes_);
  }
}

}  // namespace forebay
