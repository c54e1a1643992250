// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sends many pieces of memory with few system calls and without copying them together.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "forebay/socket/descriptor.h"

namespace forebay::spark {

/// Sends on a connected socket, or writes to a pipe or a file, which must be blocking. Nothing is
/// kept but the figures: a peer that does not read makes the calls wait.
class GatherWriter {
 public:
  /// Writes to the descriptor, which stays its owner's and must outlive this.
  explicit GatherWriter(const socket::Descriptor& to);

  /// Sends all pieces, in order. Blocking: until the peer has room for the last.
  /// Errors: std::system_error; part of the bytes may have been sent. A peer that is gone is EPIPE
  /// or ECONNRESET, never a signal on a socket.
  void send(std::span<const std::span<const std::byte>> pieces);
  /// One piece.
  void send(std::span<const std::byte> piece) { send({&piece, 1}); }

  /// Bytes sent.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  /// System calls made.
  [[nodiscard]] std::uint64_t system_calls() const noexcept { return system_calls_; }

 private:
  const int descriptor_;
  const bool is_socket_;
  std::uint64_t bytes_ = 0;
  std::uint64_t system_calls_ = 0;
};

}  // namespace forebay::spark
