// SPDX-License-Identifier: Apache-2.0
#include "runner.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <vector>

#include "forebay/detail/atomic.h"
#include "network.h"
#include "sanitizer.h"
#include "scenario.h"

namespace forebay::deterministic {

namespace {

constexpr std::array kUnits = {
    Scenario{"queue", &run_queue},   Scenario{"event_count", &run_event_count},
    Scenario{"epochs", &run_epochs}, Scenario{"pool", &run_pool},
    Scenario{"stream", &run_stream}, Scenario{"stream_ends", &run_stream_ends},
};
constexpr std::array kSessions = {Scenario{"session", &run_session}};

constexpr std::uint64_t kQuickSeeds = 20'000;
constexpr std::uint64_t kLongSeeds = 1'000'000;
constexpr std::uint64_t kSeedsPerSession = 10;

// What runs now.
const Scenario* g_scenario = nullptr;
std::uint64_t g_seed = 0;

StackPool& stacks() {
  static StackPool pool;
  return pool;
}

const Scenario* find(std::string_view name) noexcept {
  const auto named = [name](const Scenario& one) { return one.name == name; };
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(), named);
  if (unit != kUnits.end()) return &*unit;
  const auto session = std::find_if(kSessions.begin(), kSessions.end(), named);
  return session != kSessions.end() ? &*session : nullptr;
}

void run_seed(const Scenario& scenario, std::uint64_t seed) {
  g_scenario = &scenario;
  g_seed = seed;
  g_memory_refused_once_in = 0;
  g_memory_was_refused = false;
  Thread::refused_once_in = 0;
  const std::int64_t alive = allocations_alive();
  {
    Random random(Random(seed).next());
    Scheduler scheduler(stacks(), seed);
    scheduler.run([&] { scenario.run(random); });
  }
  forget_freed_memory();
  require(allocations_alive() == alive, "memory was not freed");
  g_scenario = nullptr;
}

void print_how_to_repeat() noexcept {
  if (g_scenario == nullptr) return;
  std::fprintf(stderr, "run it again: ./dev deterministic --scenario %s --seed %llu\n",
               g_scenario->name, static_cast<unsigned long long>(g_seed));
}

void on_signal(int number) noexcept { fail(::strsignal(number)); }

}  // namespace

void fail(const char* why, const Site& site) {
  const Untracked untracked;
  std::fprintf(stderr, "deterministic: %s (%s:%u)\n", why, site.file(), site.line());
  print_how_to_repeat();
  if (Scheduler::running() != nullptr) {
    Scheduler::running()->describe();
    Scheduler::stop_running();  // What is said next looks at objects, and is no step.
    Explanation::say();
  }
  std::fflush(nullptr);
  ::_exit(1);
}

bool is_scenario(std::string_view name) noexcept { return find(name) != nullptr; }

void list_scenarios() {
  for (const Scenario& one : kUnits) std::printf("%s\n", one.name);
  for (const Scenario& one : kSessions) std::printf("%s\n", one.name);
}

void report_crashes() {
  on_death(&print_how_to_repeat);
  // A fiber that overruns its stack has none left for the handler.
  static std::array<char, 1 << 16> stack;
  const stack_t alternate = {.ss_sp = stack.data(), .ss_flags = 0, .ss_size = stack.size()};
  ::sigaltstack(&alternate, nullptr);
  struct sigaction action {};
  action.sa_handler = &on_signal;
  action.sa_flags = static_cast<int>(SA_ONSTACK | SA_RESETHAND);
  ::sigaction(SIGABRT, &action, nullptr);
  if (FOREBAY_ADDRESS_SANITIZER) return;
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    ::sigaction(number, &action, nullptr);
  }
}

void run_seeds(std::string_view scenario, std::uint64_t first, std::uint64_t count) {
  const Scenario& chosen = *find(scenario);
  for (std::uint64_t i = 0; i < count; ++i) run_seed(chosen, first + i);
}

int run_selection(const Selection& selection) {
  std::uint64_t seeds = selection.count;
  if (seeds == 0) seeds = selection.is_long ? kLongSeeds : kQuickSeeds;
  if (!selection.scenario.empty()) {
    run_seeds(selection.scenario, selection.first, seeds);
    std::printf("deterministic: %llu seeds of %s, 0 failures\n",
                static_cast<unsigned long long>(seeds), selection.scenario.c_str());
    return 0;
  }
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  for (std::uint64_t i = 0; i < seeds; ++i) {
    run_seed(kUnits[i % kUnits.size()], selection.first + i);
  }
  const auto middle = Clock::now();
  const std::uint64_t sessions = std::max<std::uint64_t>(1, seeds / kSeedsPerSession);
  for (std::uint64_t i = 0; i < sessions; ++i) {
    run_seed(kSessions[i % kSessions.size()], selection.first + i);
  }
  const auto seconds = [](auto time) { return std::chrono::duration<double>(time).count(); };
  std::printf("%.1f s for the seeds, %.1f s for the sessions\n", seconds(middle - begin),
              seconds(Clock::now() - middle));
  const auto count = [](const char* what, std::uint64_t value) {
    std::printf("  %llu %s\n", static_cast<unsigned long long>(value), what);
  };
  count("sessions were read to their end", g_outcomes.finished);
  count("failed as they had to", g_outcomes.failed);
  count("were cancelled", g_outcomes.cancelled);
  count("were left early", g_outcomes.left);
  count("could not begin", g_outcomes.refused);
  count("bytes were read and compared", g_outcomes.bytes);
  std::printf("deterministic: %llu seeds, %llu sessions, 0 failures\n",
              static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(sessions));
  return 0;
}

}  // namespace forebay::deterministic
