// SPDX-License-Identifier: Apache-2.0

// Every allocation of a scenario fails once: what comes is std::bad_alloc or a typed error, nothing
// leaks, nothing is released twice or too early, and what follows works.

#include <gtest/gtest.h>

#include <new>
#include <string>
#include <utility>
#include <vector>

#include "unit/core/allocation.h"
#include "unit/core/support.h"

namespace forebay {
namespace {

using test::chunk;
using test::text;
using test::try_add;

// Runs the scenario with each of its allocations failing, until it comes through with none.
template <class Scenario>
void with_each_allocation_failing(Scenario&& scenario) {
  bool failed = true;
  for (std::uint64_t nth = 0; failed; ++nth) {
    const std::int64_t alive = test::allocations_alive();
    {
      const test::FailingAllocation failing(nth);
      try {
        scenario();
      } catch (const std::bad_alloc&) {
        EXPECT_TRUE(failing.failed());
      }
      failed = failing.failed();
    }
    ASSERT_EQ(test::allocations_alive(), alive) << "with allocation " << nth << " failing";
    ASSERT_LT(nth, 1000u);
  }
}

TEST(StreamAllocation, MakingAStreamIsAllOrNothing) {
  with_each_allocation_failing([] { (void)make_stream(); });
}

TEST(StreamAllocation, ChunksAreMadeOrNot) {
  with_each_allocation_failing([] {
    int released = 0;
    {
      std::string text(1000, 'x');
      const Chunk copied = chunk("abc");
      const Chunk adopted = Chunk::adopt(std::move(text));
      const Chunk borrowed = test::borrow("abc", released);
    }
    EXPECT_EQ(released, 1);
  });
}

TEST(StreamAllocation, AdoptLeavesItsArgumentWhenItFails) {
  std::string bytes(1000, 'x');
  {
    const test::FailingAllocation failing(0);
    EXPECT_THROW((void)Chunk::adopt(std::move(bytes)), std::bad_alloc);
  }
  EXPECT_EQ(bytes, std::string(1000, 'x'));
}

TEST(StreamAllocation, BorrowThatFailsDoesNotRelease) {
  int released = 0;
  {
    const test::FailingAllocation failing(0);
    EXPECT_THROW((void)test::borrow("abc", released), std::bad_alloc);
  }
  EXPECT_EQ(released, 0);
}

// Functions that do the same and are all different.
template <int>
void count_release(void* context) noexcept {
  ++*static_cast<int*>(context);
}
template <int... kNumbers>
std::vector<Chunk> borrow_each(int& released, std::integer_sequence<int, kNumbers...>) {
  std::vector<Chunk> chunks;
  chunks.reserve(sizeof...(kNumbers));
  (chunks.push_back(
       Chunk::borrow(test::bytes_of("abc"), Release{&count_release<kNumbers>, &released})),
   ...);
  return chunks;
}

TEST(StreamAllocation, PassingBorrowedMemoryOnNeedsNoneAfterTheFirst) {
  int released = 0;
  auto [writer, reader] = make_stream();
  std::uint64_t before = 0;

  for (int round = 0; round < 100; ++round) {
    if (round == 1) before = test::allocations();
    for (int i = 0; i < 10; ++i) {
      writer.add_next_chunk(
          Chunk::borrow(test::bytes_of("abc"), Release{&count_release<0>, &released}));
    }
    for (int i = 0; i < 10; ++i) EXPECT_EQ(reader.read(3).size(), 3u);
  }

  EXPECT_EQ(test::allocations() - before, 0u);
  EXPECT_EQ(released, 999);
}

TEST(StreamAllocation, NoMoreBlocksAreKeptThanTheDocumentedNumber) {
  constexpr std::size_t kKept = detail::BorrowedBlocks<detail::SystemPolicy>::kKeptMax;
  constexpr std::size_t kChunks = kKept + 16;
  int released = 0;
  auto [writer, reader] = make_stream();
  const auto gather = [&, &own_writer = writer, &own_reader = reader] {
    for (std::size_t i = 0; i < kChunks; ++i) {
      own_writer.add_next_chunk(
          Chunk::borrow(test::bytes_of("a"), Release{&count_release<0>, &released}));
    }
    const std::uint64_t before = test::allocations();
    EXPECT_EQ(own_reader.read_gather(kChunks).size(), kChunks);
    const std::uint64_t after = test::allocations();
    EXPECT_EQ(own_reader.try_read(1).status, ReadStatus::would_block);
    return after - before;
  };
  constexpr std::uint64_t kList = 1;  // the list of the views

  EXPECT_EQ(gather(), kChunks + kList);
  EXPECT_EQ(gather(), kChunks - kKept + kList);
  EXPECT_EQ(released, static_cast<int>(2 * kChunks));
}

TEST(StreamAllocation, ManyKindsOfReleaseAreAllCalled) {
  with_each_allocation_failing([] {
    int released = 0;
    {
      auto [writer, reader] = make_stream();
      for (int round = 0; round < 2; ++round) {
        for (Chunk& one : borrow_each(released, std::make_integer_sequence<int, 20>())) {
          writer.add_next_chunk(std::move(one));
        }
        EXPECT_EQ(reader.read(30).size(), 30u);
      }
    }
    EXPECT_EQ(released, 40);
  });
}

TEST(StreamAllocation, ChunkThatNeedsABlockStaysWithTheCallerWithoutMemory) {
  int released = 0;
  auto [writer, reader] = make_stream();
  std::vector<Chunk> chunks = borrow_each(released, std::make_integer_sequence<int, 16>());
  for (std::size_t i = 0; i < 15; ++i) {
    EXPECT_EQ(writer.try_add_next_chunk(chunks[i]), PushStatus::ok);
  }
  {
    const test::FailingAllocation failing(0);
    EXPECT_THROW((void)writer.try_add_next_chunk(chunks[15]), std::bad_alloc);
  }

  EXPECT_EQ(text(ByteView(chunks[15].data(), chunks[15].size())), "abc");
  EXPECT_EQ(released, 0);
  EXPECT_EQ(writer.try_add_next_chunk(chunks[15]), PushStatus::ok);
  EXPECT_EQ(reader.skip(48), 48u);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(released, 16);
}

// The reader makes blocks for borrowed memory, which may fail.
TEST(StreamAllocation, ReadWithoutMemoryForABlockConsumesNothing) {
  int released = 0;
  const Release release{&count_release<0>, &released};
  auto [writer, reader] = make_stream();
  const auto failing = [](auto&& call) {
    const test::FailingAllocation first(0);
    EXPECT_THROW((void)call(), std::bad_alloc);
  };
  writer.add_next_chunk(chunk("abc"));
  for (const char* bytes : {"def", "ghi", "jkl"}) {
    writer.add_next_chunk(Chunk::borrow(test::bytes_of(bytes), release));
  }
  const ByteView first = reader.read(3);

  for (int i = 0; i < 2; ++i) failing([&own = reader] { return own.peek(3); });
  EXPECT_EQ(text(first), "abc");
  failing([&own = reader] { return own.read(3); });
  failing([&own = reader] { return own.at_end(); });
  EXPECT_EQ(text(reader.read(3)), "def");
  const std::vector<ByteView> views = [&own = reader] {
    // The first allocation is that of a second block.
    const test::FailingAllocation second(0);
    EXPECT_THROW((void)own.read_gather(6), std::bad_alloc);
    return own.read_gather(6);
  }();
  ASSERT_EQ(views.size(), 2u);
  EXPECT_EQ(text(views[0]) + text(views[1]), "ghijkl");
  EXPECT_EQ(released, 1);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(released, 3);
}

// What a call that failed leaves must be read as if it had not been made.
TEST(StreamAllocation, ReadsThatFailConsumeNothing) {
  std::string bytes = test::pattern(1200);
  auto [writer, reader] = make_stream();
  for (std::size_t at = 0; at < 1200; at += 100) {
    writer.add_next_chunk(chunk(std::string_view(bytes).substr(at, 100)));
  }
  writer.finish();
  const auto failing = [](auto&& call) {
    const test::FailingAllocation first(0);
    EXPECT_THROW((void)call(), std::bad_alloc);
  };

  failing([&own = reader] { return own.read(150); });
  failing([&own = reader] { return own.peek(300); });
  failing([&own = reader] { return own.try_read(300).view; });
  failing([&own = reader] { return own.read_gather(300); });
  failing([&own = reader] { return own.read_all(); });
  EXPECT_EQ(text(reader.read(150)), bytes.substr(0, 150));
  failing([&own = reader] { return own.peek(900); });
  EXPECT_EQ(text(reader.read_all()), bytes.substr(150));
  EXPECT_TRUE(reader.finished());
}

TEST(StreamAllocation, ErrorsWithoutMemoryAreBadAlloc) {
  auto [writer, reader] = make_stream();
  writer.finish();
  const test::FailingAllocation failing(0);

  EXPECT_THROW((void)reader.read(1), std::bad_alloc);
}

TEST(StreamAllocation, FailuresWithoutMemoryStillEndTheStream) {
  with_each_allocation_failing([] {
    {
      auto [writer, reader] = make_stream();
      StreamReader left = std::move(reader);
      { const StreamWriter gone = std::move(writer); }
      EXPECT_EQ(left.try_read(1).status, ReadStatus::failed);
    }
    auto [writer, reader] = make_stream();
    writer.fail(std::make_error_code(std::errc::io_error));
    EXPECT_EQ(reader.try_read(1).status, ReadStatus::failed);
    EXPECT_NE(reader.error(), nullptr);
  });
}

TEST(StreamAllocation, GatherForAStarvedWriterIsRetried) {
  auto [writer, reader] = make_stream(test::single_threaded(10));
  EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "x"), PushStatus::would_block);
  {
    const test::FailingAllocation failing(0);
    EXPECT_THROW((void)reader.try_read(11), std::bad_alloc);
  }

