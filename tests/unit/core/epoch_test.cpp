// SPDX-License-Identifier: Apache-2.0

// EpochDomain: what is retired is reclaimed once, when no older guard lives, and not a moment
// later.

#include "forebay/epoch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "forebay/spsc_queue.h"
#include "unit/core/allocation.h"
#include "unit/core/support.h"

namespace forebay::test {
namespace {

/// What is retired here: tells how often it was reclaimed, and in which order.
struct Object : Retirable {
  Object() {
    reclaim = [](Retirable* self) noexcept {
      auto* const object = static_cast<Object*>(self);
      ++object->reclaimed;
      if (object->order != nullptr) object->order->push_back(object);
    };
  }
  int reclaimed = 0;
  std::vector<Object*>* order = nullptr;
};

TEST(EpochDomain, ReclaimsAtOnceWhenNobodyHoldsAGuard) {
  EpochDomain domain;
  Object object;
  domain.retire(&object);
  EXPECT_EQ(object.reclaimed, 1);
}

TEST(EpochDomain, HoldsWhatIsRetiredUnderAGuardUntilItIsDropped) {
  EpochDomain domain;
  Object object;
  Guard guard = domain.pin();
  domain.retire(&object);
  EXPECT_TRUE(domain.held_back());
  EXPECT_EQ(object.reclaimed, 0);
  guard.reset();
  EXPECT_EQ(object.reclaimed, 1);
  EXPECT_FALSE(domain.held_back());
}

TEST(EpochDomain, HoldsAsLongAsACopyLives) {
  EpochDomain domain;
  Object object;
  Guard guard = domain.pin();
  Guard copy = guard;
  Guard assigned;
  assigned = copy;
  domain.retire(&object);
  guard.reset();
  copy.reset();
  EXPECT_EQ(object.reclaimed, 0);
  assigned = Guard();
  EXPECT_EQ(object.reclaimed, 1);
}

TEST(EpochDomain, MovesAGuardWithoutCountingIt) {
  EpochDomain domain;
  Object object;
  Guard guard = domain.pin();
  Guard moved = std::move(guard);
  EXPECT_FALSE(guard);
  EXPECT_TRUE(moved);
  domain.retire(&object);
  moved.reset();
  moved.reset();
  EXPECT_EQ(object.reclaimed, 1);
}

TEST(EpochDomain, DoesNotHoldForAGuardThatCameLater) {
  EpochDomain domain;
  Object object;
  Guard older = domain.pin();
  domain.retire(&object);
  Guard later = domain.pin();
  older.reset();
  EXPECT_EQ(object.reclaimed, 1);
}

TEST(EpochDomain, HoldsWhatIsRetiredLaterForAnOlderGuardToo) {
  EpochDomain domain;
  Object first;
  Object second;
  Guard older = domain.pin();
  domain.retire(&first);
  Guard newer = domain.pin();
  domain.retire(&second);
  newer.reset();
  EXPECT_EQ(second.reclaimed, 0);
  older.reset();
  EXPECT_EQ(first.reclaimed, 1);
  EXPECT_EQ(second.reclaimed, 1);
}

TEST(EpochDomain, ReclaimsInTheOrderOfRetiring) {
  EpochDomain domain;
  std::vector<Object*> order;
  std::vector<Object> objects(5);
  Guard guard = domain.pin();
  for (Object& object : objects) {
    object.order = &order;
    domain.retire(&object);
  }
  guard.reset();
  ASSERT_EQ(order.size(), objects.size());
  for (std::size_t i = 0; i < objects.size(); ++i) EXPECT_EQ(order[i], &objects[i]);
}

TEST(EpochDomain, LetsGuardsOutliveIt) {
  Object object;
  Guard guard;
  {
    EpochDomain domain;
    guard = domain.pin();
    domain.retire(&object);
  }
  EXPECT_EQ(object.reclaimed, 0);
  guard.reset();
  EXPECT_EQ(object.reclaimed, 1);
}

TEST(EpochDomain, ReclaimsTheLastObjectAfterAllOthers) {
  std::vector<Object*> order;
  Object object;
  Object last;
  object.order = last.order = &order;
  Guard guard;
  EpochDomain domain;
  guard = domain.pin();
  domain.retire(&object);
  domain.retire_last(&last);
  EXPECT_TRUE(order.empty());
  guard.reset();
  EXPECT_EQ(order, (std::vector<Object*>{&object, &last}));
}

TEST(EpochDomain, ReclaimsTheLastObjectAfterThoseThatFoundNoMemoryForAnEpoch) {
  std::vector<Object*> order;
  order.reserve(3);
  Object first;
  Object second;
  Object last;
  first.order = second.order = last.order = &order;
  Guard guard;
  EpochDomain domain;
  guard = domain.pin();
  for (Object* const object : {&first, &second}) {
    const FailingAllocation failing(0);
    domain.retire(object);
    ASSERT_TRUE(failing.failed());
  }
  domain.retire_last(&last);
  EXPECT_TRUE(order.empty());
  guard.reset();
  ASSERT_EQ(order.size(), 3U);
  EXPECT_EQ(order.back(), &last);
}

TEST(EpochDomain, LetsTheLastObjectBeTheHomeOfTheDomain) {
  struct Home : Retirable {
    EpochDomain domain;
    std::shared_ptr<int> alive;
  };
  auto alive = std::make_shared<int>(1);
  auto* const home = new Home;
  home->alive = alive;
  home->reclaim = [](Retirable* self) noexcept { delete static_cast<Home*>(self); };
  Guard guard = home->domain.pin();
  home->domain.retire_last(home);
  EXPECT_EQ(alive.use_count(), 2);
  guard.reset();
  EXPECT_EQ(alive.use_count(), 1);
}

TEST(EpochDomain, PinsUpToGuardsMaxAndNoMore) {
  constexpr std::size_t kMax = 4;
  EpochDomain domain(kMax);
  std::vector<Guard> guards;
  for (std::size_t i = 0; i < kMax; ++i) guards.push_back(domain.pin());
  EXPECT_THROW((void)domain.pin(), LimitExceeded);
  EXPECT_THROW((void)domain.pin(), LimitExceeded);
  // Each drop makes room for one, however often the limit was met.
  for (int round = 0; round < 10; ++round) {
    guards.erase(guards.begin());
    guards.push_back(domain.pin());
    EXPECT_THROW((void)domain.pin(), LimitExceeded);
  }
}

TEST(EpochDomain, CountsCopiesAgainstGuardsMax) {
  EpochDomain domain(2);
  const Guard guard = domain.pin();
  const Guard copy = guard;
  const Guard last = domain.pin();
  try {
    (void)domain.pin();
    FAIL() << "a third guard beside a copy";
  } catch (const LimitExceeded& error) {
    EXPECT_EQ(error.limit(), 2U);
    EXPECT_GE(error.asked(), 3U);
  }
}

TEST(EpochDomain, CountsGuardsOfTheirOwnEpochOnly) {
  EpochDomain domain(1);
  Object object;
  const Guard older = domain.pin();
  domain.retire(&object);
  Guard newer = domain.pin();
  EXPECT_THROW((void)domain.pin(), LimitExceeded);
  newer.reset();
  newer = domain.pin();
  EXPECT_TRUE(newer);
}

TEST(EpochDomain, PinsWithoutEndWhenGuardsAreDropped) {
  EpochDomain domain(3);
  for (int i = 0; i < 1000; ++i) {
    const Guard one = domain.pin();
    const Guard two = domain.pin();
  }
  EXPECT_FALSE(domain.held_back());
}

TEST(EpochDomain, CountsDropsOnOtherThreadsWhileTheWatchIsArmed) {
  detail::DropWatch<detail::SystemPolicy> watch;
  EpochDomain domain(EpochDomain::kGuardsMaxDefault, &watch);
  const auto drop_elsewhere = [&] { std::thread([guard = domain.pin()] {}).join(); };
  drop_elsewhere();
  EXPECT_EQ(watch.drops.load(std::memory_order_relaxed), 0U);
  watch.armed.store(1, std::memory_order_relaxed);
  drop_elsewhere();
  EXPECT_EQ(watch.drops.load(std::memory_order_relaxed), 1U);
}

TEST(EpochDomainStress, NeverReclaimsWhatAWorkerLooksAt) {
  constexpr int kWorkers = 3;
  const int kRounds = static_cast<int>(from_environment("FOREBAY_EPOCH_ROUNDS", 200'000));
  // What workers read is not atomic: a reclaim that comes too early is a race to ThreadSanitizer, a
  // use after free to AddressSanitizer, and a wrong value to all.
  struct Node : Retirable {
    Node(int number, std::atomic<int>& count) : content(number), ended(count) {
      reclaim = [](Retirable* self) noexcept {
        auto* const node = static_cast<Node*>(self);
        node->content = -1;
        node->ended.fetch_add(1, std::memory_order_relaxed);
        delete node;
      };
    }
    int content;
    std::atomic<int>& ended;
  };
  struct Work {
    Guard guard;
    Node* node = nullptr;
    int number = 0;
  };
  std::atomic<int> ended{0};
  {
    EpochDomain domain;
    std::vector<std::unique_ptr<SpscQueue<Work>>> queues;
    for (int i = 0; i < kWorkers; ++i) queues.push_back(std::make_unique<SpscQueue<Work>>(16));
    std::vector<std::jthread> workers;
    for (int i = 0; i < kWorkers; ++i) {
      workers.emplace_back([&queue = *queues[static_cast<std::size_t>(i)], kRounds, i] {
        for (int round = i; round < kRounds; round += kWorkers) {
          Work work;
          eventually([&] { return queue.try_pop(work); });
          const Guard copy = work.guard;
          work.guard.reset();
          EXPECT_EQ(work.node->content, work.number);
        }
      });
    }
    for (int round = 0; round < kRounds; ++round) {
      Node* const node = new Node(round, ended);
      Work work{domain.pin(), node, round};
      auto& queue = *queues[static_cast<std::size_t>(round % kWorkers)];
      eventually([&] { return queue.try_push(std::move(work)); });
      domain.retire(node);
    }
  }
  EXPECT_EQ(ended.load(std::memory_order_relaxed), kRounds);
}

}  // namespace
}  // namespace forebay::test
