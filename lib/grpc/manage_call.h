// SPDX-License-Identifier: Apache-2.0
#pragma once

// One question about the worker as a whole, and its answer.

#include <memory>
#include <optional>
#include <string>

#include "call.h"
#include "call_stream.h"
#include "http2_connection.h"
#include "hub.h"

namespace forebay::grpc {

class ManageCall final : public Call, public std::enable_shared_from_this<ManageCall> {
 public:
  ManageCall(Hub& hub, CallStream& stream, std::shared_ptr<Http2Connection> connection);

  void on_message(IncomingMessage message) override;
  void on_half_closed() override;
  void on_broken() override {}
  void on_written() override {}
  void on_closed() override { stream_ = nullptr; }

 private:
  // With the lock.
  void answer(const std::string& bytes);
  void shut_down(const std::optional<std::string>& reason, bool cancel_sessions);

  Hub& hub_;
  const std::shared_ptr<Http2Connection> connection_;
  CallStream* stream_;  // until it is closed
  bool asked_ = false;
};

}  // namespace forebay::grpc
