// SPDX-License-Identifier: Apache-2.0
#include "controls.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <string>

#include "faults.h"
#include "runner.h"

namespace forebay::deterministic {

namespace {

struct Control {
  const char* name;
  const char* scenario;  // which is to find it
  Effect effect;
  const char* file;  // in the sources
  const char* text;  // of the line: exactly one has it
};

constexpr std::uint64_t kSeedsMax = 50'000;

constexpr std::array kControls = {
    Control{"a wake that is not given", "event_count", Effect::left_out,
            "include/forebay/event_count.h", "P::futex_wake(word_);"},
    Control{"a waiter that looks before its flag is seen", "event_count", Effect::left_out,
            "include/forebay/event_count.h",
            "P::heavy_barrier();  // (H1) pairs with the light "
            "barrier (L1): flag before the last look."},
    Control{"a callback that is armed after the look", "event_count", Effect::left_out,
            "include/forebay/event_count.h",
            "P::heavy_barrier();  // (H1) pairs with the light "
            "barrier (L1): armed before the last look."},
    Control{"slots that are not given back", "stream", Effect::left_out,
            "include/forebay/spsc_queue.h",
            "given_back_.store(2 * consumer_.position + (left ? 1 : 0), detail::release);"},
    Control{"an end that is published after its wake", "stream", Effect::late,
            "include/forebay/detail/stream_shared.h", "end.store(kind, release);"},
    Control{"a cancel that nobody sees", "stream_ends", Effect::left_out,
            "include/forebay/detail/stream_shared.h",
            "cancelled.store(1, relaxed);  // Relaxed: the barriers order it."},
    Control{"a stream that is let go of twice", "stream", Effect::twice,
            "include/forebay/detail/stream_shared.h", "if (references.fetch_sub(1, acq_rel) == 1)"},
    Control{"memory that is not on the books any more", "stream", Effect::left_out,
            "include/forebay/detail/account.h", "released_by_others_.fetch_add(bytes, release);"},
    Control{"a guard that is dropped twice", "epochs", Effect::twice,
            "include/forebay/detail/epoch_node.h",
            "return count.fetch_sub(held, acq_rel) == held;"},
    Control{"a guard that is dropped and counts", "epochs", Effect::left_out,
            "include/forebay/detail/epoch_node.h",
            "return count.fetch_sub(held, acq_rel) == held;"},
    Control{"a copy of a guard that does not count", "epochs", Effect::left_out,
            "include/forebay/epoch.h", "node_->count.fetch_add(1, detail::relaxed);"},
    Control{"credit that is not given back", "pool", Effect::left_out,
            "include/forebay/detail/credit_gate.h", "credit_.fetch_add(amount, relaxed);"},
    Control{"a share that does not count", "stream", Effect::left_out, "lib/core/shared_bytes.cpp",
            "block->holders.fetch_add("},
    Control{"a receiving role that is not given back", "session", Effect::left_out,
            "include/forebay/detail/role_token.h", "holder_.store(kReader, release);"},
};

// The number of the one line that has the text; 0 when it is not one.
unsigned find_line(const Control& control) {
  std::ifstream file(std::string(FOREBAY_SOURCE_DIR "/") + control.file);
  unsigned found = 0;
  unsigned number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.find(control.text) == std::string::npos) continue;
    if (found != 0) return 0;
    found = number;
  }
  return found;
}

// What the process that ran with the fault wrote, and whether it failed as a run does.
bool is_found(const Control& control, unsigned line, std::string& said) {
  int ends[2];
  if (::pipe(ends) != 0) return false;
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return false;
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    const std::string path = control.file;
    g_fault = {control.effect, line, path.substr(path.rfind('/') + 1)};
    run_seeds(control.scenario, 1, kSeedsMax);
    ::_exit(0);
  }
  ::close(ends[1]);
  std::array<char, 4096> part;
  for (ssize_t size = 0; (size = ::read(ends[0], part.data(), part.size())) > 0;) {
    said.append(part.data(), static_cast<std::size_t>(size));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

}  // namespace

int run_controls() {
  int found = 0;
  for (const Control& control : kControls) {
    const unsigned line = find_line(control);
    if (line == 0) {
      std::printf("%s: not one line of %s has \"%s\"\n", control.name, control.file, control.text);
      continue;
    }
    std::string said;
    if (!is_found(control, line, said)) {
      std::printf("%s (%s:%u): NOT FOUND by %s in %llu seeds\n", control.name, control.file, line,
                  control.scenario, static_cast<unsigned long long>(kSeedsMax));
      continue;
    }
    ++found;
    // What failed, and the seed.
    const std::size_t first = said.find('\n');
    const std::size_t second = said.find('\n', first + 1);
    std::printf("%s (%s:%u):\n  %s\n", control.name, control.file, line,
                said.substr(0, second).c_str());
  }
  std::printf("deterministic: %d of %zu planted faults found\n", found, kControls.size());
  return found == static_cast<int>(kControls.size()) ? 0 : 1;
}

}  // namespace forebay::deterministic
