// SPDX-License-Identifier: Apache-2.0

// forebay-stress: runs scenarios for a while, or until enough was counted, and checks every byte
// and every end. The last line is the verdict; the exit code is 0 only when everything was checked
// and right.

#include <malloc.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "monitor.h"
#include "scenario.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define FOREBAY_STRESS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define FOREBAY_STRESS_SANITIZED 1
#endif
#endif
#ifndef FOREBAY_STRESS_SANITIZED
#define FOREBAY_STRESS_SANITIZED 0
#endif

namespace forebay::stress {

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all = {
    {"queues", "items through bare queues of both layouts", queues, {Counted::hand_overs}},
    {"hand-over", "one writer and one reader, every way to add and to read", hand_over, {}},
    {"many-streams", "many streams at once on one small pool", many_streams, {}},
    {"guards-on-threads",
     "looks under guards at memory that was retired",
     guards_on_threads,
     {Counted::protected_reads, Counted::retirements}},
#if !FOREBAY_THREAD_SANITIZER
    {"guards-in-tasks", "guards moved through oneTBB tasks", guards_in_tasks, {}},
#endif
    {"outliving-shares", "shares and guards dropped after their stream", outliving_shares, {}},
    {"stalled-holders", "holders that keep what the writer needs", stalled_holders, {}},
    {"end-storms", "finish, fail and cancel against every call", end_storms, {}},
    {"parks", "threads that sleep and wake each other", parks, {Counted::parks}},
#ifdef FOREBAY_STRESS_SOCKET
    {"sockets", "short reads, signals, cuts and resets in every mode", sockets, {}},
#endif
#ifdef FOREBAY_STRESS_ARROW
    {"arrow-streams", "Arrow batches over sockets, whole and cut", arrow_streams, {}},
#endif
  };
  return all;
}

