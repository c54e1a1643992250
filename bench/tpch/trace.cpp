// SPDX-License-Identifier: Apache-2.0
#include "tpch/trace.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <fstream>
#include <memory>
#include <system_error>

namespace tpch {
namespace {

using clock = std::chrono::steady_clock;

struct Event {
  const char* name;
  clock::time_point begin;
  clock::time_point end;
  std::uint64_t count;
  pid_t thread;
};

// What comes beyond is dropped, and the file says so.
constexpr std::size_t kEventsMax = std::size_t{1} << 20;

struct Log {
  std::unique_ptr<Event[]> events = std::make_unique_for_overwrite<Event[]>(kEventsMax);
  std::atomic<std::size_t> used{0};
  clock::time_point begin = clock::now();
};

Log* log_of_process = nullptr;

double microseconds(clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

}  // namespace

void start_trace() {
  static Log log;
  log_of_process = &log;
}

bool Span::recording() noexcept { return log_of_process != nullptr; }

void Span::record(const char* name, time_point begin, std::uint64_t count) noexcept {
  Log& log = *log_of_process;
  // Relaxed: whoever reads the events joined the threads first.
  const std::size_t index = log.used.fetch_add(1, std::memory_order_relaxed);
  if (index < kEventsMax) log.events[index] = {name, begin, clock::now(), count, gettid()};
}

void write_trace(const std::string& file) {
  const Log& log = *log_of_process;
  // Relaxed: the threads were joined.
  const std::size_t recorded = log.used.load(std::memory_order_relaxed);
  std::ofstream out(file);
  out << "[\n";
  for (std::size_t i = 0; i < std::min(recorded, kEventsMax); ++i) {
    const Event& event = log.events[i];
    out << R"({"name": ")" << event.name << R"(", "ph": "X", "pid": 1, "tid": )" << event.thread
        << R"(, "ts": )" << microseconds(event.begin - log.begin) << R"(, "dur": )"
        << microseconds(event.end - event.begin) << R"(, "args": {"count": )" << event.count
        << "}},\n";
  }
  out << R"({"name": "events dropped", "ph": "C", "pid": 1, "tid": 0, "ts": 0, "args": {"count": )"
      << recorded - std::min(recorded, kEventsMax) << "}}\n]\n";
  out.close();
  if (!out) throw std::system_error(errno, std::generic_category(), file);
}

}  // namespace tpch
