// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <future>
#include <stop_token>
#include <string>
#include <thread>

#include "unit/core/support.h"

namespace forebay {
namespace {

using std::chrono::milliseconds;
using test::chunk;
using test::text;
using test::try_add;

const Deadline kPast = Deadline::at(Deadline::time_point::min());
const Deadline kZero = Deadline::after(milliseconds(0));
const Deadline kMaximum = Deadline::after(std::chrono::hours::max());

TEST(StreamWait, TryReadSaysWhatIsThere) {
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(chunk("abc"));
  writer.add_next_chunk(chunk("def"));

  const ReadResult more = reader.try_read(7);
  EXPECT_EQ(more.status, ReadStatus::would_block);
  EXPECT_EQ(more.available, 6u);
  EXPECT_TRUE(more.view.empty());

  const ReadResult all = reader.try_read(6);
  EXPECT_EQ(all.status, ReadStatus::ok);
  EXPECT_EQ(all.available, 6u);
  EXPECT_EQ(text(all.view), "abcdef");

  writer.finish();
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::end);
}

TEST(StreamWait, DeadlinesThatHavePassedMakeOneAttempt) {
  auto [writer, reader] = make_stream(test::small(4));
  for (const Deadline deadline : {kPast, kZero}) {
    EXPECT_EQ(reader.read_until(1, deadline).status, ReadStatus::timed_out);
  }
  EXPECT_EQ(try_add(writer, "abcd"), PushStatus::ok);
  for (const Deadline deadline : {kPast, kZero}) {
    Chunk more = chunk("e");
    EXPECT_EQ(writer.add_next_chunk_until(more, deadline), PushStatus::timed_out);
    EXPECT_EQ(more.size(), 1u);
  }

  // What is there wins over a deadline that has passed.
  EXPECT_EQ(text(reader.read_until(2, kPast).view), "ab");
  const ReadResult short_read = reader.read_until(3, kPast);
  EXPECT_EQ(short_read.status, ReadStatus::timed_out);
  EXPECT_EQ(short_read.available, 2u);
}

TEST(StreamWait, DeadlineIsWaitedOut) {
  auto [writer, reader] = make_stream();
  const auto began = Deadline::clock::now();

  EXPECT_EQ(reader.read_until(1, Deadline::at(began + milliseconds(10))).status,
            ReadStatus::timed_out);

  EXPECT_GE(Deadline::clock::now(), began + milliseconds(10));
}

TEST(StreamWait, WriterWaitsOutItsDeadlineAndKeepsTheChunk) {
  int released = 0;
  auto [writer, reader] = make_stream(test::small(4));
  EXPECT_EQ(try_add(writer, "abcd"), PushStatus::ok);
  Chunk more = test::borrow("efgh", released);
  const auto began = Deadline::clock::now();

  EXPECT_EQ(writer.add_next_chunk_until(more, Deadline::at(began + milliseconds(10))),
            PushStatus::timed_out);

  EXPECT_GE(Deadline::clock::now(), began + milliseconds(10));
  EXPECT_EQ(more.size(), 4u);
  EXPECT_EQ(released, 0);
}

TEST(StreamWait, MaximumDeadlineIsNever) {
  auto [writer, reader] = make_stream(test::small(4));
  auto read = std::async(std::launch::async, [&own = reader] {
    std::string all = text(own.read_until(4, kMaximum).view);
    return all += text(own.read_until(4, kMaximum).view);
  });
  test::await_parked_reader(writer);

  Chunk first = chunk("abcd");
  Chunk second = chunk("efgh");
  EXPECT_EQ(writer.add_next_chunk_until(first, kMaximum), PushStatus::ok);
  EXPECT_EQ(writer.add_next_chunk_until(second, kMaximum), PushStatus::ok);

  EXPECT_EQ(read.get(), "abcdefgh");
}

TEST(StreamWait, StopRequestedBeforeIsSeenAtOnce) {
  std::stop_source stop;
  stop.request_stop();
  auto [writer, reader] = make_stream(test::small(4));
  EXPECT_EQ(reader.read_until(1, Deadline::never(), stop.get_token()).status, ReadStatus::stopped);
  EXPECT_EQ(try_add(writer, "abcd"), PushStatus::ok);
  Chunk more = chunk("e");

  EXPECT_EQ(writer.add_next_chunk_until(more, Deadline::never(), stop.get_token()),
            PushStatus::stopped);
  EXPECT_EQ(text(reader.read_until(4, Deadline::never(), stop.get_token()).view), "abcd");
}

TEST(StreamWait, StopEndsTheReadersWait) {
  std::stop_source stop;
  auto [writer, reader] = make_stream(test::small(4));
  auto read = std::async(std::launch::async, [&own = reader, token = stop.get_token()] {
    return own.read_until(1, Deadline::never(), token).status;
  });
  test::await_parked_reader(writer);

  stop.request_stop();

  EXPECT_EQ(read.get(), ReadStatus::stopped);
  EXPECT_EQ(try_add(writer, "a"), PushStatus::ok);
  EXPECT_EQ(text(reader.read(1)), "a");
}

TEST(StreamWait, StopEndsTheWritersWait) {
  std::stop_source stop;
  auto [writer, reader] = make_stream(test::small(4));
  EXPECT_EQ(try_add(writer, "abcd"), PushStatus::ok);
  Chunk more = chunk("e");
  auto added = std::async(std::launch::async, [&own = writer, &more, token = stop.get_token()] {
    return own.add_next_chunk_until(more, Deadline::never(), token);
  });
  test::await_parked_writer(reader);

  stop.request_stop();

  EXPECT_EQ(added.get(), PushStatus::stopped);
  EXPECT_EQ(more.size(), 1u);
  EXPECT_EQ(text(reader.read(4)), "abcd");
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(writer.try_add_next_chunk(more), PushStatus::ok);
}

TEST(StreamWait, EveryEndWakesAWaitingReader) {
  for (const int how : {0, 1, 2}) {
    auto [writer, reader] = make_stream(test::small(4));
    auto read = std::async(std::launch::async,
                           [&own = reader] { return own.read_until(1, Deadline::never()).status; });
    test::await_parked_reader(writer);

    if (how == 0) writer.finish();
    if (how == 1) writer.fail(std::make_error_code(std::errc::io_error));
    if (how == 2) writer.cancel();

    const ReadStatus expected[] = {ReadStatus::end, ReadStatus::failed, ReadStatus::cancelled};
    EXPECT_EQ(read.get(), expected[how]);
  }
}

TEST(StreamWait, CancelWakesAWaitingWriter) {
  auto [writer, reader] = make_stream(test::small(4));
  EXPECT_EQ(try_add(writer, "abcd"), PushStatus::ok);
  auto added = std::async(std::launch::async, [&own = writer] {
    Chunk more = chunk("e");
    return own.add_next_chunk_until(more, Deadline::never());
  });
  test::await_parked_writer(reader);

  reader.cancel();

  EXPECT_EQ(added.get(), PushStatus::cancelled);
}

// What a reactor hangs on a callback: it counts how often it was called.
struct Calls {
  std::atomic<int> count{0};
  static void add(void* context) { static_cast<Calls*>(context)->count.fetch_add(1); }
};

TEST(StreamCallback, ReadableOnceAfterBytesCame) {
  Calls calls;
  auto [writer, reader] = make_stream();
  EXPECT_TRUE(reader.on_readable(&Calls::add, &calls));
  EXPECT_EQ(calls.count, 0);

  writer.add_next_chunk(chunk("a"));
  writer.add_next_chunk(chunk("b"));

  EXPECT_EQ(calls.count, 1);
  EXPECT_EQ(text(reader.read(2)), "ab");
}

TEST(StreamCallback, NothingIsArmedWhenAReadWouldNotWait) {
  Calls calls;
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(chunk("a"));
  EXPECT_FALSE(reader.on_readable(&Calls::add, &calls));
  (void)reader.skip(1);
  writer.finish();
  EXPECT_FALSE(reader.on_readable(&Calls::add, &calls));
  reader.cancel();
  EXPECT_FALSE(reader.on_readable(&Calls::add, &calls));
  EXPECT_FALSE(writer.on_writable(&Calls::add, &calls));

  EXPECT_EQ(calls.count, 0);
}

TEST(StreamCallback, ReadableAfterTheEndOrACancel) {
  for (const bool cancel : {true, false}) {
    Calls calls;
    auto [writer, reader] = make_stream();
    EXPECT_TRUE(reader.on_readable(&Calls::add, &calls));

    cancel ? writer.cancel() : writer.finish();

    EXPECT_EQ(calls.count, 1);
  }
}

TEST(StreamCallback, WaitingReadTakesTheCallbackBack) {
  Calls calls;
  auto [writer, reader] = make_stream();
  EXPECT_TRUE(reader.on_readable(&Calls::add, &calls));
  EXPECT_EQ(reader.read_until(1, Deadline::after(milliseconds(1))).status, ReadStatus::timed_out);

  writer.add_next_chunk(chunk("a"));

  EXPECT_EQ(calls.count, 0);
}

// A wait that never sleeps must take the callback back all the same.
TEST(StreamCallback, SpinningReadTakesTheCallbackBack) {
  Calls calls;
  StreamOptions options;
  options.spin_max = std::chrono::seconds(1);
  auto [writer, reader] = make_stream(options);
  EXPECT_TRUE(reader.on_readable(&Calls::add, &calls));
  auto read = std::async(std::launch::async, [&own = reader] { return text(own.read(1)); });
  test::eventually([&own = writer] { return own.stats().reader.waits != 0; });

  writer.add_next_chunk(chunk("a"));

  EXPECT_EQ(read.get(), "a");
  EXPECT_EQ(calls.count, 0);
}

TEST(StreamCallback, SpinningAddTakesTheCallbackBack) {
  Calls calls;
  StreamOptions options = test::small(4);
  options.spin_max = std::chrono::seconds(1);
  auto [writer, reader] = make_stream(options);
  EXPECT_EQ(try_add(writer, "abcd"), PushStatus::ok);
  EXPECT_TRUE(writer.on_writable(&Calls::add, &calls));
  auto added =
      std::async(std::launch::async, [&own = writer] { own.add_next_chunk(chunk("efgh")); });
  test::eventually([&own = reader] { return own.stats().writer.waits != 0; });

  EXPECT_EQ(reader.skip(4), 4u);
  EXPECT_EQ(text(reader.read(4)), "efgh");

  added.get();
  EXPECT_EQ(calls.count, 0);
}

TEST(StreamCallback, WritableAfterTheEnd) {
  Calls calls;
  auto [writer, reader] = make_stream(test::small(4));
  EXPECT_EQ(try_add(writer, "abcd"), PushStatus::ok);
  EXPECT_TRUE(writer.on_writable(&Calls::add, &calls));

  writer.finish();

  EXPECT_EQ(calls.count, 1);
}

TEST(StreamCallback, WritableWhenWhatDidNotFitDoes) {
  Calls calls;
  auto [writer, reader] = make_stream(test::small(10));
  EXPECT_EQ(try_add(writer, "0123"), PushStatus::ok);
  EXPECT_EQ(try_add(writer, "abcdefgh"), PushStatus::would_block);
  EXPECT_TRUE(writer.on_writable(&Calls::add, &calls));

  EXPECT_EQ(reader.skip(4), 4u);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);

