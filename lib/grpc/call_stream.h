// SPDX-License-Identifier: Apache-2.0
#pragma once

// One stream of HTTP/2 as the call that it carries uses it.
//
// Lifetime: until Call::on_closed(). Thread role: any, with the connection's lock; who is not on
// the connection's thread has what he asked for sent by Http2Connection::Turn. Blocking: never.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "call.h"
#include "forebay/deadline.h"
#include "outgoing_message.h"
#include "output_queue.h"

namespace forebay::grpc {

class Http2Protocol;

class CallStream {
 public:
  CallStream(Http2Protocol& protocol, std::int32_t id) : protocol_(protocol), id_(id) {}
  CallStream(const CallStream&) = delete;
  CallStream& operator=(const CallStream&) = delete;

  // The method, as it was called.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  // Sends the message behind those before; Call::on_written() says when it is on its way.
  void send(OutgoingMessage message);
  // Ends the call, behind what was sent. What is asked for later does nothing.
  void finish(Status status);
  // Whether the engine may send more than the window that it has.
  void set_reading(bool reading);

 private:
  friend class Http2Protocol;
  struct Sending {
    std::shared_ptr<const OutgoingMessage> message;
    std::size_t left;
    std::size_t piece;  // 0 is the head
    std::size_t at;     // in that piece
  };

  // Moves the next `count` bytes into a frame; returns how many messages ended.
  std::size_t move_to(OutputQueue& out, std::size_t count);
  // But for what a frame was promised.
  void drop_messages();

  Http2Protocol& protocol_;
  const std::int32_t id_;

  // The request.
  std::string method_;
  std::string path_;
  std::string content_type_;
  std::size_t metadata_bytes_ = 0;
  Deadline deadline_ = Deadline::never();

  std::shared_ptr<Call> call_;  // null: refused
  bool broken_ = false;         // nothing that comes or is asked for counts any more
  bool half_closed_ = false;
  bool answered_ = false;  // the response has begun
  bool deferred_ = false;  // nghttp2 waits to be told of data
  bool ended_ = false;     // the status was sent
  std::deque<Sending> messages_;
  std::size_t queued_bytes_ = 0;
  std::size_t promised_bytes_ = 0;  // nghttp2 asks for these later, whatever happens
  std::optional<Status> status_;
  bool reading_ = true;
  std::size_t uncredited_bytes_ = 0;  // received, and not given back to the window
};

}  // namespace forebay::grpc
