// SPDX-License-Identifier: Apache-2.0
#pragma once

// The few reads from a flatbuffer that come before Arrow verifies it. Every access is checked
// against the bytes there are; nothing is assumed to be aligned.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "forebay/error.h"

namespace forebay::arrow {

static_assert(std::endian::native == std::endian::little, "flatbuffers are little-endian");

/// The metadata of one message, and where in the stream the message begins.
struct Metadata {
  std::span<std::byte> bytes;
  std::uint64_t offset = 0;

  [[noreturn]] void malformed(const char* what) const { throw ProtocolError(what, offset); }

  template <class T>
  [[nodiscard]] T load(std::size_t at) const {
    if (at > bytes.size() || sizeof(T) > bytes.size() - at) {
      malformed("Arrow metadata that points outside of itself");
    }
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    return value;
  }
};

/// A vector of a flatbuffer, all of whose items lie within it.
struct FlatVector {
  const Metadata* metadata = nullptr;
  std::size_t first = 0;
  std::size_t count = 0;
};

/// A table of a flatbuffer.
class FlatTable {
 public:
  /// The table that the offset at `at` points to.
  FlatTable(const Metadata& metadata, std::size_t at)
      : metadata_(&metadata), at_(at + metadata.load<std::uint32_t>(at)) {
    const auto back = metadata.load<std::int32_t>(at_);
    const auto table = static_cast<std::int64_t>(at_) - back;
    if (table < 0) metadata.malformed("Arrow metadata that points outside of itself");
    fields_ = static_cast<std::size_t>(table);
    fields_bytes_ = metadata.load<std::uint16_t>(fields_);
  }

  /// Where field `id` lies; zero when it is absent.
  [[nodiscard]] std::size_t find(unsigned id) const {
    const std::size_t entry = 4 + 2 * std::size_t{id};
    if (entry + 2 > fields_bytes_) return 0;
    const auto distance = metadata_->load<std::uint16_t>(fields_ + entry);
    return distance == 0 ? 0 : at_ + distance;
  }
  [[nodiscard]] bool has(unsigned id) const { return find(id) != 0; }

  template <class T>
  [[nodiscard]] T scalar(unsigned id, T absent = {}) const {
    const std::size_t at = find(id);
    return at == 0 ? absent : metadata_->load<T>(at);
  }
  [[nodiscard]] FlatTable table(unsigned id) const { return FlatTable(*metadata_, required(id)); }
  /// An absent vector is empty.
  [[nodiscard]] FlatVector vector(unsigned id, std::size_t item_bytes) const {
    const std::size_t at = find(id);
    if (at == 0) return {metadata_, 0, 0};
    const std::size_t start = at + metadata_->load<std::uint32_t>(at);
    const std::size_t count = metadata_->load<std::uint32_t>(start);
    if (count > (metadata_->bytes.size() - start - 4) / item_bytes) {
      metadata_->malformed("Arrow metadata with a vector that is longer than it");
    }
    return {metadata_, start + 4, count};
  }
  [[nodiscard]] std::string_view string(unsigned id) const {
    const FlatVector text = vector(id, 1);
    return {reinterpret_cast<const char*>(metadata_->bytes.data()) + text.first, text.count};
  }
  /// Where the table lies that field `id` points to.
  [[nodiscard]] std::size_t target(unsigned id) const {
    const std::size_t at = required(id);
    return at + metadata_->load<std::uint32_t>(at);
  }

 private:
  [[nodiscard]] std::size_t required(unsigned id) const {
    const std::size_t at = find(id);
    if (at == 0) metadata_->malformed("Arrow metadata without a part that must be there");
    return at;
  }

  const Metadata* metadata_;
  std::size_t at_;
  std::size_t fields_ = 0;
  std::size_t fields_bytes_ = 0;
};

}  // namespace forebay::arrow
