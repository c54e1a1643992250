// SPDX-License-Identifier: Apache-2.0

// The main function of the benchmark programs: that of Google Benchmark, and rounds.
//
//     --rounds=N        every benchmark once, in random order, and that N times over
//     --seconds_max=S   no round begins later; the first one always runs
//     --out=FILE        all repetitions as JSON of Google Benchmark
//
// Google Benchmark can shuffle repetitions too, but over the whole run, so that the k-th repetition
// of one benchmark may be minutes away from the k-th of another. Here a round is a minute that all
// peers share, and ratios are taken inside it.

#include <benchmark/benchmark.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Run = benchmark::BenchmarkReporter::Run;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Keeps what one round reports.
class Collector final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& report) override {
    for (const Run& run : report) {
      if (run.run_type == Run::RT_Iteration) runs.push_back(run);
    }
  }

  std::vector<Run> runs;
};

// A chain of arithmetic that needs no memory: its time changes with the clock of the processor, and
// with what others take of it. Milliseconds, the middle of three.
double calibration_ms() {
  constexpr int kSteps = 1 << 19;
  std::array<double, 3> ms;
  for (double& one : ms) {
    const Clock::time_point begin = Clock::now();
    std::uint64_t value = 1;
    for (int step = 0; step < kSteps; ++step) value = value * 0x9e3779b97f4a7c15 ^ value >> 29;
    benchmark::DoNotOptimize(value);
    one = seconds_since(begin) * 1e3;
  }
  std::sort(ms.begin(), ms.end());
  return ms[1];
}

struct Options {
  int rounds = 0;
  double seconds_max = 1e9;
  std::string out;
};

/// Returns the runs of all rounds; the calibration of each round goes to the context.
std::vector<Run> run_rounds(const Options& options) {
  const Clock::time_point begin = Clock::now();
  std::vector<Run> runs;
  std::string calibrations;
  int round = 0;
  do {
    calibrations += std::to_string(calibration_ms()) + ' ';
    Collector collector;
    benchmark::RunSpecifiedBenchmarks(&collector);
    for (Run& run : collector.runs) {
      run.repetition_index = round;
      runs.push_back(std::move(run));
    }
    ++round;
    std::printf("round %d of %d, %.1f s\n", round, options.rounds, seconds_since(begin));
    std::fflush(stdout);
  } while (round < options.rounds && seconds_since(begin) < options.seconds_max);
  for (Run& run : runs) run.repetitions = round;
  benchmark::AddCustomContext("rounds", std::to_string(round));
  benchmark::AddCustomContext("calibration_ms", calibrations);
  return runs;
}

void write(const std::string& file, const std::vector<Run>& runs) {
  std::ofstream out(file);
  benchmark::JSONReporter reporter;
  reporter.SetOutputStream(&out);
  reporter.ReportContext(benchmark::BenchmarkReporter::Context());
  reporter.ReportRuns(runs);
  reporter.Finalize();
  out.close();
  if (!out) throw std::runtime_error("cannot write " + file);
}

}  // namespace

int main(int argc, char** argv) {
  // Before anything else sees the arguments: order is random, and repetitions are short, so that
  // all peers see the same minute of the machine. What the caller says of either wins.
  std::string interleave = "--benchmark_enable_random_interleaving=true";
  std::string min_time = "--benchmark_min_time=0.01";  // seconds
  std::vector<char*> arguments(argv, argv + argc);
  arguments.insert(arguments.begin() + 1, {interleave.data(), min_time.data()});
  argc = static_cast<int>(arguments.size());
  benchmark::Initialize(&argc, arguments.data());

  Options options;
  CLI::App app("One layer of the benchmarks; --help lists the options of Google Benchmark as well");
  app.add_option("--rounds", options.rounds, "every benchmark once, in random order, N times over")
      ->check(CLI::Range(1, 1000));
  app.add_option("--seconds_max", options.seconds_max, "no round begins later");
  app.add_option("--out", options.out, "all repetitions, as JSON");
  CLI11_PARSE(app, argc, arguments.data());
  try {
    if (options.rounds == 0) {
      benchmark::RunSpecifiedBenchmarks();
      return 0;
    }
    const std::vector<Run> runs = run_rounds(options);
    if (!options.out.empty()) write(options.out, runs);
    int errors = runs.empty() ? 1 : 0;
    for (const Run& run : runs) {
      if (!run.error_occurred) continue;
      std::fprintf(stderr, "%s: %s\n", run.benchmark_name().c_str(), run.error_message.c_str());
      ++errors;
    }
    return errors == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", arguments[0], error.what());
    return 1;
  }
}
