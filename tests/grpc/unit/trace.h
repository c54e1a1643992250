// SPDX-License-Identifier: Apache-2.0
#pragma once

// A session's actions as words, so that a test reads like the exchange: "start", "init", "take",
// "end-input", "stop", "drop-output", "conclude", "error user", "finish", "cancel protocol",
// "close".

#include <string>
#include <utility>
#include <variant>

#include "session.h"

namespace forebay::grpc::test {

inline std::string kind_of(const std::optional<ExecutionError>& error) {
  if (!error) return "";
  switch (error->kind) {
    case ErrorKind::user:
      return " user";
    case ErrorKind::worker:
      return " worker";
    case ErrorKind::protocol:
      break;
  }
  return " protocol";
}

struct Word {
  std::string operator()(const Start&) const { return "start"; }
  std::string operator()(const TakeData&) const { return "take"; }
  std::string operator()(const DropData&) const { return "drop"; }
  std::string operator()(const EndInput&) const { return "end-input"; }
  std::string operator()(const StopWork&) const { return "stop"; }
  std::string operator()(const DropOutput&) const { return "drop-output"; }
  std::string operator()(const Conclude& conclude) const {
    return conclude.cancelled ? "conclude-cancel" : "conclude-finish";
  }
  std::string operator()(const Send& send) const { return std::visit(*this, send.response); }
  std::string operator()(const Close&) const { return "close"; }
  std::string operator()(const InitResponse& init) const { return "init" + kind_of(init.error); }
  std::string operator()(const ErrorResponse& error) const {
    return "error" + kind_of(error.error);
  }
  std::string operator()(const FinishResponse& end) const { return "finish" + kind_of(end.error); }
  std::string operator()(const CancelResponse& end) const { return "cancel" + kind_of(end.error); }
};

inline std::string trace_of(const Actions& actions) {
  std::string text;
  for (const Action& action : actions) {
    if (!text.empty()) text += ", ";
    text += std::visit(Word{}, action);
  }
  return text;
}

// The text of the error that the actions send.
inline std::string error_text(const Actions& actions) {
  for (const Action& action : actions) {
    const auto* const send = std::get_if<Send>(&action);
    if (send == nullptr) continue;
    const auto error = std::visit(
        [](const auto& response) -> std::optional<ExecutionError> { return response.error; },
        send->response);
    if (error) return error->message;
  }
  return "";
}

inline Init some_init() {
  Init init;
  init.udf.format = "test";
  init.udf.bytes = "payload";
  return init;
}

}  // namespace forebay::grpc::test
