// SPDX-License-Identifier: Apache-2.0
#pragma once

// Runs scenarios, one seed after the other, and says what came of it.

#include <cstdint>
#include <string>
#include <string_view>

namespace forebay::deterministic {

/// What is to be run.
struct Selection {
  std::string scenario;     // empty: all of them
  std::uint64_t first = 1;  // the first seed
  std::uint64_t count = 0;  // unit-sized seeds; one whole session for ten of them; 0: by is_long
  bool is_long = false;
};

[[nodiscard]] bool is_scenario(std::string_view name) noexcept;
void list_scenarios();

/// A crash says which seed it was, as a failure does.
void report_crashes();

/// Runs all of it; the first failure ends the program with status 1.
int run_selection(const Selection& selection);

/// Runs one scenario with so many seeds.
void run_seeds(std::string_view scenario, std::uint64_t first, std::uint64_t count);

}  // namespace forebay::deterministic
