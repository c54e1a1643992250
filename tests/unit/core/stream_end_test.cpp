// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "unit/core/support.h"

namespace forebay {
namespace {

using test::chunk;
using test::text;

template <class Error>
void expect_failure(StreamReader& reader, const std::string& what) {
  try {
    (void)reader.read(1);
    FAIL() << "the read did not throw";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
  }
}

TEST(StreamEnd, FinishedMeansEndedAndConsumed) {
  auto [writer, reader] = make_stream();
  EXPECT_FALSE(reader.finished());
  writer.add_next_chunk(chunk("x"));
  EXPECT_FALSE(reader.finished());
  (void)reader.skip(1);
  EXPECT_FALSE(reader.finished());

  writer.finish();

  EXPECT_TRUE(reader.finished());
  EXPECT_TRUE(reader.at_end());
}

TEST(StreamEnd, FinishedIsFalseWhileBytesAreLeft) {
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(chunk("ab"));
  writer.finish();

  EXPECT_FALSE(reader.finished());
  EXPECT_FALSE(reader.at_end());
  (void)reader.skip(1);
  EXPECT_FALSE(reader.finished());
  (void)reader.skip(1);
  EXPECT_TRUE(reader.finished());
}

TEST(StreamEnd, FinishTwiceIsFinishOnce) {
  auto [writer, reader] = make_stream();

  writer.finish();
  writer.finish();

  EXPECT_TRUE(reader.at_end());
  EXPECT_EQ(reader.error(), nullptr);
}

TEST(StreamEnd, AddAfterFinishThrowsAndReleasesTheChunk) {
  int released = 0;
  auto [writer, reader] = make_stream();
  writer.finish();

  EXPECT_THROW(writer.add_next_chunk(test::borrow("late", released)), StreamFinished);
  EXPECT_THROW(writer.add_next_chunk(Chunk()), StreamFinished);

  EXPECT_EQ(released, 1);
  EXPECT_TRUE(reader.finished());
}

TEST(StreamEnd, TryAddAfterFinishLeavesTheChunkToTheCaller) {
  int released = 0;
  auto [writer, reader] = make_stream();
  writer.finish();
  Chunk late = test::borrow("late", released);

  EXPECT_EQ(writer.try_add_next_chunk(late), PushStatus::finished);
  EXPECT_EQ(writer.add_next_chunk_until(late, Deadline::never()), PushStatus::finished);

  EXPECT_EQ(late.size(), 4u);
  EXPECT_EQ(released, 0);
  late = Chunk();
  EXPECT_EQ(released, 1);
}

TEST(StreamEnd, FailureIsThrownAfterTheBytesBeforeIt) {
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(chunk("abc"));
  EXPECT_EQ(reader.error(), nullptr);

  writer.fail(std::make_exception_ptr(std::runtime_error("the wire was cut")));

  EXPECT_THROW((void)reader.read(4), std::runtime_error);
  const ReadResult short_read = reader.try_read(4);
  EXPECT_EQ(short_read.status, ReadStatus::failed);
  EXPECT_EQ(short_read.available, 3u);
  EXPECT_FALSE(reader.finished());
  EXPECT_EQ(text(reader.read(3)), "abc");
  expect_failure<std::runtime_error>(reader, "the wire was cut");
  EXPECT_THROW((void)reader.at_end(), std::runtime_error);
  EXPECT_THROW((void)reader.read_some(1), std::runtime_error);
  EXPECT_THROW((void)reader.skip(1), std::runtime_error);
  EXPECT_THROW((void)reader.read_all(), std::runtime_error);
  EXPECT_NE(reader.error(), nullptr);
  EXPECT_TRUE(reader.finished());
}

TEST(StreamEnd, FailureByCodeIsASystemError) {
  auto [writer, reader] = make_stream();

  writer.fail(std::make_error_code(std::errc::connection_reset));

  try {
    (void)reader.read(1);
    FAIL() << "the read did not throw";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::connection_reset);
  }
}

TEST(StreamEnd, FailureWithoutAReasonHasOneAllTheSame) {
  auto [writer, reader] = make_stream();
  writer.fail(std::exception_ptr());
  expect_failure<Abandoned>(reader, "Abandoned");

  auto [other_writer, other_reader] = make_stream();
  other_writer.fail(std::error_code());
  expect_failure<std::system_error>(other_reader, "");
}

TEST(StreamEnd, FirstOfFinishAndFailCounts) {
  auto [writer, reader] = make_stream();
  writer.finish();
  writer.fail(std::make_exception_ptr(std::runtime_error("too late")));
  EXPECT_TRUE(reader.at_end());

  auto [other_writer, other_reader] = make_stream();
  other_writer.fail(std::make_exception_ptr(std::runtime_error("first")));
  other_writer.fail(std::make_exception_ptr(std::runtime_error("second")));
  other_writer.finish();
  expect_failure<std::runtime_error>(other_reader, "first");
}

TEST(StreamEnd, AddAfterFailThrowsStreamFinished) {
  auto [writer, reader] = make_stream();
  writer.fail(std::make_error_code(std::errc::io_error));

  EXPECT_THROW(writer.add_next_chunk(chunk("late")), StreamFinished);
}

TEST(StreamEnd, CancelDiscardsWhatIsUnread) {
  int released = 0;
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(test::borrow("abc", released));
  writer.add_next_chunk(test::borrow("def", released));
  (void)reader.skip(1);

  reader.cancel();

  EXPECT_THROW((void)reader.read(1), Cancelled);
  EXPECT_EQ(released, 2);
  EXPECT_EQ(reader.stats().bytes_buffered, 0u);
}

TEST(StreamEnd, CancelBeatsEveryLaterCall) {
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(chunk("abcdef"));
  (void)reader.skip(1);  // The run holds unread bytes.
  std::byte out[1];

  std::thread([&other = writer] { other.cancel(); }).join();
  writer.finish();

  EXPECT_THROW((void)reader.read(1), Cancelled);
  EXPECT_THROW((void)reader.read(0), Cancelled);
  EXPECT_THROW((void)reader.peek(1), Cancelled);
  EXPECT_THROW((void)reader.read_some(1), Cancelled);
  EXPECT_THROW((void)reader.skip(1), Cancelled);
  EXPECT_THROW((void)reader.read_into(out), Cancelled);
  EXPECT_THROW((void)reader.read_gather(1), Cancelled);
  EXPECT_THROW((void)reader.read_all(), Cancelled);
  EXPECT_THROW((void)reader.read_be<int>(), Cancelled);
  EXPECT_THROW((void)reader.at_end(), Cancelled);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::cancelled);
  EXPECT_EQ(reader.read_until(1, Deadline::never()).status, ReadStatus::cancelled);
  EXPECT_EQ(reader.try_read(1).available, 0u);
  EXPECT_THROW(writer.add_next_chunk(chunk("x")), Cancelled);
  EXPECT_THROW(writer.add_next_chunk(Chunk()), Cancelled);
  Chunk rest = chunk("x");
  EXPECT_EQ(writer.try_add_next_chunk(rest), PushStatus::cancelled);
  EXPECT_EQ(rest.size(), 1u);
}

