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

TEST(StreamBound, BytesAreAdmittedUpToTheBound) {
  auto [writer, reader] = make_stream(test::single_threaded(10));

  EXPECT_EQ(try_add(writer, "0123"), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "4567"), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "890"), PushStatus::would_block);
  EXPECT_EQ(try_add(writer, "89"), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "x"), PushStatus::would_block);

  EXPECT_EQ(reader.stats().bytes_peak, 10u);
  EXPECT_EQ(reader.stats().bound_hits, 2u);
}

TEST(StreamBound, CapacityCountsNotPayload) {
  std::string roomy = test::pattern(100);
  roomy.reserve(1000);
  auto [writer, reader] = make_stream(test::single_threaded(1000));

  writer.add_next_chunk(Chunk::adopt(std::move(roomy)));

  EXPECT_GE(reader.stats().bytes_buffered, 1000u);
  EXPECT_EQ(reader.stats().bytes_in, 100u);
  EXPECT_EQ(try_add(writer, "x"), PushStatus::would_block);
}

TEST(StreamBound, CapacityHasToFitNotPayload) {
  std::string roomy = test::pattern(100);
  roomy.reserve(1000);
  Chunk large = Chunk::adopt(std::move(roomy));
  auto [writer, reader] = make_stream(test::single_threaded(1000));
  EXPECT_EQ(try_add(writer, "x"), PushStatus::ok);

  EXPECT_EQ(writer.try_add_next_chunk(large), PushStatus::would_block);

  EXPECT_EQ(reader.stats().bytes_peak, 1u);
}

TEST(StreamBound, ItemsAreAdmittedUpToTheBound) {
  auto [writer, reader] = make_stream(test::single_threaded(1000, 3));

  EXPECT_EQ(try_add(writer, "a"), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "b"), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "c"), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "d"), PushStatus::would_block);

  EXPECT_EQ(text(reader.read(1)), "a");
  EXPECT_EQ(text(reader.read(1)), "b");
  EXPECT_EQ(try_add(writer, "d"), PushStatus::ok);
}

TEST(StreamBound, RoomForItemsIsAtMostAQuarterMore) {
  auto [writer, reader] = make_stream(test::single_threaded(1000, 16));
  std::size_t admitted = 0;

  while (try_add(writer, "a") == PushStatus::ok) ++admitted;

  EXPECT_GE(admitted, 16u);
  EXPECT_LE(admitted, 20u);
}

TEST(StreamBound, ChunkLargerThanTheBoundIsAdmittedAlone) {
  auto [writer, reader] = make_stream(test::single_threaded(4));

  EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "x"), PushStatus::would_block);
  EXPECT_EQ(text(reader.read(10)), "0123456789");
  EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::would_block);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);
}

// No chunk of these sizes is ever looked at beyond its first bytes.
TEST(StreamBound, ChunkLargerThanASliceCanSayIsRefused) {
  constexpr std::size_t kBytesMax = detail::Slice::kSizeMax;
  int released = 0;
  const Release release{[](void* count) noexcept { ++*static_cast<int*>(count); }, &released};
  const auto sized = [&release](std::size_t size) {
    return Chunk::borrow(std::span(test::bytes_of("abc").data(), size), release);
  };
  auto [writer, reader] = make_stream(test::single_threaded(10));

  Chunk beyond = sized(kBytesMax + 1);
  try {
    (void)writer.try_add_next_chunk(beyond);
    FAIL() << "no LimitExceeded";
  } catch (const LimitExceeded& error) {
    EXPECT_EQ(error.limit(), kBytesMax);
    EXPECT_EQ(error.asked(), kBytesMax + 1);
  }
  EXPECT_EQ(beyond.size(), kBytesMax + 1);
  EXPECT_EQ(released, 0);
  EXPECT_THROW(writer.add_next_chunk(std::move(beyond)), LimitExceeded);
  EXPECT_EQ(released, 1);
  EXPECT_EQ(reader.stats().slices_in, 0u);

  writer.add_next_chunk(sized(kBytesMax));
  EXPECT_EQ(reader.stats().bytes_buffered, kBytesMax);
  EXPECT_EQ(text(reader.read(3)), "abc");
  reader.cancel();
  EXPECT_THROW((void)reader.read(1), Cancelled);
  EXPECT_EQ(released, 2);
}

TEST(StreamBound, ChunkLargerThanTheBoundWaitsForTheLastByte) {
  auto [writer, reader] = make_stream(test::single_threaded(4));
  EXPECT_EQ(try_add(writer, "a"), PushStatus::ok);

  EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::would_block);
  EXPECT_EQ(try_add(writer, "b"), PushStatus::ok);
}

