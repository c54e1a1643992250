// SPDX-License-Identifier: Apache-2.0
#include "message_source.h"

#include <cstring>

#include "forebay/error.h"

namespace forebay::arrow {

namespace {
constexpr std::int32_t kContinuation = -1;
constexpr std::size_t kLengthBytes = sizeof(std::int32_t);

std::int32_t load_length(ByteView bytes) noexcept {
  std::int32_t length;
  std::memcpy(&length, bytes.data(), sizeof(length));
  return length;
}
}  // namespace

ByteView MessageSource::take(std::size_t n, const char* what) {
  try {
    const ByteView view = stream_.read(n);
    position_ += n;
    return view;
  } catch (const EndOfStream& end) {
    throw Truncated(what, n, end.available(), position_);
  }
}

bool MessageSource::at_allowed_end() {
  return options_.allow_missing_end_marker && stream_.at_end();
}

bool MessageSource::next() {
  if (at_allowed_end()) return false;
  const std::uint64_t start = position_;
  std::int32_t length =
      load_length(take(kLengthBytes, "an Arrow message or the end-of-stream marker"));
  // Before Arrow 0.15 there was no continuation marker.
  if (length == kContinuation)
    length = load_length(take(kLengthBytes, "the length of an Arrow message"));
  if (length == 0) return false;
  if (length < 0) {
    throw ProtocolError(
        "an Arrow message with metadata of negative length " + std::to_string(length), start);
  }
  const auto bytes = static_cast<std::size_t>(length);
  if (bytes > options_.metadata_bytes_max) {
    throw LimitExceeded("metadata bytes of one Arrow message", options_.metadata_bytes_max, bytes);
  }
  // A copy, because it must outlive the wait for the body, and flatbuffers want to be aligned.
  const ByteView view = take(bytes, "the metadata of an Arrow message");
  memory_.resize((bytes + 7) / 8);
  std::memcpy(memory_.data(), view.data(), bytes);
  metadata_ = {std::as_writable_bytes(std::span(memory_)).first(bytes), start};
  header_ = read_header(metadata_);
  if (header_.body_bytes > options_.body_bytes_max) {
    throw LimitExceeded("bytes of the body of one Arrow message", options_.body_bytes_max,
                        header_.body_bytes);
  }
  return true;
}

const std::vector<ByteView>& MessageSource::take_body() {
  const auto bytes = static_cast<std::size_t>(header_.body_bytes);
  try {
    try {
      body_ = stream_.read_gather(bytes);
    } catch (const LimitExceeded&) {
      // The body does not fit into the memory of the stream as it came: has it gathered, which
      // frees that memory as it goes. Throws LimitExceeded itself when even that is too much.
      body_.assign(1, stream_.read(bytes));
      ++stats_.bodies_gathered;
      stats_.bytes_gathered += bytes;
    }
  } catch (const EndOfStream& end) {
    throw Truncated("the body of an Arrow message", bytes, end.available(), position_);
  }
  position_ += bytes;
  return body_;
}

void MessageSource::skip_body() {
  const auto bytes = static_cast<std::size_t>(header_.body_bytes);
  const std::size_t skipped = stream_.skip(bytes);
  if (skipped != bytes) {
    throw Truncated("the body of an Arrow message", bytes, skipped, position_);
  }
  position_ += bytes;
}

}  // namespace forebay::arrow
