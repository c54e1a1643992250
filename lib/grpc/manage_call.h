// SPDX-License-Identifier: Apache-2.0
#pragma once

// One question about the worker as a whole, and its answer.

#include <grpcpp/generic/async_generic_service.h>

#include "hub.h"

namespace forebay::grpc {

class ManageCall final : public ::grpc::ServerGenericBidiReactor {
 public:
  // Belongs to itself: gone when gRPC is done with it.
  explicit ManageCall(Hub& hub);

  void OnReadDone(bool ok) override;
  void OnDone() override;

 private:
  void answer(const std::string& bytes);
  void shut_down(const std::optional<std::string>& reason, bool cancel_sessions);

  Hub& hub_;
  ::grpc::ByteBuffer question_;
  ::grpc::ByteBuffer answer_;
};

}  // namespace forebay::grpc