  EXPECT_EQ(reader.try_read(11).status, ReadStatus::would_block);
  EXPECT_EQ(try_add(writer, "x"), PushStatus::ok);
  EXPECT_EQ(text(reader.read(11)), "0123456789x");
}

TEST(StreamAllocation, WholeLifeUnderGuardsAndShares) {
  with_each_allocation_failing([] {
    int released = 0;
    int made = 0;
    const std::string bytes = test::pattern(100);
    const auto borrowed = [&] {
      Chunk one = test::borrow(bytes, released);
      ++made;
      return one;
    };
    try {
      SharedBytes shared;
      {
        auto [writer, reader] = make_stream(test::single_threaded(1000));
        for (int round = 0; round < 4; ++round) {
          writer.add_next_chunk(borrowed());
          writer.add_next_chunk(borrowed());
          const Guard guard = reader.pin();
          const ByteView gathered = reader.read(150);
          shared = reader.share(gathered);
          EXPECT_EQ(reader.skip(50), 50u);
          EXPECT_EQ(text(gathered), bytes + bytes.substr(0, 50));
          EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
        }
        writer.finish();
        EXPECT_TRUE(reader.at_end());
      }
      EXPECT_EQ(text(shared), bytes + bytes.substr(0, 50));
    } catch (...) {
      EXPECT_EQ(released, made);
      throw;
    }
    EXPECT_EQ(released, made);
  });
}

