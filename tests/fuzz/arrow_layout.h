// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where the parts of an Arrow stream lie, found the plain way: with all bytes at hand, and without
// the library. The fuzzers compare with it, and the mutator changes what it finds.

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

namespace forebay::fuzz {

/// One message. What is cut off by the end of the bytes has its announced size all the same.
struct Message {
  std::size_t prefix = 0;
  std::size_t metadata = 0;
  std::size_t metadata_bytes = 0;
  std::size_t body = 0;
  std::uint64_t body_bytes = 0;
  std::optional<std::size_t> body_bytes_field;  ///< where the metadata says body_bytes
};

struct Layout {
  std::vector<Message> messages;
  /// Where nothing can be followed any more, and why not: not at all, or the end marker.
  std::optional<std::size_t> opaque;
};

class LayoutParser {
 public:
  explicit LayoutParser(std::span<const std::byte> bytes) : bytes_(bytes) {}

  [[nodiscard]] Layout parse() const {
    Layout layout;
    for (std::size_t at = 0; at < bytes_.size();) {
      Message message;
      message.prefix = at;
      auto word = number<std::uint32_t>(at);
      at += 4;
      if (word == 0xFFFFFFFFU) {
        word = number<std::uint32_t>(at);
        at += 4;
      }
      if (!word) break;
      if (*word == 0 || *word > (16U << 20)) {
        layout.opaque = at;
        break;
      }
      message.metadata = at;
      message.metadata_bytes = *word;
      message.body = at + *word;
      if (message.body <= bytes_.size() && !find_body(message)) {
        layout.opaque = message.body;
        layout.messages.push_back(message);
        break;
      }
      layout.messages.push_back(message);
      if (message.body_bytes > bytes_.size() || message.body > bytes_.size()) break;
      at = message.body + static_cast<std::size_t>(message.body_bytes);
    }
    return layout;
  }

 private:
  template <class T>
  [[nodiscard]] std::optional<T> number(std::size_t at) const {
    return number<T>(at, bytes_.size());
  }
  template <class T>
  [[nodiscard]] std::optional<T> number(std::size_t at, std::size_t end) const {
    T value;
    if (at > end || end - at < sizeof value) return std::nullopt;
    std::memcpy(&value, bytes_.data() + at, sizeof value);
    return value;
  }

  // Reads the body's length; false when it is not to be found inside the metadata, or negative.
  [[nodiscard]] bool find_body(Message& message) const {
    const std::size_t begin = message.metadata;
    const std::size_t end = message.body;
    const auto root = number<std::uint32_t>(begin, end);
    if (!root) return false;
    const std::size_t table = begin + *root;
    const auto back = number<std::int32_t>(table, end);
    if (!back) return false;
    const std::int64_t vtable = static_cast<std::int64_t>(table) - *back;
    if (vtable < static_cast<std::int64_t>(begin)) return false;
    const auto at_vtable = static_cast<std::size_t>(vtable);
    const auto vtable_bytes = number<std::uint16_t>(at_vtable, end);
    // Even a vtable without fields is four bytes long.
    if (!vtable_bytes || !number<std::uint32_t>(at_vtable, end)) return false;
    if (*vtable_bytes < 12) return true;
    const auto field = number<std::uint16_t>(at_vtable + 10, end);
    if (!field) return false;
    if (*field == 0) return true;
    const auto length = number<std::int64_t>(table + *field, end);
    if (!length || *length < 0) return false;
    message.body_bytes = static_cast<std::uint64_t>(*length);
    message.body_bytes_field = table + *field;
    return true;
  }

  std::span<const std::byte> bytes_;
};

inline Layout layout_of(std::span<const std::byte> bytes) { return LayoutParser(bytes).parse(); }

}  // namespace forebay::fuzz
