// SPDX-License-Identifier: Apache-2.0
#pragma once

// One session on the wire: performs what Session decides.
//
// The connection's thread, the function's and the hub's meet at the connection's lock, which is
// never held while anything waits. The function reads its input from the stream, without that lock.
// A call may take the hub's lock while it holds its own, never the other way.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "call.h"
#include "call_stream.h"
#include "forebay/chunk_pool.h"
#include "forebay/stream.h"
#include "http2_connection.h"
#include "hub.h"
#include "outgoing_message.h"
#include "session.h"

namespace forebay::grpc {

class ExecuteCall final : public Call, public std::enable_shared_from_this<ExecuteCall> {
 public:
  // A session of the hub; or null, and the stream says why.
  static std::shared_ptr<ExecuteCall> start(Hub& hub, CallStream& stream,
                                            std::shared_ptr<Http2Connection> connection);
  ~ExecuteCall() override = default;

  // From any thread, without the lock.
  void shut_down(const std::string& reason);

  void on_message(IncomingMessage message) override;
  void on_half_closed() override;
  void on_broken() override;
  void on_written() override;
  void on_closed() override;

 private:
  using Clock = std::chrono::steady_clock;
  class Work;

  ExecuteCall(Hub& hub, CallStream& stream, std::shared_ptr<Http2Connection> connection);

  // All with the lock.
  void perform(Actions actions);
  void start_work(Init init);
  void take_data();
  void end_input();
  void add_raw(std::string bytes);
  void push_input();
  void feed();
  void drop_input();
  void drop_output();
  void write_on();
  void add_own_metrics(Settings& metrics) const;

  // On the function's thread.
  void work(Init init, StreamReader input);
  void conclude(Handler* handler);
  void resume();

  Hub& hub_;
  const std::shared_ptr<Http2Connection> connection_;
  CallStream* stream_;  // until it is closed

  std::condition_variable changed_;
  Session session_;
  std::stop_source stop_;

  IncomingMessage data_;  // the message that is being looked at
  std::string adopted_;   // or its data, from an unusual encoding

  std::optional<StreamWriter> writer_;  // while the function may want input
  std::optional<PoolLease> lease_;
  std::deque<Chunk> pending_;  // input that the stream had no room for
  bool input_complete_ = false;

  std::deque<OutgoingMessage> outgoing_;
  std::size_t outgoing_bytes_ = 0;
  std::optional<std::size_t> writing_;  // data of the message that the stream has
  bool closing_ = false;

  std::thread thread_;
  std::optional<bool> conclude_;  // whether cancelled

  ServerStats stats_;
  std::uint64_t batches_in_ = 0;
  std::uint64_t batches_out_ = 0;
  Clock::time_point started_;
  Clock::time_point ready_;
};

}  // namespace forebay::grpc
