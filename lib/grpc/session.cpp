// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include <utility>

#include "forebay/detail/assert.h"
#include "payload.h"

namespace forebay::grpc {

namespace {

ExecutionError protocol_error(const std::string& what) {
  return {.kind = ErrorKind::protocol, .message = "ProtocolError: " + what};
}

}  // namespace

Actions Session::received(Request request) {
  Actions actions;
  if (closed_ || broken_) return actions;
  if (must_cancel_) {
    // It broke the protocol before, and was told.
    if (std::holds_alternative<Data>(request)) actions.emplace_back(DropData{});
    return actions;
  }
  std::visit([&](auto& message) { receive(std::move(message), actions); }, request);
  settle(actions);
  return actions;
}

Actions Session::received_garbage(const std::string& what) {
  Actions actions;
  if (closed_ || broken_ || must_cancel_) return actions;
  violate(what, actions);
  settle(actions);
  return actions;
}

Actions Session::half_closed() {
  Actions actions;
  if (closed_ || broken_ || half_closed_) return actions;
  half_closed_ = true;
  if (!finish_seen_ && !cancel_seen_ && !error_told_ && !must_cancel_) {
    violate("the engine closed its side before Finish or Cancel", actions);
  }
  settle(actions);
  return actions;
}

Actions Session::broken() {
  Actions actions;
  if (closed_ || broken_) return actions;
  broken_ = true;
  stop_work(actions);
  actions.emplace_back(DropOutput{});
  settle(actions);
  return actions;
}

Actions Session::shut_down(const std::string& reason) {
  Actions actions;
  if (closed_) return actions;
  if (broken_) {
    close(actions);
    return actions;
  }
  ExecutionError error{.kind = ErrorKind::worker, .message = "Cancelled: " + reason};
  stop_work(actions);
  if (cancel_seen_ || error_told_) {
    if (!late_error_) late_error_ = std::move(error);
  } else {
    tell(std::move(error), actions);
  }
  must_cancel_ = true;
  terminate(actions);
  return actions;
}

void Session::receive(Unknown, Actions& actions) {
  violate("a message that is neither Init, PayloadChunk, Data, Finish nor Cancel", actions);
}

void Session::receive(Init init, Actions& actions) {
  if (init_seen_) return violate("a second Init", actions);
  init_seen_ = true;
  if (init.protocol_version && *init.protocol_version > kProtocolVersion) {
    return violate("protocol version " + std::to_string(*init.protocol_version) +
                       ", this worker speaks " + std::to_string(kProtocolVersion),
                   actions);
  }
  if (init.data_format != kFormatArrow) {
    return violate("data format " + std::to_string(init.data_format) + ", this worker has ARROW (" +
                       std::to_string(kFormatArrow) + ")",
                   actions);
  }
  if (const Complaint complaint = check_announced(init.udf, payload_bytes_max_)) {
    return violate(*complaint, actions);
  }
  init_ = std::move(init);
  if (!init_->chunked) start(actions);
}

void Session::receive(PayloadChunk chunk, Actions& actions) {
  if (!init_) {
    const char* why = "a chunk of the payload before Init";
    if (init_seen_) why = "a chunk of the payload that is not announced, or complete";
    return violate(why, actions);
  }
  if (const Complaint complaint = append(init_->udf, chunk.bytes, payload_bytes_max_)) {
    return violate(*complaint, actions);
  }
  if (chunk.last) start(actions);
}

void Session::start(Actions& actions) {
  if (const Complaint complaint = check_complete(init_->udf)) return violate(*complaint, actions);
  work_ = Work::running;
  actions.emplace_back(Start{*std::exchange(init_, std::nullopt)});
}

void Session::receive(Data data, Actions& actions) {
  actions.emplace_back(DropData{});
  if (!init_answered_) return violate("data before InitResponse", actions);
  if (init_failed_) return violate("data after InitResponse has told an error", actions);
  if (finish_seen_) return violate("data after Finish", actions);
  if (cancel_seen_) return violate("data after Cancel", actions);
  if (data.size_bytes == 0) return violate("data without bytes", actions);
  // An engine that has not yet seen an error goes on, and so does one whose function has enough.
  if (work_ == Work::running && !stopped_) actions.back() = TakeData{};
}

void Session::receive(Finish, Actions& actions) {
  if (!init_answered_) return violate("Finish before InitResponse", actions);
  if (init_failed_) return violate("Finish after InitResponse has told an error", actions);
  if (finish_seen_) return violate("a second Finish", actions);
  if (cancel_seen_) return violate("Finish after Cancel", actions);
  finish_seen_ = true;
  if (work_ == Work::running && !stopped_) actions.emplace_back(EndInput{});
}

void Session::receive(Cancel, Actions& actions) {
  if (cancel_seen_) return;
  cancel_seen_ = true;
  init_ = std::nullopt;
  stop_work(actions);
  actions.emplace_back(DropOutput{});
}

Actions Session::initialized(std::optional<std::string> data) {
  FOREBAY_ASSERT(work_ == Work::running, "only a function that runs can be ready");
  Actions actions;
  if (init_answered_ || stopped_ || closed_) return actions;
  init_answered_ = true;
  actions.emplace_back(Send{InitResponse{std::move(data), std::nullopt}});
  return actions;
}

Actions Session::worked() {
  Actions actions = initialized(std::nullopt);
  work_ = Work::ended;
  settle(actions);
  return actions;
}

Actions Session::failed(ExecutionError error) {
  FOREBAY_ASSERT(work_ == Work::running, "only a function that runs can fail");
  Actions actions;
  work_ = Work::ended;
  if (!closed_ && !broken_) {
    if (cancel_seen_ || error_told_) {
      if (!late_error_) late_error_ = std::move(error);
    } else {
      stop_work(actions);
      tell(std::move(error), actions);
    }
  }
  settle(actions);
  return actions;
}

Actions Session::concluded(LastWord word) {
  FOREBAY_ASSERT(work_ == Work::concluding, "a last word is said when it is asked for");
  Actions actions;
  work_ = Work::concluded;
  word_ = std::move(word);
  settle(actions);
  return actions;
}

// The engine broke the protocol: it is told in the field that fits the phase, and the session ends.
void Session::violate(const std::string& what, Actions& actions) {
  stop_work(actions);
  init_ = std::nullopt;
  must_cancel_ = true;
  if (finish_seen_ || cancel_seen_ || error_told_) {
    if (!late_error_) late_error_ = protocol_error(what);
  } else {
    tell(protocol_error(what), actions);
  }
}

void Session::stop_work(Actions& actions) {
  if (std::exchange(stopped_, true) || work_ != Work::running) return;
  actions.emplace_back(StopWork{});
}

void Session::tell(ExecutionError error, Actions& actions) {
  error_told_ = true;
  if (init_answered_) {
    actions.emplace_back(Send{ErrorResponse{std::move(error)}});
  } else {
    init_answered_ = true;
    init_failed_ = true;
    actions.emplace_back(Send{InitResponse{std::nullopt, std::move(error)}});
  }
}

// Ends the session when its end has come: the engine has asked for it, or cannot any more, and the
// function has ended.
void Session::settle(Actions& actions) {
  if (closed_) return;
  const bool cancelling = cancel_seen_ || must_cancel_ || broken_ || (error_told_ && half_closed_);
  const bool finishing = finish_seen_ && !error_told_;
  if (!cancelling && !finishing) return;
  switch (work_) {
    case Work::running:
    case Work::concluding:
      return;
    case Work::ended:
      work_ = Work::concluding;
      actions.emplace_back(Conclude{cancelling});
      return;
    case Work::none:
    case Work::concluded:
      terminate(actions);
  }
}

void Session::terminate(Actions& actions) {
  if (broken_) return close(actions);
  std::optional<ExecutionError> error =
      late_error_ ? std::move(late_error_) : std::move(word_.error);
  if (cancel_seen_ || must_cancel_ || error_told_) {
    actions.emplace_back(Send{CancelResponse{std::move(word_.metrics), std::move(error)}});
  } else {
    actions.emplace_back(
        Send{FinishResponse{std::move(word_.metrics), std::move(word_.data), std::move(error)}});
  }
  close(actions);
}

void Session::close(Actions& actions) {
  closed_ = true;
  actions.emplace_back(Close{});
}

}  // namespace forebay::grpc
