// SPDX-License-Identifier: Apache-2.0
#pragma once

// The worker's half of one session, without I/O: what comes from the engine, from the function and
// from the transport goes in, what is to be done comes out.
//
//     for (Action& action : session.received(std::move(request))) perform(action);
//
// It knows every rule of the protocol and nothing else: no threads, no clock, no encoding. Actions
// are to be performed in their order; what they send goes behind the data that was sent before.
//
// The function is run by the driver. It begins at Start and ends with worked() or failed();
// conclude() asks for its last word, which concluded() brings.
//
// Thread role: one thread at a time. Blocking: never.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "forebay/grpc/messages.h"

namespace forebay::grpc {

// The function is to be started. Its payload is complete and was checked.
struct Start {
  Init init;
};
// The data message that was received belongs to the input.
struct TakeData {};
// It does not: nobody will read it.
struct DropData {};
// The input is complete.
struct EndInput {};
// The function is to stop as soon as it can, and nothing that it sends counts any more.
struct StopWork {};
// Data that was not sent yet is not to be.
struct DropOutput {};
// The function has ended, and is asked for its last word: concluded() brings it.
struct Conclude {
  bool cancelled = false;  // else finished
};
// To be sent.
struct Send {
  Response response;
};
// Nothing more will be sent; the stream is to be closed. The last action of every session.
struct Close {};

using Action =
    std::variant<Start, TakeData, DropData, EndInput, StopWork, DropOutput, Conclude, Send, Close>;
using Actions = std::vector<Action>;

// What a function says in the end.
struct LastWord {
  Settings metrics = {};
  std::optional<std::string> data = {};
  std::optional<ExecutionError> error = {};
};

class Session {
 public:
  explicit Session(std::size_t payload_bytes_max) : payload_bytes_max_(payload_bytes_max) {}

  // --- From the engine ---

  [[nodiscard]] Actions received(Request request);
  // A message that is none; `what` says why.
  [[nodiscard]] Actions received_garbage(const std::string& what);
  // The engine will send no more.
  [[nodiscard]] Actions half_closed();

  // --- From the transport and the worker as a whole ---

  // The connection broke, or the engine gave the call up: nothing can be sent any more.
  [[nodiscard]] Actions broken();
  // The worker ends, and does not wait for the function.
  [[nodiscard]] Actions shut_down(const std::string& reason);

  // --- From the function; only while it runs ---

  // It is ready for data.
  [[nodiscard]] Actions initialized(std::optional<std::string> data);
  // It has ended well. What was not initialized is by that.
  [[nodiscard]] Actions worked();
  // It has ended with an error. Not for what it throws because it was told to stop: see worked().
  [[nodiscard]] Actions failed(ExecutionError error);
  // Its last word, after Conclude.
  [[nodiscard]] Actions concluded(LastWord word);

  // Whether data may be sent now.
  [[nodiscard]] bool may_send_data() const noexcept {
    return work_ == Work::running && init_answered_ && !stopped_;
  }
  // Whether the function is to stop.
  [[nodiscard]] bool stopped() const noexcept { return stopped_; }
  // Whether Close was among the actions.
  [[nodiscard]] bool closed() const noexcept { return closed_; }

 private:
  enum class Work : std::uint8_t { none, running, ended, concluding, concluded };

  void receive(Unknown, Actions& actions);
  void receive(Init init, Actions& actions);
  void receive(PayloadChunk chunk, Actions& actions);
  void receive(Data data, Actions& actions);
  void receive(Finish, Actions& actions);
  void receive(Cancel, Actions& actions);

  void start(Actions& actions);
  void violate(const std::string& what, Actions& actions);
  void stop_work(Actions& actions);
  void tell(ExecutionError error, Actions& actions);
  void settle(Actions& actions);
  void terminate(Actions& actions);
  void close(Actions& actions);

  const std::size_t payload_bytes_max_;
  std::optional<Init> init_;  // while its payload comes together
  Work work_ = Work::none;
  bool init_seen_ = false;
  bool init_answered_ = false;
  bool init_failed_ = false;
  bool error_told_ = false;  // by InitResponse or ErrorResponse
  bool finish_seen_ = false;
  bool cancel_seen_ = false;
  bool half_closed_ = false;
  bool must_cancel_ = false;  // the end is CancelResponse, and the engine need not ask for it
  bool stopped_ = false;
  bool broken_ = false;
  bool closed_ = false;
  std::optional<ExecutionError> late_error_;  // told by the terminator
  LastWord word_;
};

}  // namespace forebay::grpc
