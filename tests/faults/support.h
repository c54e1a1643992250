// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the tests of faults share: how many times a fault is tried, and children that die of it.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

#include "forebay/socket/descriptor.h"
#include "unit/socket/support.h"

namespace forebay::test {

/// FOREBAY_FAULTS=full asks for the long versions.
inline bool all_faults() {
  const char* const wanted = std::getenv("FOREBAY_FAULTS");
  return wanted != nullptr && std::string_view(wanted) == "full";
}
inline int times(int quick, int full) { return all_faults() ? full : quick; }

/// Says how often a fault was tried, after it was.
inline void report(std::uint64_t count, const char* what) {
  std::printf("faults: %llu %s\n", static_cast<unsigned long long>(count), what);
}

/// The random choices of a test, repeatable by FOREBAY_FAULTS_SEED.
class Choices {
 public:
  Choices() : seed_(from_environment("FOREBAY_FAULTS_SEED", std::random_device()())) {
    std::printf("FOREBAY_FAULTS_SEED=%llu\n", static_cast<unsigned long long>(seed_));
    random_.seed(seed_);
  }
  /// A number from 0 to `below` - 1.
  std::size_t pick(std::size_t below) { return static_cast<std::size_t>(random_() % below); }

 private:
  std::uint64_t seed_;
  std::mt19937_64 random_;
};

/// A forked child that runs `body` and exits with what it returns. It is killed and waited for with
/// the object.
class Child {
 public:
  template <class Body>
  explicit Child(Body&& body) : pid_(fork_with_nothing_to_print()) {
    if (pid_ != 0) return;
    int code = 99;
    try {
      code = body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "child: %s\n", error.what());
    }
    ::_exit(code);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    send(SIGKILL);
    (void)status();
  }
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  void send(int signal) const noexcept { ::kill(pid_, signal); }
  /// Waits until it ended, or with WUNTRACED until it stopped.
  int status(int options = 0) {
    int status = 0;
    while (::waitpid(pid_, &status, options) < 0 && errno == EINTR) {
    }
    if (!WIFSTOPPED(status)) pid_ = -1;
    return status;
  }
  [[nodiscard]] bool was_killed() {
    const int ended = status();
    return WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL;
  }
  [[nodiscard]] bool succeeded() {
    const int ended = status();
    return WIFEXITED(ended) && WEXITSTATUS(ended) == 0;
  }

 private:
  // What is printed and not written yet would be written by the child as well, and counted twice.
  static pid_t fork_with_nothing_to_print() {
    std::fflush(nullptr);
    return ::fork();
  }

  pid_t pid_;
};

/// For threads that write to pipes, where no flag of the call keeps the signal away.
inline void block_sigpipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

/// Sends the bytes in pieces of random sizes. False when the peer is gone.
inline bool send_in_pieces(const Descriptor& to, std::string_view bytes, Choices& choices) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, 1 + choices.pick(std::size_t{64} << 10));
    if (!write_all(to, piece)) return false;
    bytes.remove_prefix(piece.size());
  }
  return true;
}

/// A Unix socket, a TCP connection or a pipe.
inline Wire any_wire(Choices& choices) {
  switch (choices.pick(3)) {
    case 0:
      return socket_pair();
    case 1:
      return tcp_pair();
    default:
      return pipe_pair();
  }
}

inline ReceiveMode any_mode(Choices& choices) { return static_cast<ReceiveMode>(choices.pick(3)); }

/// Limits the memory of this process to so much more than it has. Not under sanitizers, whose
/// shadow memory counts.
void limit_memory(std::size_t bytes);

/// The most memory that this process ever had resident, in bytes.
[[nodiscard]] std::size_t peak_resident_bytes();

}  // namespace forebay::test
