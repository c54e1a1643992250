// SPDX-License-Identifier: Apache-2.0
#pragma once

// One connection of an engine: its socket, its thread, and the lock of all that goes through it.
//
// The thread receives, without the lock, and hands what came to the protocol, with it. Whoever has
// something to be sent sends it himself; only one thread sends at a time, without the lock, and
// goes on with what others add meanwhile. What the socket has no room for is left to the
// connection's thread.
//
// Lifetime: calls keep the connection's memory, not its descriptors.

#include <condition_variable>
#include <memory>
#include <mutex>

#include "forebay/deadline.h"
#include "forebay/socket/descriptor.h"
#include "http2_protocol.h"
#include "output_queue.h"

namespace forebay::grpc {

class Http2Connection : public std::enable_shared_from_this<Http2Connection> {
 public:
  // Gets the connection with each new call, with its lock.
  using Open = std::function<std::shared_ptr<Call>(CallStream&, std::shared_ptr<Http2Connection>)>;
  // Throws std::system_error.
  Http2Connection(socket::Descriptor descriptor, const Http2Limits& limits, const Open& open);
  Http2Connection(const Http2Connection&) = delete;
  Http2Connection& operator=(const Http2Connection&) = delete;

  // Serves until the peer is gone or stop() was called, and closes its descriptors. Thread role:
  // the connection's.
  void run();
  // Thread role: any, without the lock.
  void stop();
  // Takes no more calls. Thread role: any, without the lock.
  void go_away();
  // Waits until all calls have ended and all is sent, or the deadline. Thread role: as above.
  void wait_settled(Deadline deadline);

  std::mutex& mutex() noexcept { return mutex_; }
  // Sends what can be sent. With the lock, which is given up meanwhile.
  void send(std::unique_lock<std::mutex>& lock) noexcept;

  // The lock, and at its end what became ready to be sent is sent. Not for the connection's thread.
  class Turn {
   public:
    explicit Turn(Http2Connection& connection)
        : connection_(connection), lock_(connection.mutex_) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { connection_.send(lock_); }

   private:
    Http2Connection& connection_;
    std::unique_lock<std::mutex> lock_;
  };

 private:
  // On the connection's thread.
  bool receive();
  void wait(std::unique_lock<std::mutex>& lock, bool may_block);
  // On any, one at a time.
  std::size_t send_some(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::condition_variable changed_;
  socket::Descriptor wake_;  // out of poll
  socket::Descriptor descriptor_;
  Http2Protocol protocol_;
  OutputQueue out_;
  bool sending_ = false;
  bool blocked_ = false;  // the connection's thread is to go on when the socket has room
  bool waiting_ = false;  // the connection's thread may be in poll
  bool over_ = false;

  // The connection's thread's alone: where it receives to, and the call that this belongs to.
  ReceiveBuffer buffer_;
  std::span<std::byte> room_;
  std::size_t ahead_bytes_;
  std::shared_ptr<Call> held_;
};

}  // namespace forebay::grpc