TEST(StreamEnd, CancelTwiceAndAfterTheEndIsHarmless) {
  auto [writer, reader] = make_stream();
  writer.finish();
  EXPECT_TRUE(reader.at_end());

  reader.cancel();
  writer.cancel();

  EXPECT_THROW((void)reader.at_end(), Cancelled);
}

TEST(StreamEnd, ViewUnderAGuardOutlivesCancel) {
  int released = 0;
  const std::string bytes = test::pattern(100);
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(test::borrow(bytes, released));
  Guard guard = reader.pin();
  const ByteView view = reader.read(50);

  reader.cancel();
  EXPECT_THROW((void)reader.read(1), Cancelled);

  EXPECT_EQ(released, 0);
  EXPECT_EQ(text(view), bytes.substr(0, 50));
  guard.reset();
  EXPECT_EQ(released, 1);
}

TEST(StreamEnd, WriterThatGoesWithoutFinishIsAbandoned) {
  std::optional<Stream> stream(make_stream());
  StreamReader reader = std::move(stream->reader);
  stream->writer.add_next_chunk(chunk("ab"));

  stream.reset();

  EXPECT_EQ(text(reader.read(2)), "ab");
  expect_failure<Abandoned>(reader, "Abandoned");
  EXPECT_THROW((void)reader.at_end(), Abandoned);
}

