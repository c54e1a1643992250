// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a process says of itself, and a writer for the JSON lines that it says it in.

#include <chrono>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace tpch {

/// Seconds since some fixed moment.
[[nodiscard]] inline double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Processor seconds of this process, all threads.
struct CpuTime {
  double user_s = 0;
  double system_s = 0;
  [[nodiscard]] static CpuTime now();
};

/// Resident memory of this process.
struct Memory {
  std::uint64_t resident_bytes = 0;
  std::uint64_t peak_bytes = 0;
  [[nodiscard]] static Memory now();
};

/// One JSON object on one line, built field by field.
class JsonLine {
 public:
  JsonLine& add(std::string_view key, std::string_view text);
  JsonLine& add(std::string_view key, double number);
  JsonLine& add(std::string_view key, std::unsigned_integral auto number) {
    return raw(key, std::to_string(number));
  }
  [[nodiscard]] std::string text() const { return "{" + fields_ + "}"; }
  /// Writes the line to standard output at once.
  void print() const;

 private:
  JsonLine& raw(std::string_view key, std::string_view value);
  std::string fields_;
};

/// Tells how far a job is, one line for every so many bytes.
class Progress {
 public:
  static constexpr std::uint64_t kBytesPerLine = std::uint64_t{32} << 20;
  void at(std::uint64_t bytes) {
    if (bytes >= next_bytes_) report(bytes);
  }

 private:
  void report(std::uint64_t bytes);
  std::uint64_t next_bytes_ = kBytesPerLine;
};

}  // namespace tpch
