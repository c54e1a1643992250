// SPDX-License-Identifier: Apache-2.0
#include "outgoing_message.h"

#include <utility>

#include "forebay/error.h"
#include "wire.h"

namespace forebay::grpc {

namespace {

// Not compressed, and a big-endian length.
std::string prefix_of(std::size_t message_bytes) {
  std::string prefix(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) prefix += static_cast<char>(message_bytes >> shift);
  return prefix;
}

}  // namespace

OutgoingMessage data_message(std::vector<Chunk> pieces, std::size_t message_bytes_max) {
  std::size_t data_bytes = 0;
  for (const Chunk& piece : pieces) data_bytes += piece.size();
  const std::string head = data_head(data_bytes);
  const std::size_t size = head.size() + data_bytes;
  if (size > message_bytes_max) {
    throw LimitExceeded("bytes of one message", message_bytes_max, size);
  }
  return {.head = prefix_of(size) + head, .pieces = std::move(pieces), .data_bytes = data_bytes};
}

OutgoingMessage control_message(const std::string& bytes) {
  return {.head = prefix_of(bytes.size()) + bytes};
}

}  // namespace forebay::grpc