TEST(StreamEnd, ReaderThatGoesCancels) {
  int released = 0;
  std::optional<Stream> stream(make_stream());
  StreamWriter writer = std::move(stream->writer);
  writer.add_next_chunk(test::borrow("ab", released));

  stream.reset();

  EXPECT_EQ(released, 1);
  EXPECT_THROW(writer.add_next_chunk(test::borrow("cd", released)), Cancelled);
  EXPECT_EQ(released, 2);
}

TEST(StreamEnd, ReaderThatGoesWakesTheWriter) {
  std::optional<Stream> stream(make_stream(test::small(4)));
  std::thread thread([writer = std::move(stream->writer)]() mutable {
    writer.add_next_chunk(chunk("abcd"));
    EXPECT_THROW(writer.add_next_chunk(chunk("efgh")), Cancelled);
  });
  test::await_parked_writer(stream->reader);

  stream.reset();

  thread.join();
}

TEST(StreamEnd, WriterThatGoesWakesTheReader) {
  std::optional<Stream> stream(make_stream(test::small(4)));
  std::thread thread([reader = std::move(stream->reader)]() mutable {
    EXPECT_THROW((void)reader.read(1), Abandoned);
  });
  test::await_parked_reader(stream->writer);

  stream.reset();

  thread.join();
}

TEST(StreamEnd, EachEndOutlivesTheOther) {
  for (const bool writer_first : {true, false}) {
    std::optional<Stream> stream(make_stream());
    std::optional<StreamWriter> writer(std::move(stream->writer));
    std::optional<StreamReader> reader(std::move(stream->reader));
    stream.reset();
    writer->add_next_chunk(chunk("abc"));
    if (writer_first) writer.reset();
    reader.reset();
    writer.reset();
  }
}

TEST(StreamEnd, MovedEndsGoOnWorking) {
  Stream stream = make_stream();
  StreamWriter writer = std::move(stream.writer);
  StreamReader reader = std::move(stream.reader);
  writer.add_next_chunk(chunk("ab"));
  stream.writer = std::move(writer);
  stream.reader = std::move(reader);

  stream.writer.finish();

  EXPECT_EQ(text(stream.reader.read_all()), "ab");
}

TEST(StreamEnd, AssigningAnEndLetsGoOfTheOneBefore) {
  Stream first = make_stream();
  {
    Stream second = make_stream();
    first.writer = std::move(second.writer);
    EXPECT_FALSE(second.reader.finished());
  }
  expect_failure<Abandoned>(first.reader, "Abandoned");
}

TEST(StreamEnd, CallsEndWhenTheOtherSideCancels) {
  // Leave by cancel(), then destroy: no thread may still look at the stream.
  for (int i = 0; i < 200; ++i) {
    std::optional<ZeroCopyByteStream> stream(std::in_place, test::small(4));
    std::thread writer(
        [&] { EXPECT_THROW(for (;;) stream->add_next_chunk(chunk("abc")), Cancelled); });
    std::thread reader([&] { EXPECT_THROW(for (;;)(void) stream->read(7), Cancelled); });
    stream->cancel();
    writer.join();
    reader.join();
    stream.reset();
  }
}

TEST(StreamEnd, WaitingReaderLeavesByCancelAndThenTheStreamGoes) {
  for (int i = 0; i < 100; ++i) {
    std::optional<Stream> stream(make_stream(test::small(4)));
    std::thread reading([reader = std::move(stream->reader)]() mutable {
      EXPECT_THROW((void)reader.read(1), Cancelled);
      // The reader is destroyed here, as soon as it was woken.
    });
    if (i % 2 == 0) test::await_parked_reader(stream->writer);
    stream->writer.cancel();
    stream.reset();
    reading.join();
  }
}

}  // namespace
}  // namespace forebay
