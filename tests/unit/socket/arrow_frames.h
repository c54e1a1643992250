// SPDX-License-Identifier: Apache-2.0
#pragma once

// Streams with the framing of Arrow IPC, built by hand: marker, length, a flatbuffer of which only
// the body length means something, body.

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "unit/core/support.h"

namespace forebay::test {

/// A flatbuffer Message of `size` bytes (at least 48) with the body length in field 3.
inline std::string arrow_metadata(std::size_t size, std::int64_t body_bytes) {
  std::string buffer(size, '\0');
  const auto put = [&buffer](std::size_t at, auto value) {
    std::memcpy(buffer.data() + at, &value, sizeof value);
  };
  put(0, std::uint32_t{24});      // where the root table is
  put(8, std::uint16_t{12});      // the vtable: its size,
  put(10, std::uint16_t{24});     // the table's size,
  put(12, std::uint16_t{0});      // and where the fields are: no version,
  put(14, std::uint16_t{0});      // no type of header,
  put(16, std::uint16_t{0});      // no header,
  put(18, std::uint16_t{8});      // the body length
  put(24, std::int32_t{24 - 8});  // the table: how far back its vtable is
  put(32, body_bytes);
  return buffer;
}

class ArrowStream {
 public:
  struct Message {
    std::size_t head_bytes;
    std::size_t body_bytes;
  };

  /// `legacy`: as before Arrow 0.15, without continuation markers.
  explicit ArrowStream(bool legacy = false) : legacy_(legacy) {}

  void add_announcement(std::size_t metadata_bytes, std::int64_t body_bytes) {
    put_head(static_cast<std::uint32_t>(metadata_bytes));
    bytes_ += arrow_metadata(metadata_bytes, body_bytes);
  }
  void add_message(std::size_t metadata_bytes, std::size_t body_bytes) {
    const std::size_t begin = bytes_.size();
    add_announcement(metadata_bytes, static_cast<std::int64_t>(body_bytes));
    messages.push_back({bytes_.size() - begin, body_bytes});
    bytes_ += pattern(body_bytes, bytes_.size());
  }
  void add_end() { put_head(0); }

  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  std::vector<Message> messages;

 private:
  void put_head(std::uint32_t length) {
    if (!legacy_) bytes_.append(4, '\xFF');
    bytes_.append(reinterpret_cast<const char*>(&length), sizeof length);
  }

  const bool legacy_;
  std::string bytes_;
};

}  // namespace forebay::test
