// SPDX-License-Identifier: Apache-2.0
#pragma once

// A message as it goes into an HTTP/2 stream: what stands before the data together, and the data
// where it lies.

#include <cstddef>
#include <string>
#include <vector>

#include "forebay/chunk.h"

namespace forebay::grpc {

struct OutgoingMessage {
  std::string head;  // gRPC's prefix and what stands before the data, or all of the message
  std::vector<Chunk> pieces = {};
  std::size_t data_bytes = 0;  // of the pieces; 0 for what is not data

  [[nodiscard]] std::size_t size() const noexcept { return head.size() + data_bytes; }
};

// Data of these bytes. Errors: LimitExceeded for a message beyond `message_bytes_max`.
[[nodiscard]] OutgoingMessage data_message(std::vector<Chunk> pieces,
                                           std::size_t message_bytes_max);
// Any other.
[[nodiscard]] OutgoingMessage control_message(const std::string& bytes);

}  // namespace forebay::grpc
