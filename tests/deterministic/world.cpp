// SPDX-License-Identifier: Apache-2.0

// What the library asks of the machine besides the policy: the clock, the number of CPUs, and what
// to do with a contract that was broken. The linker puts each of these functions in the place of
// the library's; see CMakeLists.txt.

#include <cerrno>
#include <chrono>
#include <system_error>

#include "forebay/detail/atomic.h"

namespace forebay::deterministic {

using SteadyTime = std::chrono::steady_clock::time_point;

SteadyTime wrapped_now() noexcept asm("__wrap__ZNSt6chrono3_V212steady_clock3nowEv");
SteadyTime real_now() noexcept asm("__real__ZNSt6chrono3_V212steady_clock3nowEv");
int wrapped_cpu_count() noexcept asm("__wrap__ZN7forebay6detail16usable_cpu_countEv");
[[noreturn]] void wrapped_violation(const char* rule, const char* file, int line) noexcept
    asm("__wrap__ZN7forebay6detail18contract_violationEPKcS2_i");

SteadyTime wrapped_now() noexcept {
  Scheduler* const scheduler = Scheduler::running();
  return scheduler != nullptr ? SteadyTime(std::chrono::nanoseconds(scheduler->now())) : real_now();
}

int wrapped_cpu_count() noexcept { return 2; }

void wrapped_violation(const char* rule, const char*, int) noexcept { fail(rule); }

}  // namespace forebay::deterministic

namespace forebay::deterministic {

std::size_t Thread::begin(std::function<void()> body) {
  Scheduler& scheduler = *Scheduler::running();
  scheduler.step("thread", Site::current());
  if (scheduler.random().one_in(refused_once_in)) {
    throw std::system_error(EAGAIN, std::system_category(), "thread");
  }
  return scheduler.spawn("thread", std::move(body));
}

}  // namespace forebay::deterministic
