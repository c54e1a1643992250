// SPDX-License-Identifier: Apache-2.0
#pragma once

// The server's half of one connection of gRPC over HTTP/2, without I/O: received bytes go in, calls
// hear of their messages, and bytes to be sent come out. nghttp2 does HTTP/2 itself: header
// compression, settings, the states of streams and their windows.
//
// Bounds: a stream's window is kWindowBytes, and grows while its call is reading only. The
// connection's window is never in the way, so that no stream can stall another. Answers that a peer
// can ask for without an end (pings, settings, resets) are bounded by nghttp2.
//
// Thread role: one thread at a time. Blocking: never.

#include <nghttp2/nghttp2.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "call_stream.h"
#include "output_queue.h"

namespace forebay::grpc {

struct Http2Limits {
  std::size_t streams_max;
  std::size_t metadata_bytes_max;
  std::chrono::milliseconds ping_interval_min;
};

// Makes the call of a stream, or answers it with a status: then it is null.
using OpenCall = std::function<std::shared_ptr<Call>(CallStream&)>;

class Http2Protocol {
 public:
  using Clock = Deadline::clock;
  // What a call may receive ahead of its reading.
  static constexpr std::size_t kWindowBytes = std::size_t{2} << 20;

  Http2Protocol(const Http2Limits& limits, OpenCall open);
  ~Http2Protocol();
  Http2Protocol(const Http2Protocol&) = delete;
  Http2Protocol& operator=(const Http2Protocol&) = delete;

  // Bytes that came; they lie in the buffer or, before others, in room().
  void receive(std::span<const std::byte> bytes, const ReceiveBuffer& buffer,
               Clock::time_point now);
  // Where the next bytes may be received straight to, while `holder` is kept; empty when it is not
  // known or not worth it.
  [[nodiscard]] std::span<std::byte> room(std::shared_ptr<Call>& holder) const;
  // How many bytes to receive elsewhere at most, so that little of a body comes there.
  [[nodiscard]] std::size_t bytes_ahead() const noexcept;

  // Whether there are pieces in the buffer since this was asked last: it must not be written again.
  [[nodiscard]] bool take_shared() noexcept { return std::exchange(buffer_is_shared_, false); }

  // Adds what is to be sent, until the queue has about `bytes_max`.
  void fill(OutputQueue& out, std::size_t bytes_max);
  // Whether the connection is of no more use: it broke the protocol, or all is said.
  [[nodiscard]] bool over() const;
  // Whether not even what is in the queue should be sent.
  [[nodiscard]] bool cannot_send() const noexcept { return cannot_send_; }

  // Takes no more calls.
  void go_away();
  // The connection is gone: so are its calls.
  void end();
  [[nodiscard]] bool has_streams() const noexcept { return !streams_.empty(); }
  // When expire() is to be called.
  [[nodiscard]] Deadline next_deadline() const noexcept { return next_deadline_; }
  void expire(Clock::time_point now);

 private:
  friend class CallStream;
  struct Glue;
  static nghttp2_session_callbacks* callbacks();
  static nghttp2_data_provider provider_of(CallStream& stream);

  CallStream* find(std::int32_t id) noexcept;
  void begin_stream(std::int32_t id);
  void add_header(CallStream& stream, std::string_view name, std::string_view value);
  void open(CallStream& stream);
  void half_close(CallStream& stream);
  void take_data(CallStream& stream, std::span<const std::byte> bytes);
  void deliver(CallStream& stream);
  void ping();
  void close(std::int32_t id);
  // Ends a call that cannot go on.
  void give_up(CallStream& stream, Status status);
  void submit_answer(CallStream& stream);
  void submit_status(CallStream& stream);
  void refuse_request(CallStream& stream, const char* http_status);

  const Http2Limits limits_;
  const OpenCall open_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, std::unique_ptr<CallStream>> streams_;
  Deadline next_deadline_ = Deadline::never();  // or earlier
  bool failed_ = false;
  bool cannot_send_ = false;
  bool buffer_is_shared_ = false;
  bool going_away_ = false;

  // While bytes are received.
  const ReceiveBuffer* buffer_ = nullptr;
  Clock::time_point now_{};
  // The DATA frame that is coming.
  CallStream* data_stream_ = nullptr;
  std::size_t data_left_ = 0;
  std::size_t last_body_bytes_ = 0;

  // While bytes are sent.
  OutputQueue* out_ = nullptr;
  std::size_t out_bytes_max_ = 0;
  std::vector<std::int32_t> written_;  // streams, once for each message

  Clock::time_point last_ping_{};
  int ping_strikes_ = 0;
};

}  // namespace forebay::grpc
