// SPDX-License-Identifier: Apache-2.0

// CreditGate: credit is neither lost nor made, who waits is served in order, and a wait that ends
// otherwise takes nothing.

#include "forebay/detail/credit_gate.h"

#include <gtest/gtest.h>

#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "unit/core/support.h"

namespace forebay::test {
namespace {

using namespace std::chrono_literals;
using detail::Wait;
using Gate = detail::CreditGate<detail::SystemPolicy>;

constexpr auto kNever = [] { return false; };

// One who waits on a thread of its own, parked when this is constructed.
class Waiter {
 public:
  Waiter(Gate& gate, std::int64_t amount, Wait wait = {})
      : thread_([this, &gate, amount, wait] {
          const auto taken = gate.take(amount, wait, event_, kNever);
          status_ = taken.status;
          granted_ = taken.granted;
          done_ = true;
        }) {
    eventually([this] { return event_.stats().parks != 0; });
  }
  void join() { thread_.join(); }
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] bool granted() const { return granted_; }
  [[nodiscard]] WaitStatus status() const { return status_; }

 private:
  EventCount event_{0};
  std::atomic<bool> done_{false};
  std::atomic<bool> granted_{false};
  std::atomic<WaitStatus> status_{WaitStatus::ready};
  std::jthread thread_;
};

// The machine's policy, and something that happens just before a lock is taken.
struct InterruptedPolicy : detail::SystemPolicy {
  class mutex {
   public:
    void lock() {
      if (g_interruption) std::exchange(g_interruption, nullptr)();
      mutex_.lock();
    }
    void unlock() { mutex_.unlock(); }

   private:
    std::mutex mutex_;
  };
  static inline std::function<void()> g_interruption;
};

TEST(CreditGate, GrantsWhatCameBetweenTheLookAndTheQueue) {
  detail::CreditGate<InterruptedPolicy> gate(0);
  BasicEventCount<InterruptedPolicy> event{0};
  // Whoever gives it finds nobody in the queue to grant it to.
  InterruptedPolicy::g_interruption = [&gate] { gate.give(1); };

  const auto taken = gate.take(1, {.deadline = Deadline::after(10s)}, event, kNever);

  EXPECT_TRUE(taken.granted);
  EXPECT_EQ(event.stats().parks, 0U);
}

TEST(CreditGate, TakesWhatIsThereAndNoMore) {
  Gate gate(10);
  EXPECT_TRUE(gate.try_take(4));
  EXPECT_TRUE(gate.try_take(6));
  EXPECT_FALSE(gate.try_take(1));
  gate.give(1);
  EXPECT_TRUE(gate.try_take(1));
  EXPECT_EQ(gate.available(), 0);
}

TEST(CreditGate, WithoutWaitingItSaysSoAtOnce) {
  Gate gate(1);
  EventCount event(0);
  EXPECT_FALSE(gate.take(2, Wait::none(), event, kNever).granted);
  EXPECT_EQ(gate.available(), 1);
}

TEST(CreditGate, CreditThatIsGivenGoesToWhoWaits) {
  Gate gate(0);
  Waiter waiter(gate, 3);
  gate.give(2);
  EXPECT_FALSE(waiter.done());
  gate.give(2);
  waiter.join();
  EXPECT_TRUE(waiter.granted());
  EXPECT_EQ(gate.available(), 1);
}

TEST(CreditGate, WhoComesFirstIsServedFirst) {
  Gate gate(1);
  Waiter large(gate, 5);
  Waiter small(gate, 1);

  // There is credit for the second, but it is not its turn; nor is it that of one who does not
  // wait.
  EXPECT_FALSE(gate.try_take(1));
  EXPECT_FALSE(small.done());
  gate.give(4);
  large.join();
  EXPECT_FALSE(small.done());
  gate.give(1);
  small.join();
  EXPECT_TRUE(large.granted() && small.granted());
}

TEST(CreditGate, WhoGivesUpLetsTheNextHaveIt) {
  Gate gate(1);
  std::stop_source stop;
  Waiter large(gate, 5, {.stop = stop.get_token()});
  Waiter small(gate, 1);

  stop.request_stop();

  large.join();
  small.join();
  EXPECT_EQ(large.status(), WaitStatus::stopped);
  EXPECT_FALSE(large.granted());
  EXPECT_TRUE(small.granted());
  EXPECT_EQ(gate.available(), 0);
}

TEST(CreditGate, DeadlineEndsTheWait) {
  Gate gate(1);
  EventCount event(0);
  const auto began = Deadline::clock::now();
  const auto taken = gate.take(2, {.deadline = Deadline::after(20ms)}, event, kNever);
  EXPECT_GE(Deadline::clock::now() - began, 20ms);
  EXPECT_EQ(taken.status, WaitStatus::timed_out);
  EXPECT_FALSE(taken.granted);
  EXPECT_TRUE(gate.try_take(1));
}

TEST(CreditGate, OtherReasonEndsTheWaitWithoutCredit) {
  Gate gate(0);
  EventCount event(0);
  std::atomic<bool> instead{false};
  std::atomic<bool> granted{true};
  {
    const std::jthread waiter(
        [&] { granted = gate.take(1, {}, event, [&] { return instead.load(); }).granted; });
    eventually([&] { return event.stats().parks != 0; });
    instead = true;
    event.notify();
  }
  EXPECT_FALSE(granted);
  gate.give(1);
  EXPECT_TRUE(gate.try_take(1));
}

TEST(CreditGate, TimeOutsLoseNoGrant) {
  constexpr std::int64_t kCredit = 3;
  constexpr int kThreads = 4;
  const int rounds =
      static_cast<int>(from_environment("FOREBAY_GATE_ROUNDS", kSanitized ? 500 : 3000));
  Gate gate(kCredit);
  std::atomic<std::int64_t> out{0};
  std::atomic<int> granted{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        EventCount event(0);
        for (int i = 0; i < rounds; ++i) {
          const std::int64_t amount = 1 + (i + t) % kCredit;
          // Deadlines about as long as a hand-over takes.
          const Wait wait{.deadline = Deadline::after(std::chrono::microseconds(i % 50))};
          if (!gate.take(amount, i % 7 == 0 ? Wait{} : wait, event, kNever).granted) continue;
          EXPECT_LE(out += amount, kCredit);
          if (i % 5 == 0) std::this_thread::yield();
          out -= amount;
          gate.give(amount);
          ++granted;
        }
      });
    }
  }
  EXPECT_EQ(gate.available(), kCredit);
  EXPECT_GT(granted, kThreads * rounds / 7);
}

}  // namespace
}  // namespace forebay::test
