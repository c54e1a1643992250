// SPDX-License-Identifier: Apache-2.0

// EventCount: a wait ends for its reason and for no other, and a callback runs once.

#include "forebay/event_count.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <stop_token>
#include <thread>

#include "forebay/spsc_queue.h"
#include "unit/core/support.h"

namespace forebay::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kNever = [] { return false; };
constexpr auto kAlready = [] { return true; };

/// Parks at once, so that a test can wait until its waiter sleeps.
struct Parking {
  EventCount event{0};
  std::atomic<bool> flag{false};

  // Until the waiter, which is the only other thread that does anything, sleeps in the kernel.
  void await_parked(std::uint64_t parks = 1) {
    eventually([&] { return event.stats().parks >= parks && others_sleep(); });
  }
  WaitStatus await(Deadline deadline = Deadline::never(), std::stop_token stop = {}) {
    return event.await([this] { return flag.load(std::memory_order_acquire); }, deadline, stop);
  }
  void set() { flag.store(true, std::memory_order_release); }
};

TEST(EventCount, DoesNotWaitForWhatHoldsAlready) {
  EventCount event;
  EXPECT_EQ(event.await(kAlready), WaitStatus::ready);
  EXPECT_EQ(event.stats().waits, 0U);
}

TEST(EventCount, WakesAWaiterThatSleeps) {
  Parking parking;
  WaitStatus status = WaitStatus::stopped;
  {
    std::jthread waiter([&] { status = parking.await(); });
    parking.await_parked();
    parking.set();
    parking.event.notify();
  }
  EXPECT_EQ(status, WaitStatus::ready);
  EXPECT_EQ(parking.event.stats().waits, 1U);
  EXPECT_GT(parking.event.stats().waited_ns, 0U);
  EXPECT_FALSE(parking.event.has_waiter());
}

TEST(EventCount, SleepsOnAfterANotifyWithoutTheCondition) {
  Parking parking;
  {
    std::jthread waiter([&] { EXPECT_EQ(parking.await(), WaitStatus::ready); });
    parking.await_parked();
    parking.event.notify();
    eventually([&] { return parking.event.stats().spurious_wakes == 1; });
    parking.await_parked();
    parking.set();
    parking.event.notify();
  }
  EXPECT_GE(parking.event.stats().spurious_wakes, 1U);
}

TEST(EventCount, TimesOutNotBeforeTheDeadline) {
  EventCount event{0};
  const auto began = Deadline::clock::now();
  EXPECT_EQ(event.await(kNever, Deadline::after(20ms)), WaitStatus::timed_out);
  EXPECT_GE(Deadline::clock::now() - began, 20ms);
  EXPECT_FALSE(event.has_waiter());
}

