// SPDX-License-Identifier: Apache-2.0

// The program of the deterministic tests:
//
//     forebay-deterministic                           the quick set
//     forebay-deterministic --long                    the thorough set
//     forebay-deterministic --scenario NAME           one scenario (--list names them)
//     forebay-deterministic --seeds FROM COUNT        so many seeds instead
//     forebay-deterministic --seed N                  one seed; what a failure says to run
//     forebay-deterministic --controls                plants each fault, and expects to find it
//
// Exit status 0 when every run kept its laws, 1 when one did not, 2 for wrong arguments.

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>

#include "controls.h"
#include "network.h"
#include "runner.h"

namespace {

using namespace forebay::deterministic;

[[noreturn]] void wrong_arguments() {
  std::fprintf(stderr,
               "usage: forebay-deterministic [--long] [--scenario NAME] [--seed N | --seeds FROM "
               "COUNT] [--controls] [--list]\n");
  std::exit(2);
}

std::uint64_t number(const char* text) {
  char* end = nullptr;
  const std::uint64_t value = std::strtoull(text, &end, 10);
  if (end == text || *end != '\0') wrong_arguments();
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  Selection selection;
  bool controls = false;
  const std::span<char*> words(argv, static_cast<std::size_t>(argc));
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const auto next = [&] { return ++i < words.size() ? words[i] : (wrong_arguments(), nullptr); };
    if (word == "--long") {
      selection.is_long = true;
    } else if (word == "--scenario") {
      selection.scenario = next();
      if (!is_scenario(selection.scenario)) wrong_arguments();
    } else if (word == "--seed") {
      selection.first = number(next());
      selection.count = 1;
    } else if (word == "--seeds") {
      selection.first = number(next());
      selection.count = number(next());
    } else if (word == "--controls") {
      controls = true;
    } else if (word == "--list") {
      list_scenarios();
      return 0;
    } else {
      wrong_arguments();
    }
  }
  report_crashes();
  return controls ? run_controls() : run_selection(selection);
}
