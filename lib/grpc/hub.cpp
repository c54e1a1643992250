// SPDX-License-Identifier: Apache-2.0
#include "hub.h"

#include <algorithm>
#include <utility>

#include "execute_call.h"

namespace forebay::grpc {

Hub::Hub(MakeHandler make, const ServerOptions& limits)
    : make_handler(std::move(make)), options(limits), thread_([this] { run(); }) {}

Hub::~Hub() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return functions_ == 0; });
  }
  for (std::thread& thread : retired_) thread.join();
}

Hub::Entry Hub::enter(ExecuteCall* call) {
  const std::lock_guard lock(mutex_);
  if (draining_) return Entry::draining;
  if (calls_.size() >= options.sessions_max) return Entry::full;
  calls_.insert(call);
  ++stats_.sessions;
  return Entry::taken;
}

void Hub::leave(ExecuteCall* call) {
  const std::lock_guard lock(mutex_);
  calls_.erase(call);
  // Under the lock, since a waiter may destroy this as soon as it sees that nobody is left.
  changed_.notify_all();
}

void Hub::begin_function() {
  const std::lock_guard lock(mutex_);
  ++functions_;
}

void Hub::end_function(std::thread thread) {
  const std::lock_guard lock(mutex_);
  --functions_;
  retired_.push_back(std::move(thread));
  changed_.notify_all();
}

void Hub::drain() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
  changed_.notify_all();
}

void Hub::cancel(const std::string& reason) {
  std::vector<std::shared_ptr<ExecuteCall>> calls;
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
    for (ExecuteCall* call : calls_) calls.push_back(call->shared_from_this());
    changed_.notify_all();
  }
  // Without the lock, which calls take while they hold their own.
  for (const auto& call : calls) call->shut_down(reason);
}

bool Hub::wait_settled(Deadline deadline, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const auto is_settled = [this] { return settled(); };
  if (deadline.is_never()) return changed_.wait(lock, stop, is_settled);
  return changed_.wait_until(lock, stop, deadline.when(), is_settled);
}

std::size_t Hub::functions() const {
  const std::lock_guard lock(mutex_);
  return functions_;
}

std::size_t Hub::sessions() const {
  const std::lock_guard lock(mutex_);
  return calls_.size();
}

void Hub::count(const ServerStats& more) {
  const std::lock_guard lock(mutex_);
  stats_.bytes_in += more.bytes_in;
  stats_.bytes_out += more.bytes_out;
  stats_.bytes_gathered += more.bytes_gathered;
  stats_.bytes_inlined += more.bytes_inlined;
  stats_.bytes_adopted += more.bytes_adopted;
}

ServerStats Hub::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void Hub::later(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  tasks_.push_back(std::move(task));
  changed_.notify_all();
}

void Hub::when_settled(Deadline deadline, std::function<void(bool)> task) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back({deadline, std::move(task)});
  changed_.notify_all();
}

void Hub::run() {
  std::unique_lock lock(mutex_);
  while (!ending_ || !tasks_.empty() || !waiting_.empty()) {
    std::vector<std::thread> retired = std::exchange(retired_, {});
    auto tasks = std::exchange(tasks_, {});
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      if (!settled() && !ending_ && !it->deadline.passed()) {
        ++it;
        continue;
      }
      tasks.push_back([task = std::move(it->task), done = settled()] { task(done); });
      it = waiting_.erase(it);
    }
    if (retired.empty() && tasks.empty()) {
      auto until = Deadline::never();
      for (const Waiting& waiting : waiting_) until = std::min(until, waiting.deadline);
      if (until.is_never()) {
        changed_.wait(lock);
      } else {
        changed_.wait_until(lock, until.when());
      }
      continue;
    }
    lock.unlock();
    for (const auto& task : tasks) task();
    for (std::thread& thread : retired) thread.join();
    tasks.clear();
    lock.lock();
  }
}

}  // namespace forebay::grpc
