// SPDX-License-Identifier: Apache-2.0
#pragma once

// The engine: a process that sends Arrow batches to whoever listens, when it is asked to.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "forebay/socket/descriptor.h"

namespace forebay::bench {

/// Over what is sent.
enum class Channel : std::uint8_t { grpc, classic };

/// What is asked for, as it is in memory: both processes are the same program.
struct Order {
  char path[108] = {};  ///< where somebody listens
  Channel channel = Channel::grpc;
  std::uint64_t body_bytes = 0;  ///< of each batch
  std::uint64_t messages = 0;
  bool echo = false;  ///< waits for each to come back
};

/// One encapsulated Arrow message with a body of so many bytes.
[[nodiscard]] std::string arrow_message(std::size_t body_bytes);

/// One for the process, made before there is a second thread.
class Engine {
 public:
  static const Engine& get();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  /// Asks for messages; they come meanwhile.
  void ask(const std::string& path, Channel channel, std::size_t body_bytes, std::size_t messages,
           bool echo = false) const;

 private:
  Engine();
  socket::Descriptor orders_;
  pid_t process_ = -1;
};

}  // namespace forebay::bench
