// SPDX-License-Identifier: Apache-2.0
#include "forebay/shared_bytes.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <thread>
#include <vector>

#include "unit/core/support.h"

namespace forebay {
namespace {

using test::text;

// Shared bytes of a stream that is gone.
SharedBytes share(std::string_view bytes, int& released, Retention retention = Retention::bounded) {
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(test::borrow(bytes, released));
  return reader.share(reader.read(bytes.size()), retention);
}

TEST(SharedBytes, DefaultIsEmpty) {
  SharedBytes none;
  none.reset();

  EXPECT_TRUE(none.empty());
  EXPECT_TRUE(SharedBytes(none).empty());
  EXPECT_TRUE(none.subview(1).empty());
}

TEST(SharedBytes, CopiesShareTheBlock) {
  int released = 0;
  SharedBytes original = share("abcdef", released);
  SharedBytes copy = original;
  EXPECT_EQ(copy.data(), original.data());

  original.reset();

  EXPECT_TRUE(original.empty());
  EXPECT_EQ(text(copy), "abcdef");
  EXPECT_EQ(released, 0);
  copy = SharedBytes();
  EXPECT_EQ(released, 1);
}

TEST(SharedBytes, MovesLeaveNothing) {
  int released = 0;
  SharedBytes original = share("abcdef", released, Retention::detached);

  SharedBytes moved = std::move(original);

  EXPECT_TRUE(original.empty());  // NOLINT: shared bytes that were moved from are empty.
  EXPECT_EQ(moved.retention(), Retention::detached);
  moved.reset();
  EXPECT_EQ(released, 1);
}

TEST(SharedBytes, AssignmentDropsWhatWasHeld) {
  int first = 0;
  int second = 0;
  SharedBytes bytes = share("abc", first);

  bytes = share("def", second);
  SharedBytes& same = bytes;
  bytes = same;

  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
  EXPECT_EQ(text(bytes), "def");
}

TEST(SharedBytes, SubviewHoldsTheBlock) {
  int released = 0;
  SharedBytes part = share("abcdef", released).subview(2, 3);

  EXPECT_EQ(text(part), "cde");
  EXPECT_TRUE(part.subview(10).empty());
  EXPECT_EQ(text(part.subview(1, 100)), "de");
  EXPECT_EQ(released, 0);
  part.reset();
  EXPECT_EQ(released, 1);
}

TEST(SharedBytes, CompactCopiesAndLetsTheBlockGo) {
  int released = 0;
  const std::string bytes = test::pattern(1000);
  SharedBytes part = share(bytes, released).subview(10, 20);

  SharedBytes compact = part.compact();
  part.reset();

  EXPECT_EQ(released, 1);
  EXPECT_EQ(text(compact), bytes.substr(10, 20));
  SharedBytes copy = compact;
  compact.reset();
  EXPECT_EQ(text(copy), bytes.substr(10, 20));
}

TEST(SharedBytes, CompactOfNothingIsNothing) { EXPECT_TRUE(SharedBytes().compact().empty()); }

TEST(SharedBytes, ConvertsToSpanAndText) {
  int released = 0;
  const SharedBytes bytes = share("abc", released);

  const std::span<const std::byte> span = bytes;
  const std::string_view view = bytes;

  EXPECT_EQ(span.data(), bytes.data());
  EXPECT_EQ(view, "abc");
}

TEST(SharedBytes, CopiedAndDroppedByManyThreads) {
  int released = 0;
  const std::string expected = test::pattern(64);
  {
    const SharedBytes bytes = share(expected, released);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([mine = bytes, &expected] {
        for (int round = 0; round < 10'000; ++round) {
          const SharedBytes copy = mine;
          EXPECT_EQ(std::string_view(copy), expected);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(released, 0);
  }
  EXPECT_EQ(released, 1);
}

}  // namespace
}  // namespace forebay
