// SPDX-License-Identifier: Apache-2.0
#include "tpch/measure.h"

#include <sys/resource.h>
#include <sys/time.h>

#include <cstdio>
#include <fstream>

namespace tpch {
namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') result += '\\';
    result += static_cast<unsigned char>(letter) < 0x20 ? ' ' : letter;
  }
  return result + '"';
}

}  // namespace

CpuTime CpuTime::now() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {seconds(usage.ru_utime), seconds(usage.ru_stime)};
}

Memory Memory::now() {
  Memory memory;
  std::ifstream status("/proc/self/status");
  std::string key;
  while (status >> key) {
    std::uint64_t kibibytes = 0;
    if (key == "VmRSS:" && status >> kibibytes) memory.resident_bytes = kibibytes << 10;
    if (key == "VmHWM:" && status >> kibibytes) memory.peak_bytes = kibibytes << 10;
    std::getline(status, key);
  }
  return memory;
}

JsonLine& JsonLine::raw(std::string_view key, std::string_view value) {
  if (!fields_.empty()) fields_ += ", ";
  fields_ += quoted(key) + ": ";
  fields_ += value;
  return *this;
}

JsonLine& JsonLine::add(std::string_view key, std::string_view text) {
  return raw(key, quoted(text));
}

JsonLine& JsonLine::add(std::string_view key, double number) {
  char digits[32];
  std::snprintf(digits, sizeof(digits), "%.9g", number);
  return raw(key, digits);
}

void JsonLine::print() const {
  std::printf("%s\n", text().c_str());
  std::fflush(stdout);
}

void Progress::report(std::uint64_t bytes) {
  JsonLine().add("bytes", bytes).print();
  next_bytes_ = bytes + kBytesPerLine;
}

}  // namespace tpch
