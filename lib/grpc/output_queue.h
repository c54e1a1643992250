// SPDX-License-Identifier: Apache-2.0
#pragma once

// Bytes on their way to a socket: small ones are copied together, large ones stay where they are.
//
// Thread role: one thread at a time. Blocking: never.

#include <sys/uio.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <string>

namespace forebay::grpc {

class OutputQueue {
 public:
  // Copies the bytes.
  void copy(std::span<const std::byte> bytes);
  // Bytes that stay valid as long as `owner` lives.
  void share(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

  [[nodiscard]] bool empty() const noexcept { return bytes_ == 0; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

  // The first pieces, as many as fit; valid until the next call of anything else.
  std::size_t peek(std::span<iovec> to) const noexcept;
  // So many bytes are gone.
  void pop(std::size_t count) noexcept;
  void clear() noexcept;

 private:
  struct Piece {
    std::string copied = {};
    std::span<const std::byte> shared = {};
    std::shared_ptr<const void> owner = {};

    std::span<const std::byte> bytes() const noexcept {
      return owner ? shared : std::as_bytes(std::span(copied));
    }
  };

  std::deque<Piece> pieces_;
  std::size_t skipped_ = 0;  // of the first piece
  std::size_t bytes_ = 0;
};

}  // namespace forebay::grpc
