// SPDX-License-Identifier: Apache-2.0

// EpochDomain whose issuer moves between threads, while guards live on the threads it came from: a
// guard is dropped there with plain stores as long as nobody has taken its seat away.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "forebay/epoch.h"
#include "unit/core/support.h"

namespace forebay::test {
namespace {

struct Object : Retirable {
  Object() {
    reclaim = [](Retirable* self) noexcept { ++static_cast<Object*>(self)->reclaimed; };
  }
  int reclaimed = 0;
};

/// Runs `work` on a thread of its own, and returns when that has ended.
template <class Work>
void elsewhere(Work&& work) {
  std::thread(std::forward<Work>(work)).join();
}

TEST(EpochSeat, GuardHoldsWhatIsRetiredOnAnotherThread) {
  EpochDomain domain;
  Object object;
  Guard guard = domain.pin();
  elsewhere([&] { domain.retire(&object); });
  EXPECT_EQ(object.reclaimed, 0);
  guard.reset();
  EXPECT_EQ(object.reclaimed, 1);
}

TEST(EpochSeat, GuardDroppedBeforeTheIssuerMovesHoldsNothing) {
  EpochDomain domain;
  Object object;
  domain.pin().reset();
  elsewhere([&] {
    EXPECT_FALSE(domain.held_back());
    domain.retire(&object);
  });
  EXPECT_EQ(object.reclaimed, 1);
}

TEST(EpochSeat, EachThreadsGuardHoldsByItself) {
  EpochDomain domain;
  Object first;
  Object second;
  Guard here = domain.pin();
  Guard there;
  elsewhere([&] {
    there = domain.pin();
    domain.retire(&first);
  });
  here.reset();
  EXPECT_EQ(first.reclaimed, 0);
  Guard later = domain.pin();
  domain.retire(&second);
  there.reset();
  EXPECT_EQ(first.reclaimed, 1);
  EXPECT_EQ(second.reclaimed, 0);
  later.reset();
  EXPECT_EQ(second.reclaimed, 1);
}

TEST(EpochSeat, GuardsOfAThreadThatHasEndedAreDroppedByOthers) {
  EpochDomain domain;
  Object object;
  std::vector<Guard> guards;
  // The threads may get the same stack, and so the same number, one after the other.
  for (int i = 0; i < 4; ++i) elsewhere([&] { guards.push_back(domain.pin()); });
  domain.retire(&object);
  while (!guards.empty()) {
    EXPECT_EQ(object.reclaimed, 0);
    elsewhere([&] { guards.pop_back(); });
  }
  EXPECT_EQ(object.reclaimed, 1);
  EXPECT_FALSE(domain.held_back());
}

TEST(EpochSeat, GuardsOutliveADomainThatEndsOnAnotherThread) {
  Object object;
  std::optional<EpochDomain> domain(std::in_place);
  Guard guard = domain->pin();
  Guard copy = guard;
  elsewhere([&] {
    domain->retire_last(&object);
    domain.reset();
  });
  guard.reset();
  EXPECT_EQ(object.reclaimed, 0);
  elsewhere([moved = copy]() mutable { moved.reset(); });
  EXPECT_EQ(object.reclaimed, 0);
  copy.reset();
  EXPECT_EQ(object.reclaimed, 1);
}

TEST(EpochSeat, NobodyIsLeftWhenAllWereDroppedElsewhere) {
  EpochDomain domain;
  for (int round = 0; round < 3; ++round) {
    std::array guards{domain.pin(), domain.pin()};
    EXPECT_TRUE(domain.held_back());
    elsewhere([moved = std::move(guards)] {});
    EXPECT_FALSE(domain.held_back());
  }
}

TEST(EpochSeat, LimitCountsAGuardOnceWhereverItIsDropped) {
  constexpr std::size_t kMax = 3;
  EpochDomain domain(kMax);
  std::vector<Guard> guards;
  for (int round = 0; round < 4; ++round) {
    while (guards.size() < kMax) guards.push_back(domain.pin());
    EXPECT_THROW((void)domain.pin(), LimitExceeded);
    elsewhere([&] {
      EXPECT_THROW((void)domain.pin(), LimitExceeded);
      guards.erase(guards.begin());
      guards.push_back(domain.pin());
      EXPECT_THROW((void)domain.pin(), LimitExceeded);
    });
    EXPECT_THROW((void)domain.pin(), LimitExceeded);
    guards.erase(guards.begin());
  }
}

TEST(EpochSeat, LimitOfOneIsOne) {
  for (const std::size_t limit : {0u, 1u}) {
    EpochDomain domain(limit);
    Guard guard = domain.pin();
    EXPECT_THROW((void)domain.pin(), LimitExceeded);
    elsewhere([&] { EXPECT_THROW((void)domain.pin(), LimitExceeded); });
    guard.reset();
    EXPECT_TRUE(domain.pin());
  }
}

TEST(EpochSeat, WatchHearsOfDropsWhereTheIssuerWas) {
  detail::DropWatch<detail::SystemPolicy> watch;
  EpochDomain domain(EpochDomain::kGuardsMaxDefault, &watch);
  Guard guard = domain.pin();
  elsewhere([&] {
    domain.hear_drops();
    watch.armed.store(1, std::memory_order_relaxed);
  });
  guard.reset();
  EXPECT_EQ(watch.drops.load(std::memory_order_relaxed), 1U);
}

// Two threads are the issuer in turn. Each pins, retires what the other published, hands the role
// on, and drops its guards while the other has it, a little earlier or later each time. A drop that
// is given back twice ends a node too early, one that is lost leaves all later ones where they are.
TEST(EpochSeatStress, NeverReclaimsWhatAGuardDroppedLateLooksAt) {
  const int kRounds = static_cast<int>(from_environment("FOREBAY_EPOCH_ROUNDS", 30'000));
  // On a machine with much else to do each turn waits for a processor.
  constexpr int kRoundsMin = 1'000;
  const Deadline enough = Deadline::after(std::chrono::seconds(5));
  constexpr int kOver = -1;
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
  std::atomic<int> ended{0};
  int made = 1;
  {
    EpochDomain domain;
    Node* published = new Node(0, ended);
    std::atomic<int> turn{0};
    const auto issuer = [&](int self) {
      for (int round = self; round < kRounds; round += 2) {
        int now = 0;
        eventually([&] {
          now = turn.load(std::memory_order_acquire);
          return now == round || now == kOver;
        });
        if (now == kOver) return;
        if (round >= kRoundsMin && enough.passed()) {
          turn.store(kOver, std::memory_order_release);
          return;
        }
        Guard guard = domain.pin();
        const Guard copy = round % 3 == 0 ? guard : Guard();
        Node* const node = published;
        const int number = node->content;
        if (round % 2 == 0 || round % 5 == 0) {
          published = new Node(round + 1, ended);
          ++made;
          domain.retire(node);
        }
        turn.store(round + 1, std::memory_order_release);
        for (int pauses = round % 23; pauses > 0; --pauses) detail::cpu_pause();
        EXPECT_EQ(node->content, number);
        guard.reset();
        EXPECT_EQ(copy ? node->content : number, number);
      }
    };
    std::jthread other(issuer, 1);
    issuer(0);
    other.join();
    domain.retire(published);
  }
  EXPECT_EQ(ended.load(std::memory_order_relaxed), made);
}

}  // namespace
}  // namespace forebay::test
