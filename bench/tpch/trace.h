// SPDX-License-Identifier: Apache-2.0
#pragma once

// Spans of time of this process, written as trace events that Perfetto and Chrome can show. Off, it
// costs one load of a flag that never changes. Any thread may record.

#include <chrono>
#include <cstdint>
#include <string>

namespace tpch {

/// Starts recording; call it before there is a second thread.
void start_trace();

/// Writes what was recorded, as a JSON list of complete events; the threads have ended.
/// Throws std::system_error.
void write_trace(const std::string& file);

/// Records the time from its construction to its destruction.
class Span {
 public:
  /// `name` must live for ever.
  explicit Span(const char* name) noexcept : name_(recording() ? name : nullptr) {
    if (name_ != nullptr) begin_ = std::chrono::steady_clock::now();
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;
  ~Span() {
    if (name_ != nullptr) record(name_, begin_, count_);
  }
  /// What the span achieved: bytes or rows, shown beside it.
  void count(std::uint64_t value) noexcept { count_ = value; }

 private:
  using time_point = std::chrono::steady_clock::time_point;
  static bool recording() noexcept;
  static void record(const char* name, time_point begin, std::uint64_t count) noexcept;

  const char* name_;
  time_point begin_;
  std::uint64_t count_ = 0;
};

}  // namespace tpch
