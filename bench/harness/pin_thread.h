// SPDX-License-Identifier: Apache-2.0
#pragma once

// Pinning, so that every peer of a benchmark runs on the same two cores and none is moved while it
// is measured.

#include <sched.h>

#include <cerrno>
#include <system_error>

namespace forebay::bench {

/// Pins the calling thread to the `core`-th of the CPUs that the process was started on, counted
/// from 0 and round again where there are fewer. Throws std::system_error.
inline void pin_this_thread(int core) {
  // What the process may use is asked once, by the first thread, before it is pinned itself.
  static const cpu_set_t allowed = [] {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
      throw std::system_error(errno, std::generic_category(), "sched_getaffinity");
    }
    return set;
  }();
  int skip = core % CPU_COUNT(&allowed);
  int cpu = 0;
  while (!CPU_ISSET(cpu, &allowed) || skip-- > 0) ++cpu;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0) {
    throw std::system_error(errno, std::generic_category(), "sched_setaffinity");
  }
}

}  // namespace forebay::bench
