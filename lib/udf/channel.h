// SPDX-License-Identifier: Apache-2.0
#pragma once

// One connection to Spark: the bytes that come, where in them we are, and what goes back.

#include <cstdint>
#include <optional>

#include "forebay/socket/receiver.h"
#include "forebay/spark/gather_writer.h"
#include "forebay/spark/init_message.h"

namespace forebay::udf {

struct ChannelOptions {
  spark::ChannelVersion version = spark::ChannelVersion::spark_4_3;
  spark::InitLimits init = {};
  // Whether Spark is asked, after the first task, not to use the connection again.
  bool once = false;
  // Who receives.
  socket::ReceiveMode mode = socket::ReceiveMode::automatic;
  // Bytes that may be received and not yet let go of.
  std::size_t buffer_bytes_max = std::size_t{32} << 20;
  // Bytes of one Arrow batch, or one dictionary.
  std::size_t batch_bytes_max = std::size_t{512} << 20;
  // Bytes of all broadcasts that a worker keeps.
  std::size_t broadcast_bytes_max = std::size_t{2} << 30;
};

// The bytes that come, and where in them we are.
class ByteInput {
 public:
  explicit ByteInput(std::size_t batch_bytes_max) : batch_bytes_max_(batch_bytes_max) {}
  ByteInput(const ByteInput&) = delete;
  ByteInput& operator=(const ByteInput&) = delete;
  virtual ~ByteInput() = default;

  virtual StreamReader& reader() noexcept = 0;
  // A word; `what` says what it is. Errors: Truncated.
  std::int32_t read_word(const char* what);
  std::uint64_t position() const noexcept { return position_; }
  // Something else has read from reader() up to here.
  void move_to(std::uint64_t position) noexcept { position_ = position; }
  // Bytes that one Arrow batch may have.
  std::size_t batch_bytes_max() const noexcept { return batch_bytes_max_; }

 private:
  const std::size_t batch_bytes_max_;
  std::uint64_t position_ = 0;
};

class Channel final : public ByteInput {
 public:
  // Takes the connection over, behind its handshake. What comes back goes to `out`, when there is
  // one, instead of into the connection.
  Channel(socket::Descriptor connection, const ChannelOptions& options,
          const socket::Descriptor* out = nullptr);

  // The next task's init message; empty when the peer has closed between two tasks.
  // Errors: Truncated, and those of parse_init().
  std::optional<spark::InitMessage> read_init();
  // Reads and throws away until the peer closes, whatever way.
  void drain() noexcept;

  StreamReader& reader() noexcept override { return receiver_.reader(); }
  spark::GatherWriter& writer() noexcept { return writer_; }
  const ChannelOptions& options() const noexcept { return options_; }

 private:
  const ChannelOptions options_;
  socket::SocketReceiver receiver_;
  spark::GatherWriter writer_;
};

// Whether the error says that the peer has closed the connection, or died.
bool is_peer_gone(const std::exception& error) noexcept;

}  // namespace forebay::udf
