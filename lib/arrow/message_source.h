// SPDX-License-Identifier: Apache-2.0
#pragma once

// Messages from a stream of bytes: framing, lengths, truncation.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "forebay/arrow/read_options.h"
#include "forebay/stream.h"
#include "message.h"

namespace forebay::arrow {

/// Takes the messages of one Arrow stream off a StreamReader. Thread role: the reader.
class MessageSource {
 public:
  MessageSource(StreamReader& stream, const ReadOptions& options, ReadStats& stats) noexcept
      : stream_(stream), options_(options), stats_(stats), position_(options.stream_offset) {}

  /// Reads the metadata of the next message into metadata(). False at the end-of-stream marker.
  /// Throws Truncated, ProtocolError, LimitExceeded, and what the stream throws.
  [[nodiscard]] bool next();

  /// The metadata of the present message, which may be changed. 8-byte aligned, valid until next().
  [[nodiscard]] const Metadata& metadata() const noexcept { return metadata_; }
  [[nodiscard]] const MessageHeader& header() const noexcept { return header_; }
  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }

  /// Takes the body, which must be taken or skipped. The views are valid until the next call.
  [[nodiscard]] const std::vector<ByteView>& take_body();
  void skip_body();

 private:
  ByteView take(std::size_t n, const char* what);
  // Whether the stream ends before the first byte of a message, where that is allowed.
  bool at_allowed_end();

  StreamReader& stream_;
  const ReadOptions& options_;
  ReadStats& stats_;
  std::uint64_t position_;
  std::vector<std::uint64_t> memory_;  // of the metadata: flatbuffers want to be aligned
  Metadata metadata_;
  MessageHeader header_;
  std::vector<ByteView> body_;
};

}  // namespace forebay::arrow