namespace {

// What each goal asks for. A sanitizer's run is asked for a tenth.
Counts goals_named(const std::string& name) {
  Counts goals{};
  if (name == "quick") goals = {0, 50'000'000, 50'000'000, 1'000'000, 1'000'000};
  if (name == "full") goals = {0, 1'000'000'000, 1'000'000'000, 10'000'000, 10'000'000};
  if (FOREBAY_STRESS_SANITIZED) {
    for (std::uint64_t& goal : goals) goal /= 10;
  }
  return goals;
}

std::size_t entries_of(const char* folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

// What a scenario must leave as it was. Under a sanitizer its own allocator counts the memory.
struct Held {
  std::size_t descriptors = entries_of("/proc/self/fd");
  std::size_t memory_bytes = ::mallinfo2().uordblks + ::mallinfo2().hblkhd;
};

void require_nothing_left(const Run& run, const Held& before) {
  // What allocators, oneTBB and Arrow keep for themselves once they were used.
  constexpr std::size_t kKeptBytes = std::size_t{16} << 20;
  require(run.chunks_alive == 0, "a chunk was not released");
  const Held after;
  require(after.descriptors <= before.descriptors, "a descriptor was left open");
  require(after.memory_bytes <= before.memory_bytes + kKeptBytes, "memory was left allocated");
}

struct Options {
  double seconds = 30;
  int threads = static_cast<int>(std::max(2U, std::thread::hardware_concurrency()));
  int patience = 60;
  std::uint64_t seed = std::random_device()();
  std::vector<std::string> names;
  std::string goal = "none";
  bool list = false;
  bool quiet = false;
};

// Runs one scenario and adds what it counted.
bool run_one(const Scenario& scenario, const Options& options, double seconds, Counts& total) {
  const auto length =
      std::chrono::duration_cast<Run::clock::duration>(std::chrono::duration<double>(seconds));
  const Counts all = goals_named(options.goal);
  Counts goals{};
  for (const Counted what : scenario.counts) {
    goals[static_cast<std::size_t>(what)] = all[static_cast<std::size_t>(what)];
  }
  const auto began = Run::clock::now();
  Run run(options.seed, options.threads, std::chrono::seconds(options.patience), began + length,
          goals);
  const Held before;
  std::string failure;
  try {
    const Monitor monitor(run, scenario, options.seed, options.quiet);
    scenario.run(run);
    require(run.counted(Counted::checks) != 0, "nothing was checked");
  } catch (const std::exception& error) {
    failure = error.what();
  }
  try {
    if (failure.empty()) require_nothing_left(run, before);
  } catch (const std::exception& error) {
    failure = error.what();
  }
  std::string counted;
  for (std::size_t i = 0; i < total.size(); ++i) {
    const std::uint64_t count = run.counted(static_cast<Counted>(i));
    total[i] += count;
    if (count != 0) counted += ", " + std::to_string(count) + " " + kCountedNames[i];
  }
  const double took = std::chrono::duration<double>(Run::clock::now() - began).count();
  std::printf("%-18s %s%s%s, %.1f s\n", scenario.name,
              failure.empty() ? "ok" : "FAILED: ", failure.c_str(), counted.c_str(), took);
  std::fflush(stdout);
  return failure.empty();
}

int stress(const Options& options) {
  std::vector<Scenario> chosen;
  for (const Scenario& scenario : scenarios()) {
    if (options.list) std::printf("%-18s %s\n", scenario.name, scenario.what);
    const auto& names = options.names;
    const bool named = std::find(names.begin(), names.end(), scenario.name) != names.end();
    if (names.empty() || named) chosen.push_back(scenario);
  }
#if FOREBAY_THREAD_SANITIZER
  std::printf(
      "guards-in-tasks is left out: ThreadSanitizer does not see how oneTBB orders tasks\n");
#endif
  if (options.list) return 0;
  if (!options.names.empty() && chosen.size() != options.names.size()) {
    std::fprintf(stderr, "forebay-stress: unknown scenario; see --list\n");
    return 2;
  }
  const auto seed = static_cast<unsigned long long>(options.seed);
  std::printf("seed %llu, %d threads, %g s, goal %s\n", seed, options.threads, options.seconds,
              options.goal.c_str());
  bool passed = true;
  Counts total{};
  for (const Scenario& scenario : chosen) {
    passed &=
        run_one(scenario, options, options.seconds / static_cast<double>(chosen.size()), total);
  }
  std::printf("checked:");
  for (std::size_t i = 0; i < total.size(); ++i) {
    std::printf("%s %llu %s", i == 0 ? "" : ",", static_cast<unsigned long long>(total[i]),
                kCountedNames[i]);
  }
  // Each of these would have ended its scenario.
  std::printf("; stale reads, lost wakes, lost or doubled bytes: %s\n",
              passed ? "0" : "see what failed");
  std::printf("%s, seed %llu\n", passed ? "PASSED" : "FAILED", seed);
  return passed ? 0 : 1;
}

}  // namespace
}  // namespace forebay::stress

int main(int argc, char** argv) {
  forebay::stress::Options options;
  CLI::App app{"Forebay under stress"};
  app.add_option("--seconds", options.seconds, "time for all scenarios together")
      ->check(CLI::PositiveNumber);
  app.add_option("--goal", options.goal,
                 "runs on until so much was counted, whatever the time: quick is 50 M hand-overs, "
                 "50 M protected reads, 1 M retirements and 1 M park/unpark pairs; full is 1 G, "
                 "1 G, 10 M and 10 M; a tenth of it in a sanitizer's build")
      ->check(CLI::IsMember({"none", "quick", "full"}));
  app.add_option("--threads", options.threads, "threads to use")->check(CLI::Range(1, 1024));
  app.add_option("--seed", options.seed, "repeats the random choices of a run");
  app.add_option("--scenario", options.names, "only these; repeatable");
  app.add_option("--patience", options.patience, "seconds without progress that count as a hang")
      ->check(CLI::PositiveNumber);
  app.add_flag("--list", options.list, "names the scenarios and ends");
  app.add_flag("--quiet", options.quiet, "no progress, only results");
  CLI11_PARSE(app, argc, argv);
  // For the scenarios' own writes to pipes. The library's own sends raise none.
  std::signal(SIGPIPE, SIG_IGN);
  return forebay::stress::stress(options);
}
