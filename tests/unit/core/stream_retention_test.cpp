// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <thread>

#include "unit/core/support.h"

namespace forebay {
namespace {

using test::chunk;
using test::text;
using test::try_add;

TEST(StreamRetention, GuardsCountAgainstTheBound) {
  auto [writer, reader] = make_stream(test::small(10));
  EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);
  Guard guard = reader.pin();
  (void)reader.skip(10);

  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(reader.stats().bytes_retained, 10u);
  EXPECT_EQ(try_add(writer, "x"), PushStatus::would_block);

  guard.reset();
  EXPECT_EQ(reader.stats().bytes_retained, 0u);
  EXPECT_EQ(try_add(writer, "x"), PushStatus::ok);
}

TEST(StreamRetention, DropOnAnotherThreadWakesTheWriter) {
  auto [writer, reader] = make_stream(test::small(10));
  EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);
  Guard guard = reader.pin();
  (void)reader.skip(10);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  auto added = std::async(std::launch::async, [&own = writer] { own.add_next_chunk(chunk("x")); });
  test::await_parked_writer(reader);

  std::thread([moved = std::move(guard)] {}).join();

  added.get();
  EXPECT_EQ(text(reader.read(1)), "x");
}

TEST(StreamRetention, DropOfAShareOnAnotherThreadWakesTheWriter) {
  auto [writer, reader] = make_stream(test::small(10));
  EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);
  SharedBytes shared = reader.share(reader.read(10));
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  auto added = std::async(std::launch::async, [&own = writer] { own.add_next_chunk(chunk("x")); });
  test::await_parked_writer(reader);

  std::thread([moved = std::move(shared)] {}).join();

  added.get();
  EXPECT_EQ(text(reader.read(1)), "x");
}

// The reader waits for bytes, the writer for memory, and the reader's own guard holds it.
TEST(StreamRetention, SelfMadeDeadlockEndsAtOnceWithoutGrace) {
  auto [writer, reader] = make_stream(test::single_threaded(10));
  EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);
  Guard guard = reader.pin();
  (void)reader.skip(10);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);  // The writer wants nothing yet.
  EXPECT_EQ(try_add(writer, "x"), PushStatus::would_block);

  EXPECT_EQ(reader.try_read(1).status, ReadStatus::exhausted);
  try {
    (void)reader.read(1);
    FAIL() << "no RetainedBudgetExhausted";
  } catch (const RetainedBudgetExhausted& error) {
    EXPECT_EQ(error.retained_bytes(), 10u);
    EXPECT_NE(std::string(error.what()).find("10 bytes"), std::string::npos);
  }

  guard.reset();
  EXPECT_EQ(try_add(writer, "x"), PushStatus::ok);
  EXPECT_EQ(text(reader.read(1)), "x");
}

TEST(StreamRetention, SharesExhaustTheBudgetAsGuardsDo) {
  auto [writer, reader] = make_stream(test::single_threaded(10));
  EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);
  SharedBytes shared = reader.share(reader.read(1));
  (void)reader.skip(9);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(try_add(writer, "x"), PushStatus::would_block);

  EXPECT_THROW((void)reader.read(1), RetainedBudgetExhausted);
  EXPECT_THROW((void)reader.at_end(), RetainedBudgetExhausted);
  EXPECT_EQ(text(shared), "0");
}

TEST(StreamRetention, PollingWithAGraceGoesOnPolling) {
  auto [writer, reader] = make_stream(test::small(10));
  EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);
  const Guard guard = reader.pin();
  (void)reader.skip(10);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(try_add(writer, "x"), PushStatus::would_block);

  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
}

