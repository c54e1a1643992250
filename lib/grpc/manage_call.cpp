// SPDX-License-Identifier: Apache-2.0
#include "manage_call.h"

#include <chrono>
#include <utility>

#include "wire.h"

namespace forebay::grpc {

namespace {

// An engine that asks for the end hears soon whether it has come; it need not wait for it.
constexpr std::chrono::milliseconds kSettleTime(50);
// A question is a few bytes.
constexpr std::size_t kQuestionBytesMax = std::size_t{64} << 10;

}  // namespace

ManageCall::ManageCall(Hub& hub, CallStream& stream, std::shared_ptr<Http2Connection> connection)
    : Call(std::nullopt, kQuestionBytesMax),
      hub_(hub),
      connection_(std::move(connection)),
      stream_(&stream) {}

void ManageCall::on_message(IncomingMessage message) {
  if (std::exchange(asked_, true)) return;
  const auto request = decode_manage(message.bytes);
  if (request && std::holds_alternative<Heartbeat>(*request)) {
    HeartbeatResponse alive;
    alive.metrics["sessions"] = std::to_string(hub_.sessions());
    return answer(encode(ManageResponse(std::move(alive))));
  }
  if (request && std::holds_alternative<Shutdown>(*request)) {
    const auto& shutdown = std::get<Shutdown>(*request);
    return shut_down(shutdown.reason, shutdown.cancel_sessions);
  }
  stream_->finish({Status::invalid_argument,
                   "ProtocolError: a WorkerRequest that is neither Heartbeat nor ShutdownRequest"});
}

void ManageCall::on_half_closed() {
  if (!asked_) stream_->finish({Status::invalid_argument, "ProtocolError: no request"});
}

void ManageCall::shut_down(const std::optional<std::string>& reason, bool cancel_sessions) {
  // On the hub's thread, since sessions of this connection want its lock.
  hub_.later([this, self = shared_from_this(), reason, cancel_sessions] {
    if (cancel_sessions) {
      hub_.cancel(reason.value_or("the engine shuts the worker down"));
    } else {
      hub_.drain();
    }
    hub_.when_settled(Deadline::after(kSettleTime), [this, self](bool settled) {
      const Http2Connection::Turn turn(*connection_);
      answer(encode(ManageResponse(ShutdownResponse{settled})));
    });
  });
}

void ManageCall::answer(const std::string& bytes) {
  if (stream_ == nullptr) return;
  stream_->send(control_message(bytes));
  stream_->finish({});
}

}  // namespace forebay::grpc
