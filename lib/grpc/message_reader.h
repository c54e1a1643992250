// SPDX-License-Identifier: Apache-2.0
#pragma once

// The messages of one call, out of the bytes of its HTTP/2 stream ("Length-Prefixed-Message" in
// gRPC's protocol over HTTP/2). Without I/O.
//
// Data is put where it is to stay as soon as its place is known: room() is memory that the next
// bytes may be received into. Other messages are kept as they are. Nothing is spent on what is only
// announced but address space for a body, within the limit of a message.
//
// Thread role: one thread at a time. Blocking: never.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "forebay/chunk.h"
#include "forebay/chunk_pool.h"
#include "forebay/framing.h"
#include "forebay/grpc/server.h"
#include "wire.h"

namespace forebay::grpc {

// Memory that bytes were received into, shared with the pieces that stay in it.
using ReceiveBuffer = std::shared_ptr<std::byte[]>;

struct IncomingMessage {
  // Of data in the usual encoding; then `pieces` has it.
  std::optional<std::size_t> data_bytes = {};
  std::vector<Chunk> pieces = {};
  // False for data that is not one whole Arrow message although its body is to be aligned; then
  // there are no pieces.
  bool whole = true;
  // Any other message.
  std::string bytes = {};
  // Of the data: copied into the aligned body, and since it came in pieces too small to be shared.
  std::size_t gathered_bytes = 0;
  std::size_t inlined_bytes = 0;
};

class MessageReader {
 public:
  enum class Fault : std::uint8_t { none, compressed, too_large };

  // Without a placement no message is taken for data.
  MessageReader(std::optional<Placement> placement, std::size_t message_bytes_max)
      : placement_(placement), message_bytes_max_(message_bytes_max) {}

  // Where bodies are put from now on, when it has a block to spare.
  void set_lease(PoolLease* lease) noexcept { lease_ = lease; }

  // Takes bytes, which lie in the buffer, up to the end of a message at most; returns how many.
  // None are taken while there is a message to take() or a fault. Throws std::bad_alloc.
  std::size_t consume(std::span<const std::byte> bytes, const ReceiveBuffer& buffer);
  // The place of the next bytes, all of the present body that is missing; empty when they have
  // none.
  [[nodiscard]] std::span<std::byte> room() const noexcept;
  // So many bytes are there.
  void received(std::size_t count);

  // The message that is complete, once.
  [[nodiscard]] std::optional<IncomingMessage> take();
  [[nodiscard]] Fault fault() const noexcept { return fault_; }
  // What the message that is too large announced.
  [[nodiscard]] std::size_t announced_bytes() const noexcept { return left_; }
  [[nodiscard]] std::size_t bytes_max() const noexcept { return message_bytes_max_; }
  // Whether pieces were left in the buffer since this was asked last.
  [[nodiscard]] bool take_shared() noexcept { return std::exchange(shared_, false); }
  // The size of the last body, 0 before.
  [[nodiscard]] std::size_t last_body_bytes() const noexcept { return last_body_bytes_; }

 private:
  enum class Part : std::uint8_t { prefix, head, bytes, slices, arrow_head, body, refused };

  std::size_t step(std::span<const std::byte> bytes, const ReceiveBuffer& buffer);
  std::size_t take_prefix(std::span<const std::byte> bytes);
  std::size_t take_head(std::span<const std::byte> bytes);
  void begin_data(std::size_t offset);
  std::size_t take_arrow_head(std::span<const std::byte> bytes);
  void add_slice(std::span<const std::byte> bytes, const ReceiveBuffer& buffer);
  void add_small();
  void add_arrow_head();
  void begin_body();
  void refuse();
  void settle();

  const std::optional<Placement> placement_;
  const std::size_t message_bytes_max_;
  PoolLease* lease_ = nullptr;

  Part part_ = Part::prefix;
  Fault fault_ = Fault::none;
  bool complete_ = false;
  std::size_t left_ = 0;  // of the message
  std::array<std::byte, 5> prefix_{};
  std::size_t prefix_filled_ = 0;
  std::array<std::byte, kDataHeadBytesMax> head_{};
  std::size_t head_filled_ = 0;
  ArrowFrameScanner scanner_;
  std::vector<std::byte> arrow_head_;
  std::vector<std::byte> small_;  // pieces that are not worth their buffer, together
  bool shared_ = false;
  std::optional<PoolBlock> block_;  // of the body, or else
  struct Free {
    void operator()(std::byte* memory) const noexcept;
  };
  std::unique_ptr<std::byte[], Free> own_;
  std::byte* body_ = nullptr;
  std::size_t body_filled_ = 0;
  std::size_t last_body_bytes_ = 0;
  IncomingMessage message_;
};

}  // namespace forebay::grpc
