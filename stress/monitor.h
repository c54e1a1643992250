// SPDX-License-Identifier: Apache-2.0
#pragma once

// Says how a run goes while it goes: a line each second, or a bar when the output is a terminal.
// Ends the program when nothing was counted for too long: a thread hangs.

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "scenario.h"

namespace forebay::stress {

class Monitor {
 public:
  Monitor(Run& run, const Scenario& scenario, std::uint64_t seed, bool quiet);
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;
  ~Monitor();

 private:
  void watch();
  void report(double seconds, double since_last, std::uint64_t before);
  [[noreturn]] void die_of_hanging();

  Run& run_;
  const Scenario& scenario_;
  const std::uint64_t seed_;
  const bool quiet_;
  const bool terminal_;
  const Counted shown_;  // what the rates are of
  std::mutex mutex_;
  std::condition_variable over_;
  bool done_ = false;
  std::thread thread_;
};

/// "1.23 G", "45.6 M", "789"
[[nodiscard]] std::string short_number(double number);

}  // namespace forebay::stress
