// SPDX-License-Identifier: Apache-2.0
#include "payload.h"

#include <array>
#include <cstdio>

namespace forebay::grpc {

namespace {

constexpr std::uint32_t kPolynomial = 0xEDB88320;

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) {
      remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? kPolynomial : 0);
    }
    table[byte] = remainder;
  }
  return table;
}

constexpr auto kTable = make_table();

std::string hex(std::uint32_t value) {
  std::array<char, 11> text;
  const int size = std::snprintf(text.data(), text.size(), "0x%08x", value);
  return {text.data(), static_cast<std::size_t>(size)};
}

// Whether so many bytes are more than were announced, or than there may be.
Complaint check_size(const Payload& payload, std::size_t size, std::size_t bytes_max) {
  if (size > bytes_max) {
    return "a payload of at least " + std::to_string(size) + " bytes, at most " +
           std::to_string(bytes_max) + " are taken";
  }
  if (payload.size && static_cast<std::uint64_t>(*payload.size) < size) {
    return "a payload of at least " + std::to_string(size) + " bytes, where " +
           std::to_string(*payload.size) + " were announced";
  }
  return std::nullopt;
}

}  // namespace

std::uint32_t crc32_of(std::string_view bytes) noexcept {
  std::uint32_t remainder = 0xFFFFFFFF;
  for (const char byte : bytes) {
    remainder = (remainder >> 8) ^ kTable[(remainder ^ static_cast<unsigned char>(byte)) & 0xFF];
  }
  return ~remainder;
}

Complaint check_announced(const Payload& payload, std::size_t bytes_max) {
  if (payload.format.empty()) return "a payload without a format";
  if (payload.size && *payload.size < 0) {
    return "a payload of " + std::to_string(*payload.size) + " bytes";
  }
  if (payload.size && static_cast<std::uint64_t>(*payload.size) > bytes_max) {
    return check_size(Payload{}, static_cast<std::size_t>(*payload.size), bytes_max);
  }
  return check_size(payload, payload.bytes.size(), bytes_max);
}

Complaint append(Payload& payload, const std::string& bytes, std::size_t bytes_max) {
  if (bytes.empty()) return "a chunk of the payload without bytes";
  // The sum cannot overflow: both are sizes of strings in memory.
  Complaint complaint = check_size(payload, payload.bytes.size() + bytes.size(), bytes_max);
  if (!complaint) payload.bytes += bytes;
  return complaint;
}

Complaint check_complete(const Payload& payload) {
  if (payload.size && static_cast<std::uint64_t>(*payload.size) != payload.bytes.size()) {
    return "a payload of " + std::to_string(payload.bytes.size()) + " bytes, where " +
           std::to_string(*payload.size) + " were announced";
  }
  if (!payload.crc32) return std::nullopt;
  const std::uint32_t crc = crc32_of(payload.bytes);
  if (crc == *payload.crc32) return std::nullopt;
  return "a payload whose CRC-32 is " + hex(crc) + ", where " + hex(*payload.crc32) +
         " was announced";
}

}  // namespace forebay::grpc
