// SPDX-License-Identifier: Apache-2.0
#include "forebay/detail/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstdlib>

#include "forebay/detail/assert.h"
#include "forebay/detail/process.h"

namespace forebay::detail {

namespace {

// futex and membarrier have no wrapper in glibc.
long membarrier(int command) noexcept { return syscall(SYS_membarrier, command, 0U, 0); }

int count_usable_cpus() noexcept {
  cpu_set_t set;
  // Fails where the kernel knows of more CPUs than the set has room for.
  if (sched_getaffinity(0, sizeof set, &set) != 0) return std::max(1, get_nprocs());
  return CPU_COUNT(&set);
}

int g_usable_cpus = 1;

}  // namespace

bool register_asymmetric_barriers() noexcept {
  const long commands = membarrier(MEMBARRIER_CMD_QUERY);
  return commands > 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0 &&
         membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
}

bool g_asymmetric_barriers = false;
std::uint32_t g_forks = 0;

// Before any other initializer of the program, and so before the first stream: both sides of a
// barrier agree on its kind, and the CPUs are those of the process: a thread that was pinned since
// would count its own.
[[gnu::constructor(101)]] void look_at_the_process() noexcept {
  g_usable_cpus = count_usable_cpus();
  g_asymmetric_barriers = register_asymmetric_barriers();
  // Fails only without memory for the handler; then a child is not told from its parent.
  (void)::pthread_atfork(nullptr, nullptr, [] {
    ++g_forks;
    // The child's own streams need it again; whether it was inherited is not documented.
    if (g_asymmetric_barriers) (void)register_asymmetric_barriers();
  });
}

void process_barrier() noexcept {
  // ENOMEM is the one error left after registration; it passes.
  while (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0 && errno == ENOMEM) sched_yield();
}

bool futex_wait(const std::uint32_t* word, std::uint32_t expected, Deadline deadline) noexcept {
  timespec until{};
  const timespec* timeout = nullptr;
  if (!deadline.is_never()) {
    const auto since_boot =
        std::chrono::duration_cast<std::chrono::nanoseconds>(deadline.when().time_since_epoch());
    if (since_boot.count() <= 0) return false;
    until.tv_sec = static_cast<time_t>(since_boot.count() / 1'000'000'000);
    until.tv_nsec = static_cast<long>(since_boot.count() % 1'000'000'000);
    timeout = &until;
  }
  // FUTEX_WAIT_BITSET takes an absolute time on CLOCK_MONOTONIC, which is std's steady clock.
  const long result = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected, timeout,
                              nullptr, FUTEX_BITSET_MATCH_ANY);
  return result == 0 || errno != ETIMEDOUT;
}

void futex_wake(const std::uint32_t* word) noexcept {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

int usable_cpu_count() noexcept { return g_usable_cpus; }

void contract_violation(const char* rule, const char* file, int line) noexcept {
  std::fprintf(stderr, "forebay: contract violation: %s (%s:%d)\n", rule, file, line);
  std::abort();
}

}  // namespace forebay::detail
