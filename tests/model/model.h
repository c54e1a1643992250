// SPDX-License-Identifier: Apache-2.0
#pragma once

// The main program of a model: runs its tests under the random and the complete bounded search.
//
//     struct Order : Test<Order, 2> { static constexpr const char* kName = "order"; ... };
//     int main(int argc, char** argv) { return run_models<Order>("spsc_queue", argc, argv); }
//
//     --iterations N            random schedules per test (300,000)
//     --first N                 number of the first random schedule, which is its seed
//     --search random|bounded   one search instead of both
//     --only TEXT               tests whose name contains it
//     --long                    ten times the schedules, and kPreemptionsLong
//     --preemptions N           the bound of the complete search, for every test
//     --list-sites              prints file:line.column, operation and ordering of each line met
//     --weaken FILE:LINE[.COLUMN][:TO]
//                               TO (relaxed) in place of the ordering there
//
// The exit status is 0 when every schedule passed, 1 when one failed, 2 for wrong arguments.

#include <sstream>
#include <string_view>
#include <typeinfo>

#include "model_policy.h"

#define MODEL_CHECK(condition) RL_ASSERT(condition)

namespace forebay::model {

/// Base of a test of `kThreads` threads: thread(unsigned), and before() and after() around it.
template <class Derived, int kThreads>
struct Test : rl::test_suite<Derived, kThreads> {
  static constexpr unsigned kPreemptions = 2;  ///< bound of the complete search; 0: none
  /// The same for --long; 0: kPreemptions.
  static constexpr unsigned kPreemptionsLong = 0;
};

/// Random schedules before a complete search, see reduction.h.
inline constexpr rl::iteration_t kLearningSchedules = 5'000;

/// A test that says when its threads run.
template <class T>
struct Phased : T {
  Phased() { g_threads_run = false; }
  void before() {
    T::before();
    g_threads_run = true;
  }
  void after() {
    g_threads_run = false;
    T::after();
  }
};

struct Options {
  rl::iteration_t iterations = 300'000;
  rl::iteration_t first = 1;
  bool random = true;
  bool bounded = true;
  bool is_long = false;
  unsigned preemptions = 0;  // 0: as each test says
  std::string only;
};

/// Output that goes nowhere: Relacy's own progress lines.
inline std::ostream& nowhere() {
  static std::ostream stream(nullptr);
  return stream;
}

template <class T>
bool run_search(rl::test_params params, const char* search, const char* name,
                rl::iteration_t& schedules) {
  constexpr int kThreads = T::params::thread_count;
  const auto run = [](rl::test_params& p, std::ostringstream& state, bool again) {
    rl::ostringstream out;
    rl::test_result_e result;
    if (p.search_type == rl::sched_random) {
      result = rl::run_test<Phased<T>, rl::random_scheduler<kThreads>>(p, out, again);
    } else {
      result = rl::run_test<Phased<T>, rl::context_bound_scheduler<kThreads>>(p, out, again);
    }
    state << out.str().c_str();
    return result;
  };
  const rl::iteration_t first =
      params.initial_state.empty() ? 1 : std::strtoull(params.initial_state.c_str(), nullptr, 10);
  const auto began = std::chrono::steady_clock::now();
  std::ostringstream state;
  const rl::test_result_e result = run(params, state, false);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  const rl::iteration_t count = params.stop_iteration - first + 1;
  schedules += count;
  std::printf("%-36s %-8s %9llu schedules %6.1f s  %s\n", name, search,
              static_cast<unsigned long long>(count), seconds,
              result == rl::test_result_success ? "ok" : rl::test_result_str(result));
  std::fflush(stdout);
  if (result == rl::test_result_success) return true;
  if (g_weakening.line == 0) {
    // The same schedule once more, this time written down.
    rl::test_params again = params;
    again.initial_state = state.str().c_str();
    again.collect_history = true;
    std::ostringstream ignored;
    run(again, ignored, true);
  }
  return false;
}

/// Learns which lines a preemption makes no difference to. False when a schedule failed.
template <class T>
bool learn_lines(rl::test_params params) {
  rl::iteration_t schedules = 0;
  params.search_type = rl::sched_random;
  params.iteration_count = kLearningSchedules;
  g_lines.forget();
  g_reduction = Reduction::learn;
  g_threads_run = false;
  const bool passed = run_search<T>(params, "learning", T::kName, schedules);
  g_reduction = Reduction::off;
  g_lines.take_over();
  return passed;
}

template <class T>
bool run_test(const Options& options, rl::iteration_t& schedules) {
  const char* const name = T::kName;
  if (std::string_view(name).find(options.only) == std::string_view::npos) return true;
  rl::test_params params;
  params.progress_stream = &nowhere();
  params.execution_depth_limit = 4000;
  params.test_name = name;
  if (options.random) {
    params.search_type = rl::sched_random;
    params.iteration_count = options.first - 1 + options.iterations;
    if (options.first != 1) {
      params.initial_state = std::to_string(options.first).c_str();
    }
    if (!run_search<T>(params, "random", name, schedules)) return false;
  }
  unsigned preemptions = T::kPreemptions;
  if (options.is_long && T::kPreemptionsLong != 0) preemptions = T::kPreemptionsLong;
  if (options.preemptions != 0) preemptions = options.preemptions;
  if (options.bounded && preemptions > 0) {
    params.search_type = rl::sched_bound;
    params.context_bound = preemptions;
    params.initial_state.clear();
    const std::string bound = "within " + std::to_string(preemptions);
    if (!learn_lines<T>(params)) return false;
    do {
      g_reduction = Reduction::use;
      const bool passed = run_search<T>(params, bound.c_str(), name, schedules);
      g_reduction = Reduction::off;
      if (!passed) return false;
    } while (g_lines.take_over());
  }
  return true;
}

inline bool parse_weakening(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return false;
  g_weakening.file = text.substr(0, colon);
  char* end = nullptr;
  g_weakening.line = static_cast<unsigned>(std::strtoul(text.c_str() + colon + 1, &end, 10));
  if (g_weakening.line == 0) return false;
  if (*end == '.') g_weakening.column = static_cast<unsigned>(std::strtoul(end + 1, &end, 10));
  if (*end == '\0') return true;
  for (const std::memory_order order : {std::memory_order_relaxed, std::memory_order_acquire,
                                        std::memory_order_release, std::memory_order_acq_rel}) {
    if (std::string_view(end) == std::string(":") + name_of(order)) {
      g_weakening.to = order;
      return true;
    }
  }
  return false;
}

inline bool parse(Options& options, int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--list-sites") {
      g_list_sites = true;
      continue;
    }
    if (flag == "--long") {
      options.is_long = true;
      options.iterations *= 10;
      continue;
    }
    if (++i == argc) return false;
    const std::string value = argv[i];
    if (flag == "--iterations") {
      options.iterations = std::strtoull(value.c_str(), nullptr, 10);
    } else if (flag == "--first") {
      options.first = std::strtoull(value.c_str(), nullptr, 10);
    } else if (flag == "--preemptions") {
      options.preemptions = static_cast<unsigned>(std::strtoul(value.c_str(), nullptr, 10));
    } else if (flag == "--only") {
      options.only = value;
    } else if (flag == "--search" && (value == "random" || value == "bounded")) {
      options.random = value == "random";
      options.bounded = value == "bounded";
    } else if (flag != "--weaken" || !parse_weakening(value)) {
      return false;
    }
  }
  return options.iterations > 0 && options.first > 0;
}

template <class... Tests>
int run_models(const char* model, int argc, char** argv) {
  Options options;
  if (!parse(options, argc, argv)) {
    std::fprintf(stderr,
                 "usage: %s [--iterations N] [--first N] [--search random|bounded] [--only TEXT]\n"
                 "       [--long] [--preemptions N] [--list-sites]\n"
                 "       [--weaken FILE:LINE[.COLUMN][:TO]]\n",
                 argv[0]);
    return 2;
  }
  rl::iteration_t schedules = 0;
  const bool passed = (run_test<Tests>(options, schedules) && ...);
  std::printf("%s: %llu schedules, %s\n", model, static_cast<unsigned long long>(schedules),
              passed ? "all passed" : "FAILED");
  for (int i = 0; i < g_seen_site_count; ++i) {
    const SeenSite& seen = g_seen_sites[i];
    std::printf("site %s:%u.%u %s %s\n", base_name(seen.site.file_name()), seen.site.line(),
                seen.site.column(), seen.operation, seen.ordering);
  }
  return passed ? 0 : 1;
}

}  // namespace forebay::model
