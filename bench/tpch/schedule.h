// SPDX-License-Identifier: Apache-2.0
#pragma once

// A wire of a certain speed, for a sender.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "tpch/measure.h"

namespace tpch {

/// When each message is due. The schedule is absolute: a late message does not move those after it.
class Schedule {
 public:
  using clock = std::chrono::steady_clock;

  /// 10^9 bytes a second, from now on; zero is as fast as it goes.
  explicit Schedule(double gb_per_s)
      : ns_per_byte_(gb_per_s > 0 ? 1 / gb_per_s : 0), begin_(clock::now()) {}

  /// Waits until the next message, of so many bytes, is due.
  void wait(std::size_t bytes) {
    const clock::time_point due = after(bytes_);
    bytes_ += bytes;
    if (ns_per_byte_ == 0) return;
    const clock::time_point now = clock::now();
    if (now > due) {
      ++late_;
      late_max_ = std::max(late_max_, now - due);
    } else {
      std::this_thread::sleep_until(due);
    }
  }
  void report(JsonLine& line) const {
    const double end_s = seconds(clock::now() - after(bytes_));
    line.add("late_messages", late_).add("late_max_s", seconds(late_max_));
    line.add("late_at_end_s", ns_per_byte_ == 0 ? 0.0 : std::max(0.0, end_s));
    line.add("seconds", seconds(clock::now() - begin_));
  }

 private:
  static double seconds(clock::duration duration) {
    return std::chrono::duration<double>(duration).count();
  }
  [[nodiscard]] clock::time_point after(std::uint64_t bytes) const {
    return begin_ + std::chrono::nanoseconds(
                        static_cast<std::int64_t>(static_cast<double>(bytes) * ns_per_byte_));
  }

  double ns_per_byte_;
  clock::time_point begin_;
  std::uint64_t bytes_ = 0;
  std::uint64_t late_ = 0;  // messages that could not begin when they were due
  clock::duration late_max_{};
};

}  // namespace tpch
