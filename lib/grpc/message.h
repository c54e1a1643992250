// SPDX-License-Identifier: Apache-2.0
#pragma once

// A message as gRPC delivered it, and as gRPC sends it: memory changes hands, bytes stay put.

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "forebay/chunk.h"
#include "forebay/chunk_pool.h"

namespace forebay::grpc {

// What became of the bytes of received messages.
struct Copies {
  std::uint64_t gathered = 0;  // into aligned memory
  std::uint64_t inlined = 0;   // out of slices that gRPC keeps inside of their handles
};

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
  void to_chunks(std::size_t offset, std::deque<Chunk>& to, Copies& copies) &&;
  // The same, but the body of the Arrow message that the bytes are is one aligned chunk, in a block
  // of the lease when there is one to be had. False, and nothing added, for bytes that are not one
  // whole Arrow message.
  [[nodiscard]] bool to_aligned_chunks(std::size_t offset, PoolLease& lease, std::deque<Chunk>& to,
                                       Copies& copies) &&;

 private:
  // How many bytes from `offset` on come before the Arrow message's body; nothing when what is
  // there is not one whole message.
  std::optional<std::size_t> arrow_head_bytes(std::size_t offset) const;
  void add_chunks(std::size_t begin, std::size_t end, std::deque<Chunk>& to, Copies& copies);

  std::vector<::grpc::Slice> slices_;
  std::size_t size_ = 0;
};

// A data message of these bytes. Small pieces are copied together, the others are held until gRPC
// has sent them.
::grpc::ByteBuffer data_message(std::vector<Chunk> pieces, std::size_t size);
::grpc::ByteBuffer control_message(const std::string& bytes);

}  // namespace forebay::grpc
