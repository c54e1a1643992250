// SPDX-License-Identifier: Apache-2.0

// Every allocation of a scenario fails once: what comes is std::bad_alloc or a typed error, nothing
// leaks, nothing is released twice or too early, and what follows works.

#include <gtest/gtest.h>

#include <new>
#include <string>

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
  for (std::uint64_t nth = 0; nth < 2; ++nth) {
    const test::FailingAllocation failing(nth);
    EXPECT_THROW((void)test::borrow("abc", released), std::bad_alloc);
  }
  EXPECT_EQ(released, 0);
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
