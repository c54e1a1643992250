// SPDX-License-Identifier: Apache-2.0
#pragma once

// How Spark starts a worker: its arguments and its environment, checked and typed.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "forebay/socket/descriptor.h"
#include "forebay/spark/handshake.h"

namespace forebay::spark {

/// Names of environment variables, as Spark sets them.
struct Environment {
  /// The value of a variable of this process; empty for one that is not set.
  [[nodiscard]] static std::optional<std::string> get(const char* name);
};

/// Where and as what a worker meets Spark.
struct Rendezvous {
  /// Whether this process makes a worker for each connection, or is one.
  bool daemon = false;
  /// For a worker: the TCP port that Spark listens on; 0 when `path` is used.
  std::uint16_t port = 0;
  /// For a worker: Spark's Unix socket; for a daemon: its own, yet to be made. Empty for TCP.
  std::string path;
  /// TCP only.
  std::optional<std::string> secret;
  /// TCP only: where Spark listens and looks for a daemon, by SPARK_PREFER_IPV6.
  socket::Loopback address = socket::Loopback::ipv4;
};

/// Whether the arguments, without the program's name, are those that Spark gives: `-m` and the name
/// of a module.
[[nodiscard]] bool is_started_by_spark(const std::vector<std::string>& arguments);

/// Reads the arguments, `-m pyspark.daemon pyspark.worker` or `-m pyspark.worker`, and the
/// environment of this process. Errors: InvalidConnection, naming the variable.
[[nodiscard]] Rendezvous read_rendezvous(const std::vector<std::string>& arguments);

/// Where Spark listens on this machine: ::1 where SPARK_PREFER_IPV6 says so, else 127.0.0.1.
[[nodiscard]] socket::Loopback preferred_loopback();

/// Connects a worker, and shakes hands. Blocking: at most `deadline`. Errors: those of connecting
/// and of Handshake::received().
[[nodiscard]] socket::Descriptor meet(const Rendezvous& rendezvous, Deadline deadline);

/// Drives a handshake over a connection. Blocking: at most `deadline`. Errors: Truncated,
/// DeadlineExceeded, std::system_error, and those of Handshake::received().
void shake_hands(const socket::Descriptor& connection, Handshake& handshake, Deadline deadline);

}  // namespace forebay::spark