TEST(EventCount, SpinsBeforeItParks) {
  if (detail::usable_cpu_count() < 2) GTEST_SKIP() << "nobody spins on one CPU";
  EventCount event{1'000'000'000};
  int looks = 0;
  // Nobody notifies: whoever parked would not come back.
  EXPECT_EQ(event.await([&] { return ++looks > 100; }), WaitStatus::ready);
  EXPECT_EQ(event.stats().waits, 1U);
  EXPECT_EQ(event.stats().parks, 0U);
}

TEST(EventCount, PinnedThreadSpinsToo) {
  if (detail::usable_cpu_count() < 2) GTEST_SKIP() << "nobody spins on one CPU";
  cpu_set_t usable;
  ASSERT_EQ(sched_getaffinity(0, sizeof usable, &usable), 0);
  int cpu = 0;
  while (!CPU_ISSET(cpu, &usable)) ++cpu;
  std::thread pinned([cpu] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_GE(detail::usable_cpu_count(), 2);
    EventCount event{1'000'000'000};
    int looks = 0;
    EXPECT_EQ(event.await([&] { return ++looks > 100; }), WaitStatus::ready);
    EXPECT_EQ(event.stats().parks, 0U);
  });
  pinned.join();
}

/// Waits once, for as short a time as counts: a deadline that has passed already is no wait.
template <class Condition>
WaitStatus wait_shortly(EventCount& event, Condition&& condition) {
  const std::uint64_t waits = event.stats().waits;
  for (;;) {
    const WaitStatus status = event.await(condition, Deadline::after(1us));
    if (event.stats().waits != waits) return status;
  }
}

/// A wait that ends while spinning, where there is a window, and sleeps where there is none. True
/// when it spun.
bool spins(EventCount& event) {
  const std::uint64_t waits = event.stats().waits;
  const std::uint64_t parks = event.stats().parks;
  int looks = 0;
  // Of the looks once the wait counts, the second is a spin's, or the one after a sleep.
  const auto second = [&] { return event.stats().waits != waits && ++looks > 1; };
  EXPECT_EQ(wait_shortly(event, second), WaitStatus::ready);
  return event.stats().parks == parks;
}

void sleep_until_the_window_closes(EventCount& event) {
  // Each halves it: ten are enough for a microsecond.
  for (int i = 0; i < 10; ++i) ASSERT_EQ(wait_shortly(event, kNever), WaitStatus::timed_out);
}

TEST(EventCount, SpinsOnAfterOneSleep) {
  if (detail::usable_cpu_count() < 2) GTEST_SKIP() << "nobody spins on one CPU";
  EventCount event{1'000};
  ASSERT_EQ(wait_shortly(event, kNever), WaitStatus::timed_out);
  EXPECT_EQ(event.stats().parks, 1U);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(spins(event)) << i;
}

TEST(EventCount, ParksAtOnceWhenEachWaitHasSlept) {
  EventCount event{1'000};
  sleep_until_the_window_closes(event);
  EXPECT_FALSE(spins(event));
}

TEST(EventCount, NoticesThatGapsHaveBecomeShort) {
  if (detail::usable_cpu_count() < 2) GTEST_SKIP() << "nobody spins on one CPU";
  EventCount event{1'000};
  sleep_until_the_window_closes(event);
  int until_it_spins = 0;
  while (!spins(event)) ASSERT_LT(++until_it_spins, 32);
  EXPECT_GT(until_it_spins, 0);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(spins(event)) << i;
}

TEST(EventCount, LooksOnceMoreAfterTheDeadline) {
  EventCount event{0};
  const Deadline deadline = Deadline::after(20ms);
  // Nobody notifies: that it holds can be seen only by a look after the time-out.
  EXPECT_EQ(event.await([&] { return deadline.passed(); }, deadline), WaitStatus::ready);
  EXPECT_FALSE(event.has_waiter());
}

TEST(EventCount, TriesOnceWhenTheDeadlineHasPassed) {
  EventCount event;
  int looks = 0;
  const auto look = [&] { return ++looks > 1; };
  EXPECT_EQ(event.await(look, Deadline::after(0ms)), WaitStatus::timed_out);
  EXPECT_EQ(looks, 1);
  looks = 0;
  EXPECT_EQ(event.await(look, Deadline::after(-1s)), WaitStatus::timed_out);
  EXPECT_EQ(looks, 1);
  looks = 0;
  EXPECT_EQ(event.await(look, Deadline::at(Deadline::time_point::min())), WaitStatus::timed_out);
  EXPECT_EQ(looks, 1);
  EXPECT_EQ(event.stats().waits, 0U);
}

TEST(EventCount, ReportsAConditionThatHoldsAtTheDeadlineAsReady) {
  EventCount event;
  EXPECT_EQ(event.await(kAlready, Deadline::after(-1s)), WaitStatus::ready);
}

TEST(EventCount, TakesADeadlineBeyondTheClockForNever) {
  Parking parking;
  std::jthread waiter([&] {
    EXPECT_EQ(parking.await(Deadline::after(std::chrono::hours::max())), WaitStatus::ready);
  });
  parking.await_parked();
  parking.set();
  parking.event.notify();
}

TEST(EventCount, DoesNotWaitWhenStopWasRequestedBefore) {
  EventCount event;
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(event.await(kNever, Deadline::never(), source.get_token()), WaitStatus::stopped);
  EXPECT_EQ(event.stats().waits, 0U);
  EXPECT_EQ(event.await(kAlready, Deadline::never(), source.get_token()), WaitStatus::ready);
}

TEST(EventCount, StopsAWaiterThatSleeps) {
  Parking parking;
  std::stop_source source;
  WaitStatus status = WaitStatus::ready;
  {
    std::jthread waiter([&] { status = parking.await(Deadline::never(), source.get_token()); });
    parking.await_parked();
    source.request_stop();
  }
  EXPECT_EQ(status, WaitStatus::stopped);
  EXPECT_FALSE(parking.event.has_waiter());
}

TEST(EventCount, IgnoresAStopTokenWithoutASource) {
  EventCount event{0};
  EXPECT_EQ(event.await(kNever, Deadline::after(1ms), std::stop_token{}), WaitStatus::timed_out);
}

TEST(EventCount, NotifiesOnlyIfWorthwhile) {
  Parking parking;
  int asked = 0;
  parking.event.notify_if([&] { return ++asked > 0; });
  EXPECT_EQ(asked, 0) << "nobody waits, so nobody is to be asked";
  std::jthread waiter([&] { EXPECT_EQ(parking.await(), WaitStatus::ready); });
  parking.await_parked();
  parking.set();
  parking.event.notify_if([] { return false; });
  EXPECT_TRUE(parking.event.has_waiter());
  parking.event.notify_if([] { return true; });
}

struct Counted {
  int runs = 0;
  static void run(void* context) { ++static_cast<Counted*>(context)->runs; }
};

TEST(EventCountCallback, RunsOnceAtTheNextNotify) {
  EventCount event;
  Counted counted;
  ASSERT_TRUE(event.arm(&Counted::run, &counted, kNever));
  EXPECT_EQ(counted.runs, 0);
  event.notify();
  event.notify();
  EXPECT_EQ(counted.runs, 1);
  EXPECT_FALSE(event.disarm());
}

TEST(EventCountCallback, IsNotArmedWhenTheConditionHolds) {
  EventCount event;
  Counted counted;
  EXPECT_FALSE(event.arm(&Counted::run, &counted, kAlready));
  event.notify();
  EXPECT_EQ(counted.runs, 0);
}

TEST(EventCountCallback, RunsOnceForTwoNotifiersAtTheSameTime) {
  EventCount event;
  int runs = 0;
  ASSERT_TRUE(event.arm([](void* count) { ++*static_cast<int*>(count); }, &runs, kNever));
  // The second comes after the first has looked for a waiter, and before it takes it.
  event.notify_if([&] {
    event.notify();
    EXPECT_EQ(runs, 1);
    return true;
  });
  EXPECT_EQ(runs, 1);
}

TEST(EventCountCallback, CanBeTakenBack) {
  EventCount event;
  Counted counted;
  ASSERT_TRUE(event.arm(&Counted::run, &counted, kNever));
  EXPECT_TRUE(event.disarm());
  EXPECT_FALSE(event.disarm());
  event.notify();
  EXPECT_EQ(counted.runs, 0);
}

TEST(EventCountCallback, CanBeArmedAgain) {
  EventCount event;
  Counted first;
  Counted second;
  ASSERT_TRUE(event.arm(&Counted::run, &first, kNever));
  event.notify();
  ASSERT_TRUE(event.arm(&Counted::run, &second, kNever));
  event.notify();
  EXPECT_EQ(first.runs, 1);
  EXPECT_EQ(second.runs, 1);
}

TEST(EventCountStress, LosesNoWakeBetweenTwoThreadsThatWaitForEachOther) {
  const std::uint64_t kCount = from_environment("FOREBAY_EVENT_ROUNDS", 20'000);
  SpscQueue<std::uint64_t> queue(1);
  EventCount data{0};
  EventCount room{0};
  std::jthread producer([&] {
    for (std::uint64_t i = 0; i < kCount; ++i) {
      ASSERT_EQ(room.await([&] { return queue.has_room(); }), WaitStatus::ready);
      ASSERT_TRUE(queue.try_push(i));
      data.notify();
    }
  });
  for (std::uint64_t i = 0; i < kCount; ++i) {
    ASSERT_EQ(data.await([&] { return queue.front() != nullptr; }), WaitStatus::ready);
    std::uint64_t item = 0;
    ASSERT_TRUE(queue.try_pop(item));
    ASSERT_EQ(item, i);
    queue.flush();
    room.notify();
  }
}

TEST(EventCountStress, LosesNoWakeOfManyNotifiers) {
  constexpr int kNotifiers = 3;
  const int kRounds = static_cast<int>(from_environment("FOREBAY_EVENT_ROUNDS", 5'000));
  EventCount event{0};
  std::atomic<int> count{0};
  std::atomic<int> round{0};
  std::vector<std::jthread> notifiers;
  for (int i = 0; i < kNotifiers; ++i) {
    notifiers.emplace_back([&] {
      for (int mine = 1; mine <= kRounds; ++mine) {
        eventually([&] { return round.load(std::memory_order_acquire) >= mine; });
        count.fetch_add(1, std::memory_order_release);
        event.notify();
      }
    });
  }
  for (int now = 1; now <= kRounds; ++now) {
    round.store(now, std::memory_order_release);
    const auto all = [&] { return count.load(std::memory_order_acquire) == now * kNotifiers; };
    ASSERT_EQ(event.await(all), WaitStatus::ready);
  }
}

#if FOREBAY_CHECKED
TEST(EventCountDeathTest, DiesWhenDestroyedUnderAWaiter) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Parking* const parking = new Parking;
        std::thread([parking] { (void)parking->await(); }).detach();
        parking->await_parked();
        delete parking;
      },
      "contract violation");
}
#endif

}  // namespace
}  // namespace forebay::test
