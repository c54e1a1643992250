// SPDX-License-Identifier: Apache-2.0

// SpscQueue: what it takes and gives back, for every layout of a line.

#include "forebay/spsc_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "unit/core/support.h"

namespace forebay::test {
namespace {

/// Items of every size that lays out a line differently.
template <std::size_t kBytes>
struct Item {
  Item() = default;
  explicit Item(std::uint64_t number) : low(static_cast<std::uint32_t>(number)) {}
  std::uint32_t low = 0;
  std::array<char, kBytes - sizeof(std::uint32_t)> rest = {};
};
static_assert(sizeof(Item<40>) == 40);

template <class T>
class SpscQueueLayout : public testing::Test {};

struct LayoutNames {
  template <class T>
  static std::string GetName(int) {
    return std::to_string(sizeof(T)) + "Bytes";
  }
};
using Layouts = testing::Types<Item<8>, Item<12>, Item<16>, Item<24>, Item<40>, Item<64>>;
TYPED_TEST_SUITE(SpscQueueLayout, Layouts, LayoutNames);

template <class T>
std::size_t push_until_full(SpscQueue<T>& queue, std::uint64_t first) {
  std::size_t pushed = 0;
  while (queue.try_push(T(first + pushed))) ++pushed;
  return pushed;
}

TYPED_TEST(SpscQueueLayout, TakesItsCapacityAndAtMostAQuarterMore) {
  for (const std::size_t capacity : {1U, 2U, 3U, 4U, 7U, 8U, 9U, 64U, 100U, 1000U}) {
    SpscQueue<TypeParam> queue(capacity);
    EXPECT_EQ(queue.capacity(), capacity);
    const std::size_t pushed = push_until_full(queue, 0);
    EXPECT_GE(pushed, capacity);
    EXPECT_LE(pushed, capacity + capacity / 4);
  }
}

TYPED_TEST(SpscQueueLayout, TakesItsCapacityBehindAnyNumberOfPoppedItems) {
  constexpr std::size_t kCapacity = 8;
  SpscQueue<TypeParam> queue(kCapacity);
  std::uint64_t pushed = 0;
  std::uint64_t popped = 0;
  // However far the lazy giving back has come, the capacity is there beyond what was popped.
  for (std::size_t lap = 0; lap < 200; ++lap) {
    while (pushed - popped < kCapacity) ASSERT_TRUE(queue.try_push(TypeParam(pushed++)));
    for (std::size_t i = 0; i <= lap % kCapacity; ++i) {
      TypeParam item;
      ASSERT_TRUE(queue.try_pop(item));
      ASSERT_EQ(item.low, popped++);
    }
  }
}

TYPED_TEST(SpscQueueLayout, KeepsOrderWhenPushedAndPoppedInBulk) {
  SpscQueue<TypeParam> queue(10);
  std::uint64_t pushed = 0;
  std::uint64_t popped = 0;
  for (std::size_t round = 0; round < 100; ++round) {
    std::vector<TypeParam> in;
    for (std::size_t i = 0; i < 1 + round % 13; ++i) in.emplace_back(pushed + i);
    pushed += queue.try_push_n(in);
    std::array<TypeParam, 7> out;
    const std::size_t count = queue.try_pop_n(std::span(out).first(round % 8));
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(out[i].low, popped++);
  }
  EXPECT_GT(popped, 200U);
}

TYPED_TEST(SpscQueueLayout, PopsInBulkExactlyWhatIsAskedForWhereverALineEnds) {
  SpscQueue<TypeParam> queue(32);
  std::uint64_t number = 0;
  // Of every length, from every place of a line.
  for (std::size_t length = 1; length <= 32; ++length) {
    for (std::size_t begin = 0; begin < SpscQueue<TypeParam>::kItemsPerLine; ++begin) {
      std::vector<TypeParam> out(length);
      for (std::uint64_t i = 0; i < length; ++i) ASSERT_TRUE(queue.try_push(TypeParam(number + i)));
      ASSERT_EQ(queue.try_pop_n(out), length);
      for (const TypeParam& item : out) ASSERT_EQ(item.low, number++);
      ASSERT_TRUE(queue.try_push(TypeParam(number++)));
      ASSERT_TRUE(queue.try_pop(out.front()));
    }
  }
}

TYPED_TEST(SpscQueueLayout, LooksAheadInOrderAndChangesNothing) {
  SpscQueue<TypeParam> queue(20);
  for (std::uint64_t i = 0; i < 15; ++i) ASSERT_TRUE(queue.try_push(TypeParam(i)));
  for (std::uint64_t i = 0; i < 4; ++i) queue.pop();
  for (std::uint64_t i = 0; i < 11; ++i) {
    ASSERT_NE(queue.look(i), nullptr);
    EXPECT_EQ(queue.look(i)->low, 4 + i);
  }
  EXPECT_EQ(queue.look(11), nullptr);
  EXPECT_EQ(queue.front()->low, 4U);
}

TYPED_TEST(SpscQueueLayout, LooksAheadThroughSegmentsInAnyOrder) {
  SpscQueue<TypeParam> queue(40);
  std::uint64_t pushed = 0;
  std::uint64_t popped = 0;
  // Bursts of changing length leave the segments linked in an order that is not that of memory.
  for (std::size_t round = 0; round < 500; ++round) {
    for (std::size_t i = 0; i < round * 7 % 41 && pushed - popped < 40; ++i) {
      ASSERT_TRUE(queue.try_push(TypeParam(pushed++)));
    }
    for (std::uint64_t i = 0; i < pushed - popped; ++i) {
      ASSERT_NE(queue.look(i), nullptr);
      ASSERT_EQ(queue.look(i)->low, popped + i);
    }
    ASSERT_EQ(queue.look(pushed - popped), nullptr);
    for (std::size_t i = 0; i < round * 11 % 37 && popped != pushed; ++i) {
      ASSERT_EQ(queue.look(0)->low, popped++);
      queue.pop();
    }
  }
}

TYPED_TEST(SpscQueueLayout, CarriesEveryItemBetweenTwoThreads) {
  const std::uint64_t kCount = from_environment("FOREBAY_QUEUE_ITEMS", 200'000);
  SpscQueue<TypeParam> queue(64);
  std::jthread producer([&] {
    for (std::uint64_t i = 0; i < kCount; ++i) {
      while (!queue.try_push(TypeParam(i))) std::this_thread::yield();
    }
  });
  std::uint64_t expected = 0;
  while (expected < kCount) {
    TypeParam item;
    if (!queue.try_pop(item)) {
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(item.low, static_cast<std::uint32_t>(expected));
    ++expected;
  }
  EXPECT_EQ(queue.front(), nullptr);
}

TEST(SpscQueue, PutsAsManyItemsToALineAsTheDocumentedRuleSays) {
  EXPECT_EQ(SpscQueue<Item<8>>::kItemsPerLine, 7U);
  EXPECT_EQ(SpscQueue<Item<12>>::kItemsPerLine, 4U);
  EXPECT_EQ(SpscQueue<Item<16>>::kItemsPerLine, 3U);
  EXPECT_EQ(SpscQueue<Item<24>>::kItemsPerLine, 2U);
  EXPECT_EQ(SpscQueue<Item<56>>::kItemsPerLine, 1U);
  EXPECT_EQ(SpscQueue<Item<64>>::kItemsPerLine, 8U);
}

TYPED_TEST(SpscQueueLayout, GoesRoundInLittleMemoryWhileTheConsumerKeepsUp) {
  constexpr std::size_t kCapacity = 4096;
  SpscQueue<TypeParam> queue(kCapacity);
  std::set<const TypeParam*> slots;
  for (std::size_t i = 0; i < 4 * kCapacity; ++i) {
    ASSERT_TRUE(queue.try_push(TypeParam(i)));
    slots.insert(queue.front());
    queue.pop();
  }
  EXPECT_LE(slots.size(), kCapacity / 2);
  // And all of the capacity is still there.
  EXPECT_GE(push_until_full(queue, 0), kCapacity);
}

TEST(SpscQueue, RefusesACapacityOutsideItsRange) {
  EXPECT_THROW(SpscQueue<int>(0), std::invalid_argument);
  EXPECT_THROW(SpscQueue<int>(SpscQueue<int>::kCapacityMax + 1), std::invalid_argument);
}

TEST(SpscQueue, LeavesTheItemAloneWhenFull) {
  SpscQueue<std::shared_ptr<int>> queue(1);
  auto item = std::make_shared<int>(1);
  while (queue.try_push(std::shared_ptr<int>(item))) {
  }
  auto refused = item;
  EXPECT_FALSE(queue.try_push(std::move(refused)));
  EXPECT_EQ(refused, item);
}

TEST(SpscQueue, TakesNothingOutWhenEmpty) {
  SpscQueue<int> queue(4);
  int untouched = 5;
  EXPECT_FALSE(queue.try_pop(untouched));
  EXPECT_EQ(untouched, 5);
  EXPECT_EQ(queue.front(), nullptr);
  EXPECT_EQ(queue.try_pop_n({}), 0U);
}

TEST(SpscQueue, PopsAllThatThereIsRoomFor) {
  SpscQueue<int> queue(4);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue.try_push(i));
  std::array<int, 3> out{};
  EXPECT_EQ(queue.try_pop_n(out), 3U);
  EXPECT_EQ(out, (std::array{0, 1, 2}));
}

TEST(SpscQueue, DestroysAnItemWhenItIsPopped) {
  SpscQueue<std::shared_ptr<int>> queue(4);
  auto item = std::make_shared<int>(1);
  ASSERT_TRUE(queue.try_push(item));
  EXPECT_EQ(item.use_count(), 2);
  queue.pop();
  EXPECT_EQ(item.use_count(), 1);
}

TEST(SpscQueue, DestroysWhatIsLeftInIt) {
  auto item = std::make_shared<int>(1);
  {
    SpscQueue<std::shared_ptr<int>> queue(10);
    for (int i = 0; i < 25; ++i) {
      ASSERT_TRUE(queue.try_push(item));
      if (i >= 7) queue.pop();
    }
    EXPECT_EQ(item.use_count(), 8);
  }
  EXPECT_EQ(item.use_count(), 1);
}

TEST(SpscQueue, MovesItemsThatCannotBeCopied) {
  SpscQueue<std::unique_ptr<int>> queue(2);
  ASSERT_TRUE(queue.try_push(std::make_unique<int>(7)));
  std::unique_ptr<int> item;
  ASSERT_TRUE(queue.try_pop(item));
  EXPECT_EQ(*item, 7);
}

TEST(SpscQueue, GivesEverythingBackWhenFoundEmpty) {
  SpscQueue<int> queue(8);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue.try_push(i));
  for (int i = 0; i < 3; ++i) queue.pop();
  EXPECT_EQ(queue.front(), nullptr);
  // All of the ring, the room of the release batch included.
  EXPECT_EQ(push_until_full(queue, 0), 9U);
}

}  // namespace
}  // namespace forebay::test