TEST(StreamBound, AddingEmptyChunksNeedsNoRoom) {
  auto [writer, reader] = make_stream(test::single_threaded(1, 1));
  EXPECT_EQ(try_add(writer, "a"), PushStatus::ok);

  writer.add_next_chunk(Chunk());

  EXPECT_EQ(try_add(writer, ""), PushStatus::ok);
}

TEST(StreamBound, BlockedWriterGoesOnWhenTheReaderWaits) {
  auto [writer, reader] = make_stream(test::small(4));
  std::thread writing([&own = writer] {
    for (int i = 0; i < 100; ++i) own.add_next_chunk(chunk("abc"));
    own.finish();
  });

  std::string all;
  while (!reader.at_end()) all += text(reader.read_some(2));
  writing.join();

  EXPECT_EQ(all.size(), 300u);
  EXPECT_EQ(all.substr(297), "abc");
}

TEST(StreamBound, ReadLargerThanTheBoundWorksForAPollingThread) {
  auto [writer, reader] = make_stream(test::single_threaded(10, 4));
  const std::string bytes = test::pattern(1000);
  std::size_t added = 0;
  ReadResult result = reader.try_read(1000);

  for (int round = 0; round < 1000 && result.status == ReadStatus::would_block; ++round) {
    if (added < bytes.size() && try_add(writer, bytes.substr(added, 7)) == PushStatus::ok) {
      added = std::min(added + 7, bytes.size());
    }
    result = reader.try_read(1000);
  }

  ASSERT_EQ(result.status, ReadStatus::ok);
  EXPECT_EQ(text(result.view), bytes);
  EXPECT_LE(reader.stats().bytes_peak, 10u);
}

TEST(StreamBound, EveryTryReadMakesRoomForAPollingWriter) {
  auto [writer, reader] = make_stream(test::single_threaded(10, 4));

  EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "abc"), PushStatus::would_block);
  const ReadResult result = reader.try_read(12);

  EXPECT_EQ(result.status, ReadStatus::would_block);
  EXPECT_EQ(result.available, 10u);
  EXPECT_EQ(try_add(writer, "abc"), PushStatus::ok);
  EXPECT_EQ(text(reader.read(12)), "0123456789ab");
}

TEST(StreamBound, ReadThatWouldWaitGivesEverySlotBack) {
  const StreamOptions options = test::single_threaded(1000, 16);
  std::size_t most = 0;
  {
    auto [writer, reader] = make_stream(options);
    while (try_add(writer, "a") == PushStatus::ok) ++most;
  }
  auto [writer, reader] = make_stream(options);
  for (std::size_t i = 0; i < most; ++i) ASSERT_EQ(try_add(writer, "a"), PushStatus::ok);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(text(reader.read(1)), "a");

  EXPECT_EQ(reader.try_read(most).status, ReadStatus::would_block);

  for (int i = 0; i < 3; ++i) EXPECT_EQ(try_add(writer, "b"), PushStatus::ok) << i;
  EXPECT_EQ(reader.stats().bytes_copied, 0u);
}

TEST(StreamBound, ReadThatWouldWaitTellsOfTheLeastThatItGaveBack) {
  auto [writer, reader] = make_stream(test::single_threaded(64));
  EXPECT_EQ(try_add(writer, "abcd"), PushStatus::ok);
  EXPECT_EQ(try_add(writer, test::pattern(60)), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "efgh"), PushStatus::would_block);
  EXPECT_EQ(reader.skip(4), 4u);

  EXPECT_EQ(reader.try_read(64).status, ReadStatus::would_block);

  // Once it is told, the writer has room, and nothing has to be gathered to make some.
  EXPECT_EQ(reader.stats().bytes_copied, 0u);
  EXPECT_EQ(try_add(writer, "efgh"), PushStatus::ok);
}

TEST(StreamBound, ReaderThatWaitsWakesAWriterThatHasRoomInAFullStream) {
  auto [writer, reader] = make_stream(test::small(10));
  EXPECT_EQ(try_add(writer, "01"), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "23456789"), PushStatus::ok);
  auto added = std::async(std::launch::async, [&own = writer] { own.add_next_chunk(chunk("ab")); });
  test::await_parked_writer(reader);

  // The first two bytes make room, but too little to wake the writer for; the wait has to do it.
  EXPECT_EQ(text(reader.read(2)), "01");
  EXPECT_EQ(text(reader.read(10)), "23456789ab");
  added.get();
}

