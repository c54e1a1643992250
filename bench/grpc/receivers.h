// SPDX-License-Identifier: Apache-2.0
#pragma once

// Ways to receive the messages of one session, each with a server of its own.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace forebay::bench {

struct Job {
  std::string path;            ///< where to listen
  std::size_t body_bytes = 0;  ///< of each message
  std::size_t messages = 0;
  bool echo = false;  ///< each is sent back, and the next comes then
  /// To be called when the first message may come, and when the last one was taken.
  std::function<void()> begin;
  std::function<void()> end;
  /// To be called when somebody listens.
  std::function<void()> ask;
};

/// Receives it all; gives back the payload bytes that were seen.
using Receiver = std::function<std::uint64_t(const Job&)>;

/// `Forebay`: bodies in one aligned piece each. `ForebaySlices`: as they were received with others.
/// `GeneratedString`: what generated code does, a message whose data is a std::string.
/// `FlightReadAll`: the message in one piece of gRPC's. `ByteBuffer`: nothing is done with it.
/// `ClassicSocket`: the classic channel. `InMemory`: from another thread of this process.
[[nodiscard]] const std::map<std::string, Receiver>& receivers();

/// Those that send back what they receive.
[[nodiscard]] const std::map<std::string, Receiver>& echoes();

}  // namespace forebay::bench
