// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tpch {

struct ReceiveOptions {
  std::string
      socket;        ///< where the sender listens, or where `grpc` modes do; `decode` does without
  std::string file;  ///< the stream on disk, for `decode` alone
  std::string mode;  ///< one of modes()
  std::uint32_t work = 1;                            ///< times that a batch's answer is worked out
  int workers = 1;                                   ///< threads that decode and query
  std::size_t budget_bytes = std::size_t{32} << 20;  ///< StreamOptions::max_bytes
  std::size_t recv_bytes = std::size_t{1} << 20;     ///< buffer of the bare receive
  std::string json;                                  ///< where the figures go; empty: to the output
  std::string trace;                                 ///< where the timeline goes; empty: nowhere
};

/// What receive() can do: `receive` (bare, into one buffer), `decode` (and query, from memory),
/// `sequential` (all of the one, then all of the other), `inline`, `threaded` and `automatic`
/// (Forebay's receive modes), each of these three with `-decode` behind it for no query, `mutex`
/// (the peer); and as a worker of the gRPC channel `grpc-receive` (nothing but that), `grpc`
/// (bodies gathered) and `grpc-slices` (bodies as they came).
[[nodiscard]] const std::vector<std::string>& modes();

/// Does the job once and writes its figures as one JSON object. Throws what goes wrong.
void receive(const ReceiveOptions& options);

}  // namespace tpch
