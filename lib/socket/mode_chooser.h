// SPDX-License-Identifier: Apache-2.0
#pragma once

// Decides, for automatic mode, who receives. It does not guess: it measures a stretch of the stream
// each way and keeps the faster, preferring the reader's own thread, which costs less, unless the
// other is clearly faster. It looks again after longer and longer stretches, since the work may
// change. Thread role: the reader.

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "forebay/deadline.h"

namespace forebay::socket {

struct ModeLimits {
  // A stretch is long enough to be measured and short against a stream worth the trouble.
  std::uint64_t stretch_bytes = std::uint64_t{24} << 20;
  Deadline::clock::duration stretch_time = std::chrono::milliseconds(5);
  // A thread can hide at most the work that is not receiving; less than this is not worth one.
  double work_share_min = 0.15;
  // How much faster the thread must be.
  double gain_min = 1.10;
  // Most stretches until the other way is measured again.
  int patience_max = 64;
};

class ModeChooser {
 public:
  using clock = Deadline::clock;

  explicit ModeChooser(const ModeLimits& limits = {}) noexcept : limits_(limits) {}

  /// Whether the thread should receive from now on. `bytes`: received so far; `threaded`: who
  /// receives now.
  bool choose(clock::time_point now, std::uint64_t bytes, bool threaded) {
    if (begin_ == clock::time_point()) start(now, bytes);
    const clock::duration time = now - begin_;
    if (bytes - begin_bytes_ < limits_.stretch_bytes || time < limits_.stretch_time) {
      return threaded;
    }
    const double rate =
        static_cast<double>(bytes - begin_bytes_) / std::chrono::duration<double>(time).count();
    const double work_share = 1.0 - std::chrono::duration<double>(receiving_) / time;
    start(now, bytes);
    return threaded ? after_threaded(rate) : after_inline(rate, work_share);
  }

  /// Time that the reader's thread spent receiving.
  void count_receiving(clock::duration time) noexcept { receiving_ += time; }

 private:
  void start(clock::time_point now, std::uint64_t bytes) noexcept {
    begin_ = now;
    begin_bytes_ = bytes;
    receiving_ = {};
  }

  bool after_inline(double rate, double work_share) noexcept {
    inline_rate_ = rate;
    if (work_share < limits_.work_share_min) return false;
    if (stretches_left_ > 0) {
      --stretches_left_;
      return false;
    }
    return true;
  }

  bool after_threaded(double rate) noexcept {
    if (stretches_left_ > 0) {
      --stretches_left_;
      return true;
    }
    const bool faster = rate > limits_.gain_min * inline_rate_;
    if (faster != thread_was_faster_) patience_ = 1;
    patience_ = std::min(2 * patience_, limits_.patience_max);
    thread_was_faster_ = faster;
    // Stays, or goes back, for as long as its patience; then measures the other way again.
    if (faster && !stayed_) {
      stayed_ = true;
      stretches_left_ = patience_;
      return true;
    }
    stayed_ = false;
    stretches_left_ = faster ? 0 : patience_;
    return false;
  }

  const ModeLimits limits_;
  clock::time_point begin_{};
  std::uint64_t begin_bytes_ = 0;
  clock::duration receiving_{};
  double inline_rate_ = 0;
  int stretches_left_ = 0;
  int patience_ = 1;
  bool thread_was_faster_ = false;
  bool stayed_ = false;
};

}  // namespace forebay::socket
