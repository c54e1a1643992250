// SPDX-License-Identifier: Apache-2.0
#pragma once

// A call as its connection sees it.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "message_reader.h"

namespace forebay::grpc {

// How a call ended. The codes are gRPC's.
struct Status {
  enum Code : std::uint8_t {
    ok = 0,
    invalid_argument = 3,
    deadline_exceeded = 4,
    resource_exhausted = 8,
    unimplemented = 12,
    internal = 13,
    unavailable = 14,
  };
  Code code = ok;
  std::string text = {};
};

// All with the connection's lock, on its thread unless said otherwise. They must not block.
class Call {
 public:
  Call(std::optional<Placement> placement, std::size_t message_bytes_max)
      : reader(placement, message_bytes_max) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  virtual ~Call() = default;

  virtual void on_message(IncomingMessage message) = 0;
  // The engine will send no more.
  virtual void on_half_closed() = 0;
  // Nothing can be sent any more: reset by the engine, out of time, or the connection is gone.
  virtual void on_broken() = 0;
  // The message that was given to send() is on its way. On whichever thread sends.
  virtual void on_written() = 0;
  // The last word: the stream is gone. On whichever thread sends, or the connection's.
  virtual void on_closed() = 0;

  MessageReader reader;
};

}  // namespace forebay::grpc
