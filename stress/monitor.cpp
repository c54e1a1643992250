// SPDX-License-Identifier: Apache-2.0
#include "monitor.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace forebay::stress {

std::string short_number(double number) {
  const char* unit = "";
  for (const char* larger : {" k", " M", " G"}) {
    if (number < 1000) break;
    number /= 1000;
    unit = larger;
  }
  char text[32];
  std::snprintf(text, sizeof text, *unit == '\0' ? "%.0f%s" : "%.2f%s", number, unit);
  return text;
}

Monitor::Monitor(Run& run, const Scenario& scenario, std::uint64_t seed, bool quiet)
    : run_(run),
      scenario_(scenario),
      seed_(seed),
      quiet_(quiet),
      terminal_(::isatty(STDOUT_FILENO) == 1),
      shown_(scenario.counts.empty() ? Counted::checks : scenario.counts.front()),
      thread_([this] { watch(); }) {}

Monitor::~Monitor() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  over_.notify_one();
  thread_.join();
  if (terminal_ && !quiet_) std::printf("\r\033[K");
}

void Monitor::watch() {
  const auto began = Run::clock::now();
  const auto interval = std::chrono::milliseconds(terminal_ ? 200 : 1000);
  const auto progress = [this] {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < kCountedNames.size(); ++i) {
      sum += run_.counted(static_cast<Counted>(i));
    }
    return sum;
  };
  std::uint64_t seen = progress();
  std::uint64_t before = 0;
  auto moved = began;
  auto last = began;
  std::unique_lock lock(mutex_);
  while (!over_.wait_for(lock, interval, [this] { return done_; })) {
    const auto now = Run::clock::now();
    if (const std::uint64_t count = progress(); count != seen) {
      seen = count;
      moved = now;
    }
    if (now - moved > run_.patience() + std::chrono::seconds(5)) die_of_hanging();
    if (!quiet_) {
      report(std::chrono::duration<double>(now - began).count(),
             std::chrono::duration<double>(now - last).count(), before);
    }
    before = run_.counted(shown_);
    last = now;
  }
}

void Monitor::report(double seconds, double since_last, std::uint64_t before) {
  const std::uint64_t count = run_.counted(shown_);
  const std::uint64_t goal = run_.goal(shown_);
  const std::string rate =
      short_number(static_cast<double>(count - before) / std::max(since_last, 1e-9));
  std::string line = scenario_.name;
  line.resize(std::max<std::size_t>(line.size(), 18), ' ');
  if (terminal_ && goal != 0) {
    constexpr std::size_t kBar = 30;
    const std::size_t full = std::min<std::uint64_t>(kBar, count * kBar / goal);
    line += "[" + std::string(full, '#') + std::string(kBar - full, '.') + "] ";
  }
  line += short_number(static_cast<double>(count));
  if (goal != 0) line += " of " + short_number(static_cast<double>(goal));
  line += std::string(" ") + kCountedNames[static_cast<std::size_t>(shown_)] + ", " + rate + "/s";
  std::printf(terminal_ ? "\r\033[K%s, %.0f s" : "%s, %.0f s\n", line.c_str(), seconds);
  std::fflush(stdout);
}

void Monitor::die_of_hanging() {
  std::printf("%s%s hangs: nothing was counted for %lld s\n", terminal_ ? "\n" : "", scenario_.name,
              static_cast<long long>(run_.patience().count()));
  for (const std::string& state : run_.states()) std::printf("  %s\n", state.c_str());
  std::printf("FAILED, seed %llu\n", static_cast<unsigned long long>(seed_));
  std::fflush(stdout);
  std::abort();
}

}  // namespace forebay::stress
