// SPDX-License-Identifier: Apache-2.0
#pragma once

// A message as gRPC delivers it to a client, and as gRPC sends it: memory changes hands, bytes stay
// put.

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "forebay/chunk.h"

namespace forebay::grpc {

class ReceivedMessage {
 public:
  // Takes the buffer's slices.
  explicit ReceivedMessage(::grpc::ByteBuffer& buffer);

  std::size_t size() const noexcept { return size_; }
  // Where data begins, when the message is nothing else.
  std::optional<std::size_t> data_offset() const;
  // All bytes, together.
  std::string to_string() const;

  // Adds the bytes from `offset` on as chunks that hold gRPC's memory.
  void to_chunks(std::size_t offset, std::vector<Chunk>& to) &&;

 private:
  std::vector<::grpc::Slice> slices_;
  std::size_t size_ = 0;
};

// A data message of these bytes. Small pieces are copied together, the others are held until gRPC
// has sent them.
::grpc::ByteBuffer data_buffer(std::vector<Chunk> pieces, std::size_t size);
::grpc::ByteBuffer control_buffer(const std::string& bytes);

}  // namespace forebay::grpc
