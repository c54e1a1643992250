// SPDX-License-Identifier: Apache-2.0

// Threads that sleep until another wakes them, and that other soon after: two that take turns, on
// one processor and on two, and one that several wake. A wake that is lost ends at the deadline.

#include <sched.h>

#include <thread>

#include "scenario.h"

namespace forebay::stress {

namespace {

constexpr std::uint64_t kTurns = 2000;

// Keeps the calling thread on one processor; where that is not allowed, it runs anywhere.
void stay_on(int processor) {
  cpu_set_t all;
  if (sched_getaffinity(0, sizeof all, &all) != 0) return;
  for (int cpu = 0, left = processor; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &all) || left-- != 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

// The turn passes from one to the other; whose turn it is not sleeps.
struct Table {
  EventCount woken[2] = {EventCount(0), EventCount(0)};
  std::atomic<std::uint64_t> turn{0};
  std::atomic<bool> over{false};

  // Throws when a wake was lost. False when the other has given up.
  bool await(EventCount& event, Run& run, const auto& condition) {
    const auto holds = [&] { return over.load(std::memory_order_relaxed) || condition(); };
    const Deadline deadline = Deadline::after(run.patience());
    const WaitStatus status = event.await(holds, deadline);
    if (status != WaitStatus::ready || deadline.passed()) {
      over = true;
      throw Failure("a wake was lost: a thread slept until its deadline");
    }
    return !over.load(std::memory_order_relaxed);
  }
};

void take_turns(Run& run, bool one_processor) {
  Table table;
  const Run::Watched watched(run, [&table] {
    return "turn " + std::to_string(table.turn.load(std::memory_order_relaxed));
  });
  run.on_threads(2, [&](int me) {
    const auto mine = static_cast<std::uint64_t>(me);
    if (one_processor) stay_on(0);
    for (std::uint64_t turn = mine; turn < kTurns; turn += 2) {
      if (!table.await(table.woken[mine], run,
                       [&] { return table.turn.load(std::memory_order_acquire) == turn; })) {
        return;
      }
      table.turn.store(turn + 1, std::memory_order_release);
      table.woken[1 - mine].notify();
    }
  });
  require(table.turn == kTurns, "a turn was lost");
  for (const EventCount& woken : table.woken) run.count(Counted::parks, woken.stats().parks);
  run.checked();
}

// Several notifiers raise a number, one waiter sleeps until it sees each of them move.
void many_notifiers(Run& run, int notifiers) {
  Table table;
  std::atomic<std::uint64_t> seen{0};
  run.on_threads(notifiers + 1, [&](int me) {
    EventCount& raised = table.woken[0];
    if (me == notifiers) {
      for (std::uint64_t last = 0; last < kTurns; seen.store(last, std::memory_order_release)) {
        if (!table.await(raised, run,
                         [&] { return table.turn.load(std::memory_order_acquire) != last; })) {
          return;
        }
        last = table.turn.load(std::memory_order_acquire);
      }
      return;
    }
    for (;;) {
      const std::uint64_t turn = table.turn.fetch_add(1, std::memory_order_acq_rel) + 1;
      raised.notify();
      if (turn >= kTurns || table.over) return;
      // Until the waiter is about to sleep again.
      while (seen.load(std::memory_order_acquire) < turn && !table.over) std::this_thread::yield();
    }
  });
  run.count(Counted::parks, table.woken[0].stats().parks);
  run.checked();
}

}  // namespace

void parks(Run& run) {
  Random random = run.random(0);
  while (!run.expired()) {
    switch (pick(random, 8)) {
      case 0:
        take_turns(run, false);
        break;
      case 1:
        many_notifiers(run, std::max(1, run.threads() - 1));
        break;
      default:
        take_turns(run, true);  // Cheapest, and so most of them.
    }
  }
}

}  // namespace forebay::stress
