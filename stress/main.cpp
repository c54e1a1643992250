// SPDX-License-Identifier: Apache-2.0

// forebay-stress: runs scenarios for a while and checks every byte and every end. The last line is
// the verdict; the exit code is 0 only when everything was checked and right.

#include <CLI/CLI.hpp>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "scenario.h"

namespace forebay::stress {

void Run::on_threads(int count, const std::function<void(int)>& body) {
  std::mutex mutex;
  std::exception_ptr first;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      try {
        body(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (first == nullptr) first = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (first != nullptr) std::rethrow_exception(first);
}

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all = {
      {"hand-over", "one writer and one reader, every way to add and to read", hand_over},
      {"many-streams", "short streams on many threads", many_streams},
      {"end-storms", "finish, fail and cancel against every call", end_storms},
      {"guards-in-tasks", "guards moved through oneTBB tasks", guards_in_tasks},
      {"outliving-shares", "shares and guards dropped after their stream", outliving_shares},
      {"stalled-holders", "holders that keep what the writer needs", stalled_holders},
  };
  return all;
}

namespace {

// Ends the program when nothing was checked for too long: a thread hangs.
class Watchdog {
 public:
  Watchdog(const Run& run, const char* scenario, std::uint64_t seed, int seconds)
      : thread_([this, &run, scenario, seed, seconds] {
          std::unique_lock lock(mutex_);
          for (std::uint64_t seen = run.checks();; seen = run.checks()) {
            if (over_.wait_for(lock, std::chrono::seconds(seconds), [this] { return done_; }))
              return;
            if (run.checks() != seen) continue;
            std::printf("FAILED: %s hangs, seed %llu\n", scenario,
                        static_cast<unsigned long long>(seed));
            std::fflush(stdout);
            std::abort();
          }
        }) {}
  ~Watchdog() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    over_.notify_one();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable over_;
  bool done_ = false;
  std::thread thread_;
};

bool run_one(const Scenario& scenario, std::uint64_t seed, int threads, double seconds,
             int patience) {
  const auto length = std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(seconds));
  Run run(seed, threads, std::chrono::steady_clock::now() + length);
  try {
    const Watchdog watchdog(run, scenario.name, seed, patience);
    scenario.run(run);
    require(run.checks() != 0, "nothing was checked");
  } catch (const std::exception& error) {
    std::printf("%-18s FAILED: %s\n", scenario.name, error.what());
    return false;
  }
  std::printf("%-18s ok, %llu checks\n", scenario.name,
              static_cast<unsigned long long>(run.checks()));
  std::fflush(stdout);
  return true;
}

}  // namespace
}  // namespace forebay::stress

int main(int argc, char** argv) {
  using namespace forebay::stress;
  double seconds = 30;
  int threads = static_cast<int>(std::max(2U, std::thread::hardware_concurrency()));
  int patience = 60;
  std::uint64_t seed = std::random_device()();
  std::vector<std::string> names;
  bool list = false;
  CLI::App app{"Forebay under stress"};
  app.add_option("--seconds", seconds, "time for all scenarios together")
      ->check(CLI::PositiveNumber);
  app.add_option("--threads", threads, "threads to use")->check(CLI::Range(1, 1024));
  app.add_option("--seed", seed, "repeats the random choices of a run");
  app.add_option("--scenario", names, "only these; repeatable");
  app.add_option("--patience", patience, "seconds without progress that count as a hang")
      ->check(CLI::PositiveNumber);
  app.add_flag("--list", list, "names the scenarios and ends");
  CLI11_PARSE(app, argc, argv);

  std::vector<Scenario> chosen;
  for (const Scenario& scenario : scenarios()) {
    if (list) std::printf("%-18s %s\n", scenario.name, scenario.what);
    const bool named = std::find(names.begin(), names.end(), scenario.name) != names.end();
    if (names.empty() || named) chosen.push_back(scenario);
  }
  if (list) return 0;
  if (!names.empty() && chosen.size() != names.size()) {
    std::fprintf(stderr, "forebay-stress: unknown scenario; see --list\n");
    return 2;
  }
  std::printf("seed %llu, %d threads, %g s\n", static_cast<unsigned long long>(seed), threads,
              seconds);
  bool passed = true;
  for (const Scenario& scenario : chosen) {
    passed &=
        run_one(scenario, seed, threads, seconds / static_cast<double>(chosen.size()), patience);
  }
  std::printf("%s, seed %llu\n", passed ? "PASSED" : "FAILED",
              static_cast<unsigned long long>(seed));
  return passed ? 0 : 1;
}
