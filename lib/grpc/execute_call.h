// SPDX-License-Identifier: Apache-2.0
#pragma once

// One session on the wire: performs what Session decides.
//
// gRPC's callbacks, the function's thread and the hub's meet at one lock, which is never held while
// anything waits. The function reads its input from the stream, without that lock. A call may take
// the hub's lock while it holds its own, never the other way.

#include <grpcpp/generic/async_generic_service.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "forebay/chunk_pool.h"
#include "forebay/stream.h"
#include "hub.h"
#include "message.h"
#include "session.h"

namespace forebay::grpc {

class ExecuteCall final : public ::grpc::ServerGenericBidiReactor,
                          public std::enable_shared_from_this<ExecuteCall> {
 public:
  // Belongs to itself: gone when gRPC and the function are done with it.
  static ExecuteCall* start(Hub& hub, ::grpc::GenericCallbackServerContext& context);

  // From any thread, while the call has not left the hub.
  void shut_down(const std::string& reason);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  using Clock = std::chrono::steady_clock;
  class Work;
  struct Outgoing {
    ::grpc::ByteBuffer message;
    std::size_t data_bytes;  // 0 for control
  };

  ExecuteCall(Hub& hub, ::grpc::GenericCallbackServerContext& context);

  // All with the lock.
  void take_message(ReceivedMessage message);
  void perform(Actions actions);
  void start_work(Init init);
  void take_data();
  void end_input();
  void add_raw(std::string bytes);
  void push_input();
  void drop_input();
  void drop_output();
  void read_on();
  void write_on();
  void add_own_metrics(Settings& metrics) const;

  // On the function's thread.
  void work(Init init, StreamReader reader);
  void conclude(Handler* handler);
  void resume();

  Hub& hub_;
  ::grpc::GenericCallbackServerContext& context_;
  std::shared_ptr<ExecuteCall> self_;  // until OnDone

  std::mutex mutex_;
  std::condition_variable_any changed_;
  Session session_;
  std::stop_source stop_;

  ::grpc::ByteBuffer incoming_;
  bool reading_ = false;
  bool read_ended_ = false;
  std::optional<ReceivedMessage> data_;  // the message that is being looked at
  std::size_t data_offset_ = 0;
  std::string adopted_;  // or its data, from an unusual encoding

  std::optional<StreamWriter> writer_;  // while the function may want input
  std::optional<PoolLease> lease_;
  std::deque<Chunk> pending_;  // input that the stream had no room for
  bool input_complete_ = false;

  std::deque<Outgoing> outgoing_;
  std::size_t outgoing_bytes_ = 0;
  bool writing_ = false;
  bool closing_ = false;
  bool finished_ = false;

  std::thread thread_;
  std::optional<bool> conclude_;  // whether cancelled

  ServerStats stats_;
  std::uint64_t batches_in_ = 0;
  std::uint64_t batches_out_ = 0;
  Clock::time_point started_;
  Clock::time_point ready_;
};

}  // namespace forebay::grpc
