// SPDX-License-Identifier: Apache-2.0
#pragma once

// SocketReceiver: bytes from a descriptor, as a stream.
//
//     socket::SocketReceiver receiver(socket::connect_unix(path), {.framing = Framing::arrow_ipc});
//     while (!receiver.reader().at_end()) use(receiver.reader().read(n));
//
// Thread roles: the receiver belongs to the thread that reads; cancel() of its reader may be called
// by any thread. In threaded mode, and in automatic mode when that pays, a thread of the receiver's
// own receives ahead.
//
// Errors: a failure of the descriptor reaches the reader through the stream, as std::system_error,
// after all that was received before it. The peer's end is the end of the stream.
//
// Destruction: cancels the stream and joins the thread. Guards and shared bytes stay good. In a
// child of fork() it does neither, since thread and connection are the parent's.
//
// Reactors: on_readable() of the reader fires when something was received, and while the reader's
// own calls receive, nothing is until the next one. Use threaded mode, or poll the descriptor and
// try_read().
//
// When not to use: for datagrams; for many mostly idle connections, which want a reactor.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "forebay/framing.h"
#include "forebay/socket/descriptor.h"
#include "forebay/stream.h"

namespace forebay::socket {

enum class ReceiveMode : std::uint8_t {
  threaded,   ///< a thread receives ahead: overlaps receiving with the reader's work
  inline_,    ///< the reader's own calls receive: no hand-over, no second thread
  automatic,  ///< inline, and threaded while that is measured to be faster
};

/// How to receive.
struct ReceiverOptions {
  /// Who receives.
  ReceiveMode mode = ReceiveMode::automatic;
  /// What the bytes are. With Arrow IPC, large bodies are received straight into one aligned block.
  Framing framing = Framing::none;
  /// In place of `framing`: what follows bytes that hold Arrow streams among others. Used by one
  /// receiver alone, on whichever thread receives.
  std::shared_ptr<FrameScanner> scanner = {};
  /// Bodies of at least so many bytes get a block of their own; smaller ones share blocks, and a
  /// system call.
  std::size_t straight_bytes_min = std::size_t{128} << 10;
  /// Limits of the stream. Without a pool, the receiver makes one that can hold them.
  StreamOptions stream = {};
};

/// What receiving came to; see SocketReceiver::stats().
struct ReceiverStats {
  std::uint64_t system_calls = 0;     ///< calls that receive
  std::uint64_t bodies_straight = 0;  ///< bodies received into one block of their own
  std::uint64_t bytes_straight = 0;   ///< their bytes
  std::uint64_t lends = 0;            ///< times the receiving role went to the thread
  std::uint64_t recalls = 0;          ///< times it was asked back
};

struct ModeLimits;

/// Receives from one descriptor into one stream: see the head of this file.
class SocketReceiver {
 public:
  /// Takes over a connected stream socket, or the reading end of a pipe.
  /// Throws std::invalid_argument for an empty descriptor or a zero limit, LimitExceeded when the
  /// given pool has no room for one more stream, std::system_error.
  explicit SocketReceiver(Descriptor descriptor, const ReceiverOptions& options = {});
  /// Takes the receiver over; its reader stays where it is.
  SocketReceiver(SocketReceiver&&) noexcept;
  /// Exchanges the receivers, or destroys what it had.
  SocketReceiver& operator=(SocketReceiver&&) noexcept;
  ~SocketReceiver();

  /// The stream of what is received.
  [[nodiscard]] StreamReader& reader() noexcept;

  /// The descriptor, for what goes the other way. Not to be read from.
  [[nodiscard]] const Descriptor& descriptor() const noexcept;

  /// Thread role: any; figures that may lag.
  [[nodiscard]] ReceiverStats stats() const noexcept;

 private:
  friend struct ReceiverTesting;
  SocketReceiver(Descriptor descriptor, const ReceiverOptions& options, const ModeLimits& limits);

  class Impl;
  struct Destroy {
    void operator()(Impl* impl) const noexcept;
  };
  std::unique_ptr<Impl, Destroy> impl_;
};

}  // namespace forebay::socket
