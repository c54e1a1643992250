// SPDX-License-Identifier: Apache-2.0
#pragma once

// Framing: what comes next in a stream of bytes, so that a receiver can put it where it belongs.
//
// A receiver that knows how long the next body is receives it straight into one aligned block. The
// scanner finds that out without knowing the format beyond its framing. It judges nothing: input
// that it cannot follow is `opaque` from there on, and the deserializer, which reads the same
// bytes, says what is wrong with them.
//
// Thread role: one thread at a time. Blocking: never.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace forebay {

/// The framings that receivers know.
enum class Framing : std::uint8_t {
  none,       ///< bytes without announced lengths
  arrow_ipc,  ///< the Arrow IPC streaming format, with or without continuation markers
};

/// Follows the encapsulated message format of Arrow IPC streams ("Encapsulated message format" in
/// the Arrow columnar specification): a continuation marker, a little-endian length, that many
/// bytes of metadata, and a body whose length the metadata tells; streams before Arrow 0.15 have no
/// marker.
class ArrowFrameScanner {
 public:
  /// The parts of a message.
  enum class Part : std::uint8_t {
    prefix,    ///< marker and length
    metadata,  ///< the message's flatbuffer
    body,      ///< the message's body
    opaque,    ///< after the end marker, or after bytes that cannot be followed
  };

  /// Metadata beyond this is not followed. Nothing is allocated for a length that is only
  /// announced.
  static constexpr std::size_t kMetadataBytesMax = std::size_t{16} << 20;

  /// What the next byte belongs to.
  [[nodiscard]] Part part() const noexcept { return part_; }
  /// Bytes left of that part; for the prefix, what is known to be left; SIZE_MAX when opaque.
  [[nodiscard]] std::uint64_t left() const noexcept { return left_; }
  /// How many bytes can be received next without going beyond what comes before the next body, or,
  /// within a body, to its end; SIZE_MAX when opaque.
  [[nodiscard]] std::uint64_t exact_bytes() const noexcept {
    // Metadata is never shorter than a length, so that a prefix may be taken for one with a marker.
    return part_ == Part::prefix && !marker_seen_ ? left_ + 4 : left_;
  }
  /// Length of the last body that was announced and was not empty, 0 before.
  [[nodiscard]] std::uint64_t last_body_bytes() const noexcept { return last_body_bytes_; }

  /// Goes on over the bytes of at most one part and returns how many that were.
  /// Throws std::bad_alloc.
  std::size_t consume(std::span<const std::byte> bytes);

  /// Goes on over bytes of a body that were received elsewhere; at most left().
  void consume_body(std::uint64_t bytes) noexcept;

 private:
  void begin(Part part, std::uint64_t left) noexcept;
  void end_of_prefix();
  void end_of_metadata();

  Part part_ = Part::prefix;
  std::uint64_t left_ = 4;
  std::uint64_t last_body_bytes_ = 0;
  bool marker_seen_ = false;
  std::vector<std::byte> gathered_;  // the bytes so far of a prefix or of metadata
};

/// The body length of a message whose flatbuffer metadata is given; -1 when it cannot be read.
/// Reads nothing outside `metadata`, whatever its offsets claim. Field 3 of table Message
/// (Message.fbs).
[[nodiscard]] std::int64_t arrow_body_length(std::span<const std::byte> metadata) noexcept;

}  // namespace forebay
