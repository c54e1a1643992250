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

/// What a receiver asks of a framing.
class FrameScanner {
 public:
  /// What a byte can belong to.
  enum class Part : std::uint8_t {
    prefix,    ///< marker and length of an Arrow message
    metadata,  ///< the message's flatbuffer
    body,      ///< the message's body
    other,     ///< what stands between Arrow streams, where that is followed
    opaque,    ///< what cannot be followed, and all behind it
  };

  virtual ~FrameScanner() = default;

  /// What the next byte belongs to.
  [[nodiscard]] virtual Part part() const noexcept = 0;
  /// Bytes left of that part, as far as is known; SIZE_MAX when opaque.
  [[nodiscard]] virtual std::uint64_t left() const noexcept = 0;
  /// How many bytes can be received next without going beyond what comes before the next body, or,
  /// within a body, to its end; SIZE_MAX when opaque.
  [[nodiscard]] virtual std::uint64_t exact_bytes() const noexcept = 0;
  /// Whether the next byte is the first of a body; left() is the body's length then.
  [[nodiscard]] virtual bool at_body() const noexcept = 0;
  /// How long the next bodies may be, judged by those before; 0 when nothing is known.
  [[nodiscard]] virtual std::uint64_t expected_body_bytes() const noexcept = 0;

  /// Goes on over the bytes of at most one part and returns how many that were.
  /// Throws std::bad_alloc.
  virtual std::size_t consume(std::span<const std::byte> bytes) = 0;

  /// Goes on over bytes of a body that were received elsewhere; at most left().
  virtual void consume_body(std::uint64_t bytes) noexcept = 0;
};

/// Follows the encapsulated message format of Arrow IPC streams ("Encapsulated message format" in
/// the Arrow columnar specification): a continuation marker, a little-endian length, that many
/// bytes of metadata, and a body whose length the metadata tells; streams before Arrow 0.15 have no
/// marker.
class ArrowFrameScanner final : public FrameScanner {
 public:
  /// Metadata beyond this is not followed. Nothing is allocated for a length that is only
  /// announced.
  static constexpr std::size_t kMetadataBytesMax = std::size_t{16} << 20;

  /// Opaque: after the end marker, or after bytes that cannot be followed.
  [[nodiscard]] Part part() const noexcept override { return part_; }
  [[nodiscard]] std::uint64_t left() const noexcept override { return left_; }
  [[nodiscard]] std::uint64_t exact_bytes() const noexcept override {
    // Metadata is never shorter than a length, so that a prefix may be taken for one with a marker.
    return part_ == Part::prefix && !marker_seen_ ? left_ + 4 : left_;
  }
  [[nodiscard]] bool at_body() const noexcept override {
    return part_ == Part::body && left_ == last_body_bytes_;
  }
  [[nodiscard]] std::uint64_t expected_body_bytes() const noexcept override {
    return last_body_bytes_;
  }
  std::size_t consume(std::span<const std::byte> bytes) override;
  void consume_body(std::uint64_t bytes) noexcept override;

  /// Whether it is opaque because the stream's end marker was seen.
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  /// Length of the last body that was announced and was not empty, 0 before.
  [[nodiscard]] std::uint64_t last_body_bytes() const noexcept { return last_body_bytes_; }
  /// Begins a new stream.
  void restart() noexcept {
    begin(Part::prefix, 4);
    last_body_bytes_ = 0;
    marker_seen_ = ended_ = false;
  }

 private:
  void begin(Part part, std::uint64_t left) noexcept;
  void end_of_prefix();
  void end_of_metadata();

  Part part_ = Part::prefix;
  std::uint64_t left_ = 4;
  std::uint64_t last_body_bytes_ = 0;
  bool marker_seen_ = false;
  bool ended_ = false;
  std::vector<std::byte> gathered_;  // the bytes so far of a prefix or of metadata
};

/// The body length of a message whose flatbuffer metadata is given; -1 when it cannot be read.
/// Reads nothing outside `metadata`, whatever its offsets claim. Field 3 of table Message
/// (Message.fbs).
[[nodiscard]] std::int64_t arrow_body_length(std::span<const std::byte> metadata) noexcept;

}  // namespace forebay
