// SPDX-License-Identifier: Apache-2.0
#include "forebay/grpc/worker_process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "forebay/error.h"
#include "forebay/grpc/server.h"
#include "forebay/socket/detail/ready.h"

extern char** environ;

namespace forebay::grpc {

namespace {

// Nothing tells that somebody listens: the next attempt is soon.
constexpr std::chrono::milliseconds kAttemptTime(1);

std::string new_id() {
  unsigned char bytes[16];
  if (::getentropy(bytes, sizeof bytes) != 0) {
    throw std::system_error(errno, std::system_category(), "getentropy");
  }
  std::string id;
  for (const unsigned char byte : bytes) {
    id += "0123456789abcdef"[byte >> 4];
    id += "0123456789abcdef"[byte & 15];
  }
  return id;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> environment_with(const std::map<std::string, std::string>& more) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text(*entry);
    if (!more.contains(text.substr(0, text.find('=')))) all.push_back(text);
  }
  for (const auto& [name, value] : more) {
    std::string entry = name;
    entry += '=';
    entry += value;
    all.push_back(std::move(entry));
  }
  return all;
}

// Whether the process has ended by then.
bool await_end(const socket::Descriptor& process, Deadline deadline) {
  return socket::detail::wait_ready(process.get(), POLLIN, deadline, {}, nullptr) ==
         WaitStatus::ready;
}

}  // namespace

WorkerProcess::WorkerProcess(WorkerSpecification specification, const std::string& folder)
    : specification_(std::move(specification)) {
  if (specification_.command.empty()) throw std::invalid_argument("a worker without a command");
  start(folder);
  try {
    await_ready();
  } catch (...) {
    terminate();
    throw;
  }
}

WorkerProcess::~WorkerProcess() { terminate(); }

void WorkerProcess::start(const std::string& folder) {
  const std::string id = new_id();
  // The port is free now. Where another program takes it meanwhile the worker ends; that program is
  // then what is connected to, unless the worker has ended by then.
  connection_ = specification_.tcp ? std::to_string(socket::Listener::listen_loopback(0).port())
                                   : folder + "/" + id.substr(0, 12) + ".sock";
  std::vector<std::string> arguments = specification_.command;
  for (const std::string& word :
       {std::string("--id"), id, std::string("--connection"), connection_}) {
    arguments.push_back(word);
  }
  std::vector<std::string> environment = environment_with(specification_.environment);
  const int error = ::posix_spawnp(&pid_, arguments.front().c_str(), nullptr, nullptr,
                                   pointers_to(arguments).data(), pointers_to(environment).data());
  if (error != 0) {
    throw std::system_error(error, std::system_category(), "start " + arguments.front());
  }
  process_ = socket::Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!process_) {
    const int why = errno;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status_, 0);
    throw std::system_error(why, std::system_category(), "pidfd_open");
  }
}

void WorkerProcess::await_ready() {
  const auto begin = Deadline::clock::now();
  const Deadline deadline = Deadline::after(specification_.initialization_time);
  const Connection at = parse_connection(connection_);
  for (;;) {
    try {
      if (const auto* const path = std::get_if<std::string>(&at)) {
        (void)socket::connect_unix(*path, deadline);
      } else {
        (void)socket::connect_loopback(std::get<std::uint16_t>(at), deadline);
      }
      ready_after_ = Deadline::clock::now() - begin;
      if (!await_end(process_, Deadline::after(std::chrono::seconds(0)))) return;
      throw Error("the worker ended, and something else listens where it should");
    } catch (const std::system_error& error) {
      // Not yet.
      const int code = error.code().value();
      if (code != ENOENT && code != ECONNREFUSED && code != EAGAIN) throw;
    }
    if (await_end(process_, Deadline::after(kAttemptTime))) {
      throw Error("the worker ended before it could be connected to");
    }
    if (deadline.passed()) throw DeadlineExceeded("wait for the worker to listen");
  }
}

int WorkerProcess::wait(Deadline deadline) {
  if (!process_) return status_;
  if (!await_end(process_, deadline)) return -1;
  ::waitpid(pid_, &status_, 0);
  process_ = socket::Descriptor();
  return status_;
}

// By its descriptor: where somebody else has waited for it, its number may be another's.
void WorkerProcess::tell(int signal) noexcept {
  (void)::syscall(SYS_pidfd_send_signal, process_.get(), signal, nullptr, 0);
}

int WorkerProcess::terminate() {
  if (!process_) return status_;
  tell(SIGTERM);
  (void)wait(Deadline::after(specification_.termination_time));
  if (process_) tell(SIGKILL);
  return wait(Deadline::never());
}

}  // namespace forebay::grpc
