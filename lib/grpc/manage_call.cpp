// SPDX-License-Identifier: Apache-2.0
#include "manage_call.h"

#include <chrono>

#include "wire.h"

namespace forebay::grpc {

namespace {

// An engine that asks for the end hears soon whether it has come; it need not wait for it.
constexpr std::chrono::milliseconds kSettleTime(50);

}  // namespace

ManageCall::ManageCall(Hub& hub) : hub_(hub) { StartRead(&question_); }

void ManageCall::OnReadDone(bool ok) {
  if (!ok) return Finish({::grpc::StatusCode::INVALID_ARGUMENT, "ProtocolError: no request"});
  const auto request = decode_manage(ReceivedMessage(question_).to_string());
  if (request && std::holds_alternative<Heartbeat>(*request)) {
    HeartbeatResponse alive;
    alive.metrics["sessions"] = std::to_string(hub_.sessions());
    return answer(encode(ManageResponse(std::move(alive))));
  }
  if (request && std::holds_alternative<Shutdown>(*request)) {
    const auto& shutdown = std::get<Shutdown>(*request);
    return shut_down(shutdown.reason, shutdown.cancel_sessions);
  }
  Finish({::grpc::StatusCode::INVALID_ARGUMENT,
          "ProtocolError: a WorkerRequest that is neither Heartbeat nor ShutdownRequest"});
}

void ManageCall::shut_down(const std::optional<std::string>& reason, bool cancel_sessions) {
  if (cancel_sessions) {
    hub_.cancel(reason.value_or("the engine shuts the worker down"));
  } else {
    hub_.drain();
  }
  hub_.when_settled(Deadline::after(kSettleTime), [this](bool settled) {
    answer(encode(ManageResponse(ShutdownResponse{settled})));
  });
}

void ManageCall::answer(const std::string& bytes) {
  answer_ = control_message(bytes);
  StartWriteAndFinish(&answer_, {}, ::grpc::Status::OK);
}

void ManageCall::OnDone() { delete this; }

}  // namespace forebay::grpc
