// SPDX-License-Identifier: Apache-2.0

// The event count alone: several notifiers, one waiter with deadlines, stop tokens and callbacks. A
// wake that is lost leaves the waiter asleep for ever, which the scheduler sees as a deadlock.

#include <optional>

#include "forebay/event_count.h"
#include "scenario.h"

namespace forebay::deterministic {

namespace {

using Policy = detail::SystemPolicy;

struct Shared {
  explicit Shared(std::uint32_t spin_ns) : event(spin_ns) {}
  Policy::atomic<std::uint32_t> made{0};  // tokens, by all notifiers
  // One flag a notifier, for conditions that no read-modify-write publishes.
  Policy::atomic<std::uint32_t> flags[3]{};
  EventCount event;
};

void notify_some(Shared& shared, std::size_t self, std::size_t count, std::uint64_t seed) {
  Random random(seed);
  for (std::size_t i = 0; i < count; ++i) {
    if (random.one_in(4)) yield();
    shared.flags[self].store(static_cast<std::uint32_t>(i + 1), detail::release);
    if (random.one_in(3)) {
      shared.event.notify_if([] { return true; });
    } else {
      shared.event.notify();
    }
  }
}

// Waits until the flags have come to `wanted` in all; how depends on the seed.
class Waiter {
 public:
  Waiter(Shared& shared, Random& random) : shared_(shared), random_(random) {}

  void wait_for(std::uint32_t wanted) {
    wanted_ = wanted;
    while (sum() < wanted) {
      switch (random_.below(4)) {
        case 0:
          wait_by_callback();
          break;
        case 1:
          wait_until_deadline();
          break;
        case 2:
          wait_with_stop();
          break;
        default:
          require(shared_.event.await([this] { return ready(); }) == WaitStatus::ready,
                  "a wait without end has ended");
          require(ready(), "a wait ended before its condition held");
      }
    }
  }

 private:
  // Flags that were seen never go back, so the sum only grows.
  std::uint32_t sum() {
    std::uint32_t all = 0;
    for (const auto& flag : shared_.flags) all += flag.load(detail::acquire);
    return all;
  }
  bool ready() { return sum() >= wanted_; }

  void wait_until_deadline() {
    const Deadline deadline = some_deadline(random_, 20'000);
    const WaitStatus status = shared_.event.await([this] { return ready(); }, deadline);
    require(status != WaitStatus::stopped, "nobody asked to stop");
    require(status != WaitStatus::ready || ready(), "a wait ended before its condition held");
    require(status != WaitStatus::timed_out || deadline.passed(), "a deadline passed too early");
  }

  void wait_with_stop() {
    std::stop_source stop;
    const bool stops = random_.one_in(2);
    std::optional<Task> stopper;
    if (stops) stopper.emplace("stopper", [&stop] { request_stop(stop); });
    const WaitStatus status =
        shared_.event.await([this] { return ready(); }, Deadline::never(), stop.get_token());
    require(status != WaitStatus::timed_out, "a wait without a deadline has timed out");
    require(status != WaitStatus::stopped || stop.stop_requested(), "nobody asked to stop");
    require(status != WaitStatus::ready || ready(), "a wait ended before its condition held");
  }

  // As a reactor does: arms, and looks again when it was called.
  void wait_by_callback() {
    called_ = false;
    const bool armed = shared_.event.arm(
        [](void* context) {
          auto* const waiter = static_cast<Waiter*>(context);
          Scheduler::running()->drain();
          waiter->called_ = true;
          Scheduler::running()->wake(waiter);
        },
        this, [this] { return ready(); });
    if (!armed) {
      require(ready(), "nothing was armed, and the condition does not hold");
      return;
    }
    if (random_.one_in(3) && shared_.event.disarm()) return;
    while (!called_) Scheduler::running()->wait(this, "callback", Site::current());
  }

  Shared& shared_;
  Random& random_;
  std::uint32_t wanted_ = 0;
  bool called_ = false;
};

}  // namespace

void run_event_count(Random& random) {
  const std::size_t notifiers = 1 + random.below(3);
  // Made anew each time, so that the last wake meets an event count that is about to end.
  const std::size_t rounds = 1 + random.below(2);
  for (std::size_t round = 0; round < rounds; ++round) {
    Shared shared(random.one_in(3) ? 2'000 : 0);
    std::size_t all = 0;
    std::vector<Task> tasks;
    for (std::size_t i = 0; i < notifiers; ++i) {
      const std::size_t count = random.up_to(4);
      all += count;
      tasks.emplace_back("notifier", [&shared, i, count, seed = random.next()] {
        notify_some(shared, i, count, seed);
      });
    }
    Waiter waiter(shared, random);
    for (std::size_t seen = 0; seen < all;) {
      seen = std::min(all, seen + random.up_to(3));
      waiter.wait_for(static_cast<std::uint32_t>(seen));
    }
    tasks.clear();
    const WaitStats stats = shared.event.stats();
    require(stats.parks <= stats.waits, "more waits went to sleep than there were");
  }
}

}  // namespace forebay::deterministic
