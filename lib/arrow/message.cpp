// SPDX-License-Identifier: Apache-2.0
#include "message.h"

#include <cstring>

namespace forebay::arrow {

namespace {

// The fields of Arrow's tables, by number; a union takes two.
namespace field {
namespace message {
constexpr unsigned kVersion = 0, kHeaderType = 1, kHeader = 2, kBodyBytes = 3, kCustom = 4;
}
namespace batch {
constexpr unsigned kBuffers = 2, kCompression = 3, kVariadicCounts = 4;
}
namespace dictionary {
constexpr unsigned kId = 0, kData = 1, kIsDelta = 2;
}
}  // namespace field

// Structs of two 64-bit integers.
constexpr std::size_t kPairBytes = 16;
constexpr std::int16_t kVersion4 = 3;

// LZ4 encodes up to 255 bytes in one; a ZSTD block of 4 bytes may stand for 128 KiB.
constexpr std::uint64_t kLz4Expansion = 255;
constexpr std::uint64_t kZstdExpansion = (std::uint64_t{128} << 10) / 4;
constexpr std::int8_t kLz4Frame = 0;

FlatTable root(const Metadata& metadata) { return FlatTable(metadata, 0); }

// Arrow 0.17 compressed before the format said how, and told so in the message's own metadata.
bool has_experimental_compression(const FlatTable& message, const Metadata& metadata) {
  if (message.scalar<std::int16_t>(field::message::kVersion) != kVersion4) return false;
  const FlatVector entries = message.vector(field::message::kCustom, sizeof(std::uint32_t));
  for (std::size_t i = 0; i < entries.count; ++i) {
    const FlatTable entry(metadata, entries.first + i * sizeof(std::uint32_t));
    if (entry.string(0) == "ARROW:experimental_compression") return true;
  }
  return false;
}

}  // namespace

MessageHeader read_header(const Metadata& metadata) {
  const FlatTable message = root(metadata);
  const auto kind = message.scalar<std::uint8_t>(field::message::kHeaderType);
  const auto body_bytes = message.scalar<std::int64_t>(field::message::kBodyBytes);
  if (kind == 0 || kind > static_cast<std::uint8_t>(MessageKind::sparse_tensor)) {
    metadata.malformed("an Arrow message of an unknown kind");
  }
  if (body_bytes < 0) metadata.malformed("an Arrow message with a body of negative length");
  return {static_cast<MessageKind>(kind), static_cast<std::uint64_t>(body_bytes)};
}

BatchLayout check_record_batch(const Metadata& metadata, std::uint64_t body_bytes) {
  const FlatTable message = root(metadata);
  const FlatTable batch = message.table(field::message::kHeader);

  const FlatVector buffers = batch.vector(field::batch::kBuffers, kPairBytes);
  for (std::size_t i = 0; i < buffers.count; ++i) {
    const auto start = metadata.load<std::int64_t>(buffers.first + i * kPairBytes);
    const auto size = metadata.load<std::int64_t>(buffers.first + i * kPairBytes + 8);
    if (size == 0) continue;
    if (start < 0 || size < 0 || static_cast<std::uint64_t>(start) > body_bytes ||
        static_cast<std::uint64_t>(size) > body_bytes - static_cast<std::uint64_t>(start)) {
      metadata.malformed("an Arrow batch with a buffer outside of its body");
    }
  }

  // Arrow makes room for as many buffers as are announced before it looks for them.
  const FlatVector counts = batch.vector(field::batch::kVariadicCounts, sizeof(std::int64_t));
  std::uint64_t left = buffers.count;
  for (std::size_t i = 0; i < counts.count; ++i) {
    const auto count = metadata.load<std::int64_t>(counts.first + i * sizeof(std::int64_t));
    if (count < 0 || static_cast<std::uint64_t>(count) > left) {
      metadata.malformed("an Arrow batch that announces more view buffers than it has");
    }
    left -= static_cast<std::uint64_t>(count);
  }

  BatchLayout layout;
  if (batch.has(field::batch::kCompression)) {
    const auto codec = batch.table(field::batch::kCompression).scalar<std::int8_t>(0);
    layout.expansion_max = codec == kLz4Frame ? kLz4Expansion : kZstdExpansion;
  } else if (has_experimental_compression(message, metadata)) {
    layout.expansion_max = kZstdExpansion;
  }
  return layout;
}

DictionaryHeader read_dictionary_header(const Metadata& metadata) {
  const FlatTable dictionary = root(metadata).table(field::message::kHeader);
  return {dictionary.scalar<std::int64_t>(field::dictionary::kId),
          dictionary.scalar<std::uint8_t>(field::dictionary::kIsDelta) != 0};
}

void unwrap_dictionary(const Metadata& metadata) {
  const FlatTable message = root(metadata);
  const std::size_t batch = message.table(field::message::kHeader).target(field::dictionary::kData);
  const std::size_t pointer = message.find(field::message::kHeader);
  const auto distance = static_cast<std::uint32_t>(batch - pointer);
  std::memcpy(metadata.bytes.data() + pointer, &distance, sizeof(distance));
  metadata.bytes[message.find(field::message::kHeaderType)] =
      static_cast<std::byte>(MessageKind::record_batch);
}

}  // namespace forebay::arrow
