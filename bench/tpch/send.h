// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace tpch {

struct SendOptions {
  std::string socket;
  std::string file;
  double pace_gb_per_s = 0;  ///< 10^9 bytes a second; zero is as fast as it goes
};

/// Waits for one receiver and sends it the file, one Arrow message after the other. Prints one JSON
/// line when it listens and one when all is sent. Throws std::system_error, std::runtime_error.
void send_file(const SendOptions& options);

}  // namespace tpch
