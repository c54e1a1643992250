// SPDX-License-Identifier: Apache-2.0
#pragma once

// A worker as an engine starts it: a process of its own, which serves the gRPC channel.
//
//     grpc::WorkerProcess worker({.command = {"/opt/functions/my-worker"}}, "/run/w");
//     grpc::Client client(worker.connection());

#include <sys/types.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "forebay/socket/descriptor.h"

namespace forebay::grpc {

/// What UDFWorkerSpecification says of how to start a worker.
struct WorkerSpecification {
  /// The program and its first arguments; --id and --connection are added.
  std::vector<std::string> command;
  /// Added to this process's environment.
  std::map<std::string, std::string> environment = {};
  /// A TCP port on the loopback addresses, instead of a Unix socket.
  bool tcp = false;
  /// How long the worker may take until it can be connected to.
  std::chrono::milliseconds initialization_time = std::chrono::seconds(10);
  /// How long it may take to end when it is told to, before it is killed.
  std::chrono::milliseconds termination_time = std::chrono::seconds(5);
};

/// One worker. Thread role: one at a time. Destruction: terminate().
class WorkerProcess {
 public:
  /// Starts the worker and waits until it can be connected to. Its socket is made in the folder.
  /// Errors: DeadlineExceeded; Error when it ends first; std::system_error.
  WorkerProcess(WorkerSpecification specification, const std::string& folder);
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  ~WorkerProcess();

  /// Where it serves, as Client takes it.
  [[nodiscard]] const std::string& connection() const noexcept { return connection_; }
  /// Its process id.
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// How long it took until it could be connected to.
  [[nodiscard]] std::chrono::nanoseconds ready_after() const noexcept { return ready_after_; }
  /// Waits for its end, of its own. Its status as waitpid(2) has it; -1 at the deadline.
  [[nodiscard]] int wait(Deadline deadline);
  /// Tells it to end, waits, kills it where that does not help. Its status as waitpid(2) has it.
  int terminate();

 private:
  void start(const std::string& folder);
  void await_ready();
  void tell(int signal) noexcept;

  const WorkerSpecification specification_;
  std::string connection_;
  pid_t pid_ = -1;
  socket::Descriptor process_;  // readable when it has ended
  std::chrono::nanoseconds ready_after_{};
  int status_ = -1;
};

}  // namespace forebay::grpc