TEST(StreamRetention, GraceIsWaitedOut) {
  StreamOptions options = test::small(10);
  options.retention_grace = std::chrono::milliseconds(30);
  auto [writer, reader] = make_stream(options);
  EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);
  const Guard guard = reader.pin();
  (void)reader.skip(10);
  auto added = std::async(std::launch::async, [&own = writer] {
    Chunk one = chunk("x");
    return own.add_next_chunk_until(one, Deadline::never());
  });
  test::await_parked_writer(reader);

  const auto began = std::chrono::steady_clock::now();
  EXPECT_THROW((void)reader.read(1), RetainedBudgetExhausted);

  EXPECT_GE(std::chrono::steady_clock::now() - began, options.retention_grace);
  reader.cancel();
  EXPECT_EQ(added.get(), PushStatus::cancelled);
}

// How long after a drop that frees nothing the reader's wait ended.
std::chrono::nanoseconds grace_after_drop(bool by_guard, StreamOptions& options) {
  using Clock = std::chrono::steady_clock;
  Clock::duration since_drop(0);
  // The drop comes in the middle of the grace: late enough for a clock that goes on to show. With a
  // longer one where that middle was missed.
  for (int ms = 60; since_drop <= Clock::duration(0); ms *= 2) {
    options.retention_grace = std::chrono::milliseconds(ms);
    auto [writer, reader] = make_stream(options);
    EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);
    Guard guard;
    if (by_guard) guard = reader.pin();
    const ByteView view = reader.read(10);
    SharedBytes share;
    if (!by_guard) share = reader.share(view);
    Guard guard_copy = guard;
    SharedBytes share_copy = share;
    EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
    EXPECT_EQ(try_add(writer, "x"), PushStatus::would_block);
    Clock::time_point dropped;
    std::thread dropping([&, &own_writer = writer] {
      test::await_parked_reader(own_writer);
      std::this_thread::sleep_for(options.retention_grace / 2);
      dropped = Clock::now();
      guard_copy.reset();
      share_copy.reset();
    });

    EXPECT_THROW((void)reader.read(1), RetainedBudgetExhausted);
    const auto thrown = Clock::now();
    dropping.join();
    since_drop = thrown - dropped;
  }
  return since_drop;
}

TEST(StreamRetention, DropOfAGuardThatFreesNothingRestartsTheGrace) {
  StreamOptions options = test::small(10);
  EXPECT_GE(grace_after_drop(true, options), options.retention_grace);
}

TEST(StreamRetention, DropOfAShareThatFreesNothingRestartsTheGrace) {
  StreamOptions options = test::small(10);
  EXPECT_GE(grace_after_drop(false, options), options.retention_grace);
}

TEST(StreamRetention, DeadlineBeforeTheGraceIsATimeOut) {
  auto [writer, reader] = make_stream(test::small(10));
  EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);
  const Guard guard = reader.pin();
  (void)reader.skip(10);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(try_add(writer, "x"), PushStatus::would_block);

  const auto deadline = Deadline::after(std::chrono::milliseconds(5));
  EXPECT_EQ(reader.read_until(1, deadline).status, ReadStatus::timed_out);
}

TEST(StreamRetention, WhatAGuardHoldsCountsWhenOnlyTheEndIsLookedFor) {
  auto [writer, reader] = make_stream(test::single_threaded(10));
  EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);
  Guard guard = reader.pin();
  const ByteView view = reader.read(10);
  EXPECT_EQ(try_add(writer, "x"), PushStatus::would_block);

  EXPECT_THROW((void)reader.at_end(), RetainedBudgetExhausted);
  EXPECT_EQ(reader.stats().bytes_retained, 10u);
  EXPECT_EQ(try_add(writer, "x"), PushStatus::would_block);

  guard.reset();
  EXPECT_TRUE(reader.on_readable([](void*) {}, nullptr));  // Nobody is to blame any more.
  EXPECT_EQ(try_add(writer, "x"), PushStatus::ok);
  EXPECT_EQ(text(view), "0123456789");
}

