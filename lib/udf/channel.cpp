// SPDX-License-Identifier: Apache-2.0
#include "channel.h"

#include <errno.h>

#include <memory>
#include <system_error>
#include <utility>

#include "forebay/error.h"
#include "forebay/spark/frame_scanner.h"

namespace forebay::udf {

namespace {

// Spark sends batches of 10,000 rows, far apart against what a system call takes: one of a few
// bytes a row is worth a block of its own.
constexpr std::size_t kStraightBytesMin = std::size_t{16} << 10;

socket::ReceiverOptions receiver_options(const ChannelOptions& options) {
  socket::ReceiverOptions receiver;
  // Before Spark 4.3 nothing says where an init message ends but its fields.
  if (options.version != spark::ChannelVersion::spark_4_2) {
    receiver.scanner = std::make_shared<spark::ChannelFrameScanner>(options.version);
  }
  receiver.mode = options.mode;
  receiver.straight_bytes_min = kStraightBytesMin;
  receiver.stream.max_bytes = options.buffer_bytes_max;
  receiver.stream.gather_bytes_max =
      std::max(options.batch_bytes_max, options.init.message_bytes_max);
  return receiver;
}

}  // namespace

Channel::Channel(socket::Descriptor connection, const ChannelOptions& options,
                 const socket::Descriptor* out)
    : ByteInput(options.batch_bytes_max),
      options_(options),
      receiver_(std::move(connection), receiver_options(options)),
      writer_(out != nullptr ? *out : receiver_.descriptor()) {}

std::optional<spark::InitMessage> Channel::read_init() {
  if (reader().at_end()) return std::nullopt;
  ByteView bytes;
  for (;;) {
    spark::InitParse parse = spark::parse_init({bytes.data(), bytes.size()}, options_.version,
                                               options_.init, position());
    if (parse.message) {
      reader().skip(parse.consumed_bytes);
      move_to(position() + parse.consumed_bytes);
      return std::move(parse.message);
    }
    try {
      bytes = reader().peek(parse.wanted_bytes);
    } catch (const EndOfStream& end) {
      throw Truncated(parse.wanted_for, parse.wanted_bytes, end.available(), position());
    }
  }
}

std::int32_t ByteInput::read_word(const char* what) {
  try {
    const auto word = reader().read_be<std::int32_t>();
    position_ += sizeof(word);
    return word;
  } catch (const EndOfStream& end) {
    throw Truncated(what, sizeof(std::int32_t), end.available(), position_);
  }
}

void Channel::drain() noexcept {
  try {
    while (!reader().read_some(SIZE_MAX).empty()) {
    }
  } catch (const std::exception&) {
    // The connection broke, which ends it as well.
  }
}

bool is_peer_gone(const std::exception& error) noexcept {
  const auto* const system = dynamic_cast<const std::system_error*>(&error);
  return system != nullptr && (system->code() == std::errc::broken_pipe ||
                               system->code() == std::errc::connection_reset);
}

}  // namespace forebay::udf