  EXPECT_EQ(calls.count, 1);
  EXPECT_EQ(try_add(writer, "abcdefgh"), PushStatus::ok);
}

TEST(StreamCallback, ArmedReaderHoldsNothingThatTheWriterNeeds) {
  Calls readable;
  auto [writer, reader] = make_stream(test::small(4));
  EXPECT_EQ(try_add(writer, "abcd"), PushStatus::ok);
  EXPECT_EQ(text(reader.read(4)), "abcd");
  EXPECT_EQ(try_add(writer, "efgh"), PushStatus::would_block);

  EXPECT_TRUE(reader.on_readable(&Calls::add, &readable));

  EXPECT_EQ(try_add(writer, "efgh"), PushStatus::ok);
  EXPECT_EQ(readable.count, 1);
}

TEST(StreamCallback, ArmedReaderIsCalledWhenTheWriterStarves) {
  Calls readable;
  auto [writer, reader] = make_stream(test::small(4));
  EXPECT_EQ(try_add(writer, "abcd"), PushStatus::ok);
  EXPECT_EQ(text(reader.read(4)), "abcd");
  EXPECT_TRUE(reader.on_readable(&Calls::add, &readable));

  EXPECT_EQ(try_add(writer, "efgh"), PushStatus::would_block);

  EXPECT_EQ(readable.count, 1);
  EXPECT_TRUE(reader.on_readable(&Calls::add, &readable));
  EXPECT_EQ(try_add(writer, "efgh"), PushStatus::ok);
}

TEST(StreamCallback, ArmedWriterIsFedByAWaitingReader) {
  Calls writable;
  auto [writer, reader] = make_stream(test::small(4));
  EXPECT_EQ(try_add(writer, "abcd"), PushStatus::ok);
  // Nothing was refused yet: the reader has to learn of the want from the armed callback.
  EXPECT_TRUE(writer.on_writable(&Calls::add, &writable));

  EXPECT_EQ(reader.try_read(8).status, ReadStatus::would_block);

  EXPECT_EQ(writable.count, 1);
  EXPECT_EQ(try_add(writer, "efgh"), PushStatus::ok);
  EXPECT_EQ(text(reader.read(8)), "abcdefgh");
}

TEST(StreamCallback, DropOfAGuardMakesWritable) {
  Calls writable;
  auto [writer, reader] = make_stream(test::small(4));
  EXPECT_EQ(try_add(writer, "abcd"), PushStatus::ok);
  Guard guard = reader.pin();
  EXPECT_EQ(reader.skip(4), 4u);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_TRUE(writer.on_writable(&Calls::add, &writable));

  std::thread([moved = std::move(guard)] {}).join();

  EXPECT_EQ(writable.count, 1);
}

}  // namespace
}  // namespace forebay
