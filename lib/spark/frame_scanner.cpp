// SPDX-License-Identifier: Apache-2.0
#include "forebay/spark/frame_scanner.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <utility>

#include "forebay/spark/init_message.h"
#include "wire.h"

namespace forebay::spark {

namespace {

constexpr std::uint64_t kWordBytes = sizeof(std::int32_t);
// Two words come at least before a body that follows a word: the marker and the length of an Arrow
// message, or those of an init message.
constexpr std::uint64_t kBetweenBytes = 2 * kWordBytes;
// The first word of an Arrow stream.
constexpr std::int32_t kArrowContinuation = -1;
constexpr std::int32_t kStreamsMax = 2;

}  // namespace

ChannelFrameScanner::ChannelFrameScanner(ChannelVersion version) noexcept : version_(version) {
  begin_task();
}

FrameScanner::Part ChannelFrameScanner::part() const noexcept {
  if (state_ == State::opaque) return Part::opaque;
  return state_ == State::arrow ? arrow_.part() : Part::other;
}

std::uint64_t ChannelFrameScanner::left() const noexcept {
  return state_ == State::arrow ? arrow_.left() : left_;
}

std::uint64_t ChannelFrameScanner::exact_bytes() const noexcept {
  switch (state_) {
    case State::arrow:
      return arrow_.exact_bytes();
    case State::opaque:
      return left_;
    case State::init:
      if (version_ == ChannelVersion::spark_4_2) return left_;
      return left_ + kWordBytes + kBetweenBytes;
    default:
      return left_ + kBetweenBytes;
  }
}

bool ChannelFrameScanner::at_body() const noexcept {
  return state_ == State::arrow && arrow_.at_body();
}

std::uint64_t ChannelFrameScanner::expected_body_bytes() const noexcept {
  return largest_body_bytes_;
}

void ChannelFrameScanner::begin(State state, std::uint64_t left) noexcept {
  state_ = state;
  left_ = left;
  gathered_.clear();
}

void ChannelFrameScanner::begin_task() noexcept {
  largest_body_bytes_ = 0;
  begin(version_ == ChannelVersion::spark_4_2 ? State::init : State::word, kWordBytes);
}

void ChannelFrameScanner::begin_stream() noexcept {
  arrow_.restart();
  begin(State::arrow, 0);
}

std::size_t ChannelFrameScanner::consume(std::span<const std::byte> bytes) {
  if (state_ == State::opaque) return bytes.size();
  if (state_ == State::arrow) {
    const std::size_t done = arrow_.consume(bytes);
    largest_body_bytes_ = std::max(largest_body_bytes_, arrow_.last_body_bytes());
    after_arrow();
    return done;
  }
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  if (state_ != State::init || version_ == ChannelVersion::spark_4_2) {
    gathered_.insert(gathered_.end(), bytes.begin(),
                     bytes.begin() + static_cast<std::ptrdiff_t>(count));
  }
  left_ -= count;
  if (left_ != 0) return count;
  if (state_ == State::init) {
    take_init();
  } else {
    take_word();
  }
  return count;
}

void ChannelFrameScanner::consume_body(std::uint64_t bytes) noexcept { arrow_.consume_body(bytes); }

void ChannelFrameScanner::take_word() {
  const auto word = load_be<std::int32_t>(gathered_);
  if (state_ == State::length) {
    if (word < 0) {
      begin(State::opaque, std::numeric_limits<std::uint64_t>::max());
    } else if (word == 0) {
      begin(State::behind_init, kWordBytes);
    } else {
      begin(State::init, static_cast<std::uint64_t>(word));
    }
  } else if (state_ == State::behind_init && word == kArrowContinuation) {
    streams_left_ = 1;
    const auto prefix = std::move(gathered_);
    begin_stream();
    (void)arrow_.consume(prefix);
  } else if (word == static_cast<std::int32_t>(Marker::start_of_init_message) &&
             version_ != ChannelVersion::spark_4_2) {
    begin(State::length, kWordBytes);
  } else if (word == static_cast<std::int32_t>(Marker::end_of_stream)) {
    begin_task();
  } else if (word == 0) {
    begin(State::word, kWordBytes);
  } else if (word >= 1 && word <= kStreamsMax) {
    streams_left_ = word;
    begin_stream();
  } else {
    begin(State::opaque, std::numeric_limits<std::uint64_t>::max());
  }
}

void ChannelFrameScanner::take_init() {
  if (version_ == ChannelVersion::spark_4_2) {
    try {
      const InitParse parse = parse_init(gathered_, version_);
      if (!parse.message) {
        left_ = parse.wanted_bytes - gathered_.size();
        return;
      }
    } catch (const std::exception&) {
      begin(State::opaque, std::numeric_limits<std::uint64_t>::max());
      return;
    }
  }
  begin(State::behind_init, kWordBytes);
}

void ChannelFrameScanner::after_arrow() noexcept {
  if (arrow_.part() != Part::opaque) return;
  if (!arrow_.ended()) {
    begin(State::opaque, std::numeric_limits<std::uint64_t>::max());
  } else if (--streams_left_ > 0) {
    begin_stream();
  } else {
    begin(State::word, kWordBytes);
  }
}

}  // namespace forebay::spark