TEST(StreamBound, WriterSleepsOnUntilHalfOfTheBoundIsFree) {
  auto [writer, reader] = make_stream(test::small(64));
  for (int i = 0; i < 8; ++i) EXPECT_EQ(try_add(writer, "01234567"), PushStatus::ok);
  auto added = std::async(std::launch::async, [&own = writer] { own.add_next_chunk(chunk("x")); });
  test::await_parked_writer(reader);

  // The last of what was read is held for its view.
  for (int i = 0; i < 4; ++i) EXPECT_EQ(reader.read(8).size(), 8u);
  test::eventually(&test::others_sleep);
  EXPECT_EQ(added.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  EXPECT_EQ(reader.stats().writer.spurious_wakes, 0u);

  // Now it is, and the reader need not wait for the writer to hear of it.
  EXPECT_EQ(reader.read(8).size(), 8u);
  added.get();
  EXPECT_EQ(reader.stats().reader.waits, 0u);
}

TEST(StreamBound, ReadWithoutAStarvedWriterGathersNothingEarly) {
  auto [writer, reader] = make_stream(test::single_threaded(10));
  EXPECT_EQ(try_add(writer, "0123"), PushStatus::ok);

  EXPECT_EQ(reader.try_read(8).status, ReadStatus::would_block);

  EXPECT_EQ(reader.stats().bytes_copied, 0u);
}

TEST(StreamBound, ReadLargerThanTheBoundWorksAcrossThreads) {
  auto [writer, reader] = make_stream(test::small(64, 4));
  const std::string bytes = test::pattern(20'000);
  std::thread writing([&own = writer, &bytes] {
    for (std::size_t at = 0; at < bytes.size(); at += 13) {
      own.add_next_chunk(chunk(std::string_view(bytes).substr(at, 13)));
    }
    own.finish();
  });

  EXPECT_EQ(text(reader.peek(9000)), bytes.substr(0, 9000));
  EXPECT_EQ(text(reader.read(9000)), bytes.substr(0, 9000));
  EXPECT_EQ(text(reader.read_all()), bytes.substr(9000));
  writing.join();
  EXPECT_LE(reader.stats().bytes_peak, 64u);
}

TEST(StreamBound, LargerReadThatIsLimitedLosesNothing) {
  StreamOptions options = test::single_threaded(10);
  options.gather_bytes_max = 30;
  auto [writer, reader] = make_stream(options);
  std::string expected;
  ReadStatus status = ReadStatus::would_block;

  for (char c = 'a'; status == ReadStatus::would_block; ++c) {
    const std::string one(10, c);
    if (try_add(writer, one) == PushStatus::ok) expected += one;
    (void)try_add(writer, one);
    status = reader.try_read(31).status;
  }

  EXPECT_EQ(status, ReadStatus::limit_exceeded);
  EXPECT_EQ(text(reader.read(expected.size())), expected);
}

TEST(StreamBound, GatheringForAStarvedWriterKeepsTheLimit) {
  StreamOptions options = test::single_threaded(10);
  options.gather_bytes_max = 30;
  auto [writer, reader] = make_stream(options);
  EXPECT_EQ(try_add(writer, test::pattern(100)), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "x"), PushStatus::would_block);

  EXPECT_EQ(reader.try_read(200).status, ReadStatus::limit_exceeded);
  EXPECT_THROW((void)reader.read_all(), LimitExceeded);

  EXPECT_EQ(reader.stats().bytes_copied, 0u);
  EXPECT_EQ(text(reader.read(100)), test::pattern(100));
}

TEST(StreamBound, GatherOfViewsThatFillTheBoundIsRefused) {
  auto [writer, reader] = make_stream(test::single_threaded(10, 2));
  EXPECT_EQ(try_add(writer, "ab"), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "cd"), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "ef"), PushStatus::would_block);

  try {
    (void)reader.read_gather(6);
    FAIL() << "no LimitExceeded";
  } catch (const LimitExceeded& error) {
    EXPECT_EQ(error.limit(), 10u);
    EXPECT_EQ(error.asked(), 6u);
  }
  EXPECT_EQ(text(reader.read(4)), "abcd");
}

TEST(StreamBound, GatherOfViewsWaitsForMoreThanMayBeCopied) {
  StreamOptions options = test::small(100);
  options.gather_bytes_max = 4;
  auto [writer, reader] = make_stream(options);
  writer.add_next_chunk(chunk("ab"));
  writer.add_next_chunk(chunk("cd"));
  auto views = std::async(std::launch::async, [&own = reader] {
    std::string all;
    for (const ByteView& view : own.read_gather(6)) all += text(view) + "|";
    return all;
  });
  test::await_parked_reader(writer);

  writer.add_next_chunk(chunk("ef"));

  EXPECT_EQ(views.get(), "ab|cd|ef|");
  EXPECT_EQ(reader.stats().bytes_copied, 0u);
}

