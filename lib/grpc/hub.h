// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the calls of one server share: its options and figures, who runs, and one thread for what
// must not be done where it is noticed.

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "forebay/grpc/server.h"

namespace forebay::grpc {

class ExecuteCall;

class Hub {
 public:
  Hub(MakeHandler make, const ServerOptions& limits);
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;
  // All sessions must have left. Waits for their functions.
  ~Hub();

  // Whether one more session may run; then it is counted until leave().
  enum class Entry : std::uint8_t { taken, full, draining };
  Entry enter(ExecuteCall* call);
  // Only now may the call be destroyed.
  void leave(ExecuteCall* call);
  // A function has got a thread; and that is about to end.
  void begin_function();
  void end_function(std::thread thread);

  // Takes no more sessions.
  void drain();
  // Ends those that run.
  void cancel(const std::string& reason);
  // Waits until it is draining and no session is left.
  bool wait_settled(Deadline deadline, const std::stop_token& stop);
  std::size_t sessions() const;
  std::size_t functions() const;
  void count(const ServerStats& more);
  ServerStats stats() const;

  // Runs the task soon, on the hub's thread. Must not throw.
  void later(std::function<void()> task);
  // Runs the task, on the hub's thread, when it is draining and settled, or at the deadline.
  void when_settled(Deadline deadline, std::function<void(bool settled)> task);

  const MakeHandler make_handler;
  const ServerOptions options;

 private:
  struct Waiting {
    Deadline deadline;
    std::function<void(bool)> task;
  };
  void run();
  bool settled() const { return draining_ && calls_.empty(); }

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::set<ExecuteCall*> calls_;
  std::size_t functions_ = 0;
  bool draining_ = false;
  bool ending_ = false;
  std::deque<std::function<void()>> tasks_;
  std::list<Waiting> waiting_;
  std::vector<std::thread> retired_;
  ServerStats stats_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace forebay::grpc
