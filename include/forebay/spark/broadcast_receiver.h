// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the server that decrypts broadcasts says, without I/O: of each broadcast, in the order of
// the init message, its id and then its pickle, which alone says where it ends.
//
// Before it stands the handshake of Handshake::of_client(), on TCP; behind it the worker sends one
// byte, any, and closes.
//
// Thread role: one thread at a time. Blocking: never.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "forebay/spark/pickle_scanner.h"

namespace forebay::spark {

/// Receives the broadcasts of one init message.
class BroadcastReceiver {
 public:
  /// An id, and the pickle.
  using Received = std::pair<std::int64_t, std::string>;

  /// Wants the broadcasts of these ids, in this order, of `bytes_max` bytes in all at most.
  BroadcastReceiver(std::vector<std::int64_t> ids, std::size_t bytes_max);

  /// Whether all are here.
  [[nodiscard]] bool done() const noexcept { return broadcasts_.size() == ids_.size(); }
  /// Takes bytes as they come. Errors: ProtocolError, for another id, for what is no pickle, and
  /// for bytes behind the last; LimitExceeded. Nothing more can be received then.
  void received(std::span<const std::byte> bytes);
  /// The server closed before done(): throws Truncated.
  [[noreturn]] void ended() const;
  /// Gives away what was received.
  [[nodiscard]] std::vector<Received> take() noexcept { return std::move(broadcasts_); }

 private:
  std::size_t received_id(std::span<const std::byte> bytes);
  std::size_t received_pickle(std::span<const std::byte> bytes);

  const std::vector<std::int64_t> ids_;
  const std::size_t bytes_max_;
  std::vector<Received> broadcasts_;
  std::vector<std::byte> id_;  // the bytes of an id, as far as they are here
  std::string pickle_;
  PickleScanner scanner_;
  std::size_t bytes_ = 0;  // of all pickles
  std::uint64_t position_ = 0;
};

/// Makes of a pickle what a function is given: the bytes of a bytes, a bytearray or a str (in
/// UTF-8), and every other value, and what is no pickle, as it is.
[[nodiscard]] std::string broadcast_bytes(std::string pickle);

}  // namespace forebay::spark