TEST(StreamBound, AtEndDoesNotHoldTheOnlyChunkBack) {
  auto [writer, reader] = make_stream(test::small(8, 1));
  std::thread writing([&own = writer] {
    for (int i = 0; i < 50; ++i) own.add_next_chunk(chunk("01234567"));
    own.finish();
  });

  std::size_t count = 0;
  while (!reader.at_end()) {
    const ByteView view = reader.read(8);
    if (count % 2 == 0) {
      EXPECT_FALSE(count < 49 && reader.at_end());
    }
    EXPECT_EQ(text(view), "01234567");  // Still good: at_end() consumes nothing.
    ++count;
  }
  writing.join();

  EXPECT_EQ(count, 50u);
  EXPECT_EQ(reader.stats().bytes_copied, 0u);
}

TEST(StreamBound, PeekDoesNotHoldTheOnlyChunkBack) {
  auto [writer, reader] = make_stream(test::small(8, 1));
  std::thread writing([&own = writer] {
    for (int i = 0; i < 50; ++i) own.add_next_chunk(chunk("01234567"));
    own.finish();
  });

  for (int i = 0; i < 25; ++i) {
    const ByteView view = reader.read(8);
    EXPECT_EQ(text(reader.peek(8)), "01234567");
    EXPECT_EQ(text(view), "01234567");
    EXPECT_EQ(text(reader.read(8)), "01234567");
  }
  EXPECT_TRUE(reader.at_end());
  writing.join();
}

TEST(StreamBound, PeekAcrossMoreThanTheBoundKeepsEarlierViews) {
  auto [writer, reader] = make_stream(test::small(8, 1));
  const std::string bytes = test::pattern(400);
  std::thread writing([&own = writer, &bytes] {
    for (std::size_t at = 0; at < bytes.size(); at += 8) {
      own.add_next_chunk(chunk(std::string_view(bytes).substr(at, 8)));
    }
    own.finish();
  });

  const ByteView before = reader.read(4);
  const ByteView peeked = reader.peek(300);
  EXPECT_EQ(text(before), bytes.substr(0, 4));
  EXPECT_EQ(text(peeked), bytes.substr(4, 300));
  EXPECT_EQ(text(reader.read_all()), bytes.substr(4));
  writing.join();
}

TEST(StreamBound, PeekKeepsNoMemoryThatNobodyHasSeen) {
  auto [writer, reader] = make_stream(test::small(8, 4));
  const std::string bytes = test::pattern(400);
  int released = 0;
  std::thread writing([&own = writer, &bytes, &released] {
    for (std::size_t at = 0; at < bytes.size(); at += 8) {
      own.add_next_chunk(test::borrow(std::string_view(bytes).substr(at, 8), released));
    }
  });

  const ByteView seen = reader.read(4);
  EXPECT_EQ(text(reader.peek(396)), bytes.substr(4));
  writing.join();

  // All but the chunk that was seen, and what the bound lets the writer add behind the last that
  // had to make room.
  EXPECT_GE(released, 50 - 2);
  EXPECT_LT(released, 50);
  EXPECT_EQ(text(seen), bytes.substr(0, 4));
}

TEST(StreamBound, LargerRequestAfterOneThatGaveUpIsHeardByAWaitingReader) {
  auto [writer, reader] = make_stream(test::small(10));
  EXPECT_EQ(try_add(writer, "012"), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "3"), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "abcdefg"), PushStatus::would_block);
  EXPECT_EQ(reader.skip(3), 3u);
  // The reader finds that what the writer wanted fits by now, and waits.
  auto read = std::async(std::launch::async, [&own = reader] { return text(own.read(11)); });
  test::await_parked_reader(writer);

  // This does not fit beside the one byte: only the waiting reader can make room.
  writer.add_next_chunk(chunk("abcdefghij"));

  EXPECT_EQ(read.get(), "3abcdefghij");
}

TEST(StreamBound, WriterThatFirstLackedASlotAndThenBytesIsFed) {
  auto [writer, reader] = make_stream(test::small(10, 2));
  EXPECT_EQ(try_add(writer, "abc"), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "def"), PushStatus::ok);
  auto added =
      std::async(std::launch::async, [&own = writer] { own.add_next_chunk(chunk("012345678")); });
  test::await_parked_writer(reader);

  EXPECT_EQ(reader.skip(3), 3u);  // One slot is free, and 7 bytes.
  EXPECT_EQ(text(reader.read(12)), "def012345678");
  added.get();
}

TEST(StreamBound, ReaderIsNotBlamedForARequestThatWasGivenUp) {
  StreamOptions options = test::single_threaded(10);
  auto [writer, reader] = make_stream(options);
  EXPECT_EQ(try_add(writer, "0123"), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "abcdefghij"), PushStatus::would_block);
  EXPECT_EQ(try_add(writer, "45"), PushStatus::ok);
  const Guard guard = reader.pin();
  EXPECT_EQ(reader.skip(6), 6u);

  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(try_add(writer, "67"), PushStatus::ok);
}

}  // namespace
}  // namespace forebay