TEST(StreamRetention, ReaderThatOnlyLooksForTheEndHearsOfTheLastDrop) {
  for (const bool by_guard : {true, false}) {
    StreamOptions options = test::small(10);
    options.retention_grace = std::chrono::hours(1);
    auto [writer, reader] = make_stream(options);
    EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);
    Guard guard;
    if (by_guard) guard = reader.pin();
    const ByteView view = reader.read(10);
    SharedBytes shared;
    if (!by_guard) shared = reader.share(view);
    EXPECT_EQ(try_add(writer, "x"), PushStatus::would_block);
    auto ended = std::async(std::launch::async, [&own = reader] { return own.at_end(); });
    auto added =
        std::async(std::launch::async, [&own = writer] { own.add_next_chunk(chunk("x")); });
    test::await_parked_reader(writer);
    test::await_parked_writer(reader);

    guard.reset();
    shared.reset();

    EXPECT_FALSE(ended.get());
    added.get();
    EXPECT_EQ(text(view), "0123456789");
  }
}

TEST(StreamRetention, CallbackHearsOfTheLastDropOfWhatOnlyLingers) {
  auto [writer, reader] = make_stream(test::small(8));
  ASSERT_EQ(try_add(writer, "01234567"), PushStatus::ok);
  EXPECT_EQ(text(reader.read(8)), "01234567");
  Guard guard = reader.pin();
  ASSERT_EQ(try_add(writer, "x"), PushStatus::would_block);
  bool called = false;
  ASSERT_TRUE(reader.on_readable([](void* flag) { *static_cast<bool*>(flag) = true; }, &called));

  guard.reset();

  EXPECT_TRUE(called);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(try_add(writer, "x"), PushStatus::ok);
}

TEST(StreamRetention, WhatAShareHoldsCountsWhenOnlyTheEndIsLookedFor) {
  auto [writer, reader] = make_stream(test::single_threaded(10));
  EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);
  SharedBytes shared = reader.share(reader.read(10));
  EXPECT_EQ(try_add(writer, "x"), PushStatus::would_block);

  EXPECT_THROW((void)reader.at_end(), RetainedBudgetExhausted);

  shared.reset();
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(try_add(writer, "x"), PushStatus::ok);
}

TEST(StreamRetention, WhatIsHeldAfterItsChargeWentBackIsChargedAgain) {
  auto [writer, reader] = make_stream(test::small(10));
  for (const bool by_guard : {true, false}) {
    EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);
    const ByteView view = reader.read(10);
    EXPECT_EQ(try_add(writer, "abcdefghij"), PushStatus::would_block);
    EXPECT_TRUE(reader.on_readable([](void*) {}, nullptr));  // Gives the charge back.
    EXPECT_EQ(reader.stats().bytes_buffered, 0u);

    Guard guard;
    SharedBytes shared;
    if (by_guard) {
      guard = reader.pin();
    } else {
      shared = reader.share(view);
    }
    EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);

    EXPECT_EQ(reader.stats().bytes_retained, 10u);
    EXPECT_EQ(try_add(writer, "x"), PushStatus::would_block);
    EXPECT_EQ(text(view), "0123456789");
    guard.reset();
    shared.reset();
    EXPECT_EQ(reader.stats().bytes_retained, 0u);
    EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  }
}

TEST(StreamRetention, SharesOfGatheredBytesAreGivenBackExactlyOnce) {
  // The worker drops its share at the moment at which the reader is done with the memory.
  auto [writer, reader] = make_stream(test::small(1 << 20));
  std::thread worker;
  const int rounds = test::kSanitized ? 500 : 3000;
  for (int i = 0; i < rounds; ++i) {
    writer.add_next_chunk(chunk("0123"));
    writer.add_next_chunk(chunk("4567"));
    std::promise<SharedBytes> handed;
    worker = std::thread([share = handed.get_future()]() mutable { share.get().reset(); });
    handed.set_value(reader.share(reader.read(8)));
    EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
    worker.join();
    ASSERT_EQ(reader.stats().bytes_retained, 0u) << "after " << i << " rounds";
    ASSERT_EQ(reader.stats().bytes_buffered, 0u);
  }
}

}  // namespace
}  // namespace forebay
