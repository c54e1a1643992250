// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace tpch {

struct SendOptions {
  std::string socket;
  std::string file;
  double pace_gb_per_s = 0;  ///< 10^9 bytes a second; zero is as fast as it goes
};

/// Waits for one receiver and sends it the file, one Arrow message after the other. Prints one JSON
/// line when it listens and one when all is sent. Throws std::system_error, std::runtime_error.
void send_file(const SendOptions& options);
/// The same as the engine of a worker that serves Spark's gRPC channel and listens already.
void send_over_grpc(const SendOptions& options);

/// An Arrow stream cut behind each message; what follows the last one is a piece as well.
[[nodiscard]] std::vector<std::span<const std::byte>> cut_by_message(
    std::span<const std::byte> stream);

}  // namespace tpch
