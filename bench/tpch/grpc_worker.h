// SPDX-License-Identifier: Apache-2.0
#pragma once

// The receiving end of the main job as a worker of Spark's gRPC channel: one session, whose
// function is whoever uses this.

#include <future>
#include <memory>
#include <string>

#include "forebay/grpc/server.h"
#include "tpch/feed.h"

namespace tpch {

/// Serves one session. Thread role: one thread.
class GrpcWorker {
 public:
  /// Listens, and tells so on standard output.
  GrpcWorker(const std::string& socket, const forebay::grpc::ServerOptions& options);
  GrpcWorker(const GrpcWorker&) = delete;
  GrpcWorker& operator=(const GrpcWorker&) = delete;
  ~GrpcWorker();

  /// Waits for the session. No data comes before begin().
  void await_session();
  /// Asks for the data.
  void begin() { execution_->ready(); }
  [[nodiscard]] forebay::StreamReader& input() { return execution_->input(); }
  /// The data was taken: lets the session end, and waits for that. The server's figures are whole
  /// then.
  void end();
  /// Payload bytes that came with others and were copied to be in one piece.
  [[nodiscard]] std::uint64_t bytes_gathered() const { return server_->stats().bytes_gathered; }
  /// Payload bytes that came with a message's head in pieces.
  [[nodiscard]] std::uint64_t bytes_inlined() const { return server_->stats().bytes_inlined; }

 private:
  class Session;
  std::promise<forebay::grpc::Execution*> opened_;
  std::promise<void> done_;
  forebay::grpc::Execution* execution_ = nullptr;
  bool ended_ = false;
  std::unique_ptr<forebay::grpc::Server> server_;
};

}  // namespace tpch
