// SPDX-License-Identifier: Apache-2.0
#pragma once

// Leaves preemptions out of the complete searches that can make no difference.
//
// An operation on a variable that no other thread writes, or that no other thread touches, commutes
// with everything the others do: whether a thread is preempted before it or before its next
// operation is the same run. Which source lines do nothing else is learned from random schedules,
// and every schedule of the search that follows is held against it: where one finds a line that
// touches what another thread touches, the search is made again with what it found. The making and
// the destruction of a variable count as writes of it.

#include <bit>
#include <cstdint>

#include "relacy.h"
#include "site.h"

namespace forebay::model {

enum class Reduction { off, learn, use };
inline Reduction g_reduction = Reduction::off;
/// Whether the threads of a test run, not what is before and after them, beside which nothing is.
inline bool g_threads_run = false;

/// The source lines with an operation, found by hashing; fixed memory, as in site.h.
class Lines {
 public:
  static constexpr unsigned kMax = 512;
  static constexpr unsigned kNone = kMax;

  unsigned index_of(const Site& site) noexcept {
    const auto file = reinterpret_cast<std::uintptr_t>(site.file_name());
    unsigned at = static_cast<unsigned>(file ^ (site.line() * 31U + site.column())) % kMax;
    for (unsigned tried = 0; tried < kMax; ++tried, at = (at + 1) % kMax) {
      Line& line = lines_[at];
      if (line.file == nullptr) line = {site.file_name(), site.line(), site.column()};
      if (line.file == site.file_name() && line.line == site.line() &&
          line.column == site.column()) {
        return at;
      }
    }
    std::fprintf(stderr, "more than %u source lines with an operation\n", kMax);
    std::abort();
  }

  [[nodiscard]] bool shared(unsigned line) const noexcept { return lines_[line].shared; }
  void found_shared(unsigned line) noexcept { lines_[line].found_shared = true; }

  /// Takes over what was found; between searches, since one search must not change its mind. True
  /// when that is something new.
  bool take_over() noexcept {
    bool any = false;
    for (Line& line : lines_) {
      any = any || line.shared != line.found_shared;
      line.shared = line.found_shared;
    }
    return any;
  }
  void forget() noexcept {
    for (Line& line : lines_) line = Line();
  }

 private:
  struct Line {
    const char* file = nullptr;
    unsigned line = 0;
    unsigned column = 0;
    bool shared = false;
    bool found_shared = false;
  };
  Line lines_[kMax];
};
inline Lines g_lines;

/// Who touched one variable, and from where.
class Touches {
 public:
  /// Notes that the present thread touches the variable. True when nothing can depend on when.
  bool note(bool writes, const Site& site) noexcept {
    if (g_reduction == Reduction::off || !g_threads_run) return false;
    const unsigned line = g_lines.index_of(site);
    lines_[line / 64] |= std::uint64_t{1} << line % 64;
    note(writes);
    return g_reduction == Reduction::use && !g_lines.shared(line);
  }
  void note(bool writes) noexcept {
    if (g_reduction == Reduction::off || !g_threads_run) return;
    const std::uint32_t self = std::uint32_t{1} << rl::ctx().current_thread();
    threads_ |= self;
    written_ = written_ || writes;
    if (!written_ || threads_ == self) return;
    for (unsigned i = 0; i < Lines::kMax / 64; ++i) {
      for (std::uint64_t left = lines_[i]; left != 0; left &= left - 1) {
        g_lines.found_shared(64 * i + static_cast<unsigned>(std::countr_zero(left)));
      }
      lines_[i] = 0;
    }
  }

 private:
  std::uint32_t threads_ = 0;
  bool written_ = false;
  std::uint64_t lines_[Lines::kMax / 64] = {};
};

}  // namespace forebay::model