TEST(StreamAllocation, GatheringInCyclesNeedsNoMemoryAfterTheFirst) {
  auto [writer, reader] = make_stream();
  const std::string bytes = test::pattern(1000);
  std::uint64_t before = 0;
  std::uint64_t added = 0;

  for (int round = 0; round < 20; ++round) {
    if (round == 3) before = test::allocations(), added = 0;
    for (int i = 0; i < 2; ++i, ++added) writer.add_next_chunk(chunk(bytes));
    EXPECT_EQ(reader.skip(900), 900u);
    EXPECT_EQ(reader.read(150).size(), 150u);  // Little memory would do.
    EXPECT_EQ(reader.skip(50), 50u);
    EXPECT_EQ(reader.skip(400), 400u);
    writer.add_next_chunk(chunk(bytes)), ++added;
    EXPECT_EQ(reader.read(1400).size(), 1400u);
    EXPECT_EQ(reader.skip(100), 100u);
  }

  EXPECT_EQ(test::allocations() - before, added);
}

TEST(StreamAllocation, WhatNoEpochWasMadeForIsGivenBackAfterTheLastGuard) {
  auto [writer, reader] = make_stream(test::single_threaded(8));
  ASSERT_EQ(try_add(writer, "01234567"), PushStatus::ok);
  EXPECT_EQ(text(reader.read(8)), "01234567");
  Guard guard = reader.pin();
  ASSERT_EQ(try_add(writer, "x"), PushStatus::would_block);
  {
    const test::FailingAllocation failing(0);
    EXPECT_EQ(reader.try_read(1).status, ReadStatus::exhausted);
    ASSERT_TRUE(failing.failed());
  }

  guard.reset();

  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(try_add(writer, "x"), PushStatus::ok);
}

// Without memory nobody tells the callback of the last drop; what comes in spite of it is not lost.
TEST(StreamAllocation, GuardsThatCannotBeWatchedDoNotKeepTheirMemory) {
  auto [writer, reader] = make_stream(test::small(8));
  ASSERT_EQ(try_add(writer, "01234567"), PushStatus::ok);
  EXPECT_EQ(text(reader.read(8)), "01234567");
  Guard guard = reader.pin();
  ASSERT_EQ(try_add(writer, "x"), PushStatus::would_block);
  bool called = false;
  {
    const test::FailingAllocation failing(0);
    EXPECT_TRUE(reader.on_readable([](void* flag) { *static_cast<bool*>(flag) = true; }, &called));
    ASSERT_TRUE(failing.failed());
  }

  guard.reset();
  EXPECT_FALSE(called);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(try_add(writer, "x"), PushStatus::ok);

  EXPECT_TRUE(called);
  EXPECT_EQ(text(reader.read(1)), "x");
}

TEST(StreamAllocation, PeekThatFailsLeavesEarlierViewsGood) {
  auto [writer, reader] = make_stream(test::single_threaded(100));
  for (const char* part : {"0123", "4567", "89ab"}) {
    ASSERT_EQ(try_add(writer, part), PushStatus::ok);
  }
  const ByteView before = reader.read(6);  // Gathered.
  {
    const test::FailingAllocation failing(0);
    EXPECT_THROW((void)reader.peek(4), std::bad_alloc);
  }

  EXPECT_EQ(text(reader.peek(4)), "6789");
  EXPECT_EQ(text(before), "012345");
}

TEST(StreamAllocation, ReadingViewsAllocatesNothing) {
  auto [writer, reader] = make_stream();
  for (int i = 0; i < 100; ++i) writer.add_next_chunk(chunk(test::pattern(100)));
  const std::uint64_t before = test::allocations();

  for (int i = 0; i < 100; ++i) {
    const Guard guard = reader.pin();
    const SharedBytes shared = reader.share(reader.read(100));
  }

  // Retiring under a guard takes one small record for the next epoch.
  EXPECT_LE(test::allocations() - before, 100u);
}

}  // namespace
}  // namespace forebay
