// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "unit/core/support.h"

namespace forebay {
namespace {

using test::chunk;
using test::text;

TEST(StreamGuard, ViewsStayValidWhileItLives) {
  int released = 0;
  const std::string bytes = test::pattern(300);
  auto [writer, reader] = make_stream();
  for (std::size_t at = 0; at < 300; at += 100) {
    writer.add_next_chunk(test::borrow(std::string_view(bytes).substr(at, 100), released));
  }

  const ByteView before = reader.read(100);
  Guard guard = reader.pin();
  const ByteView after = reader.read(150);
  (void)reader.skip(50);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);

  EXPECT_EQ(released, 0);
  EXPECT_EQ(text(before), bytes.substr(0, 100));
  EXPECT_EQ(text(after), bytes.substr(100, 150));
  guard.reset();
  EXPECT_EQ(released, 3);
}

// Memory that outlives the stream, such as a constant's, needs nobody to be told.
TEST(StreamGuard, BorrowedMemoryWithoutAReleaseGoesThroughEveryPath) {
  auto [writer, reader] = make_stream(test::single_threaded(12));
  const auto add = [&own = writer](std::string_view bytes) {
    own.add_next_chunk(Chunk::borrow(test::bytes_of(bytes), Release{}));
  };
  for (const char* bytes : {"abcd", "ef", "gh"}) add(bytes);
  EXPECT_EQ(text(reader.read(4)), "abcd");  // A view.
  EXPECT_EQ(text(reader.read(3)), "efg");   // Gathered.
  EXPECT_EQ(text(reader.read(1)), "h");
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  {
    const Guard guard = reader.pin();
    add("ijkl");
    EXPECT_EQ(text(reader.read(4)), "ijkl");
    EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
    EXPECT_EQ(reader.stats().bytes_retained, 4u);
  }
  EXPECT_EQ(reader.stats().bytes_retained, 0u);
  add("never read");
  reader.cancel();
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::cancelled);
  EXPECT_EQ(reader.stats().bytes_buffered, 0u);
}

TEST(StreamGuard, CopyHoldsAsLongAsTheOriginal) {
  int released = 0;
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(test::borrow("abc", released));
  Guard guard = reader.pin();
  Guard copy = guard;
  (void)reader.skip(3);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);

  guard.reset();
  EXPECT_EQ(released, 0);
  copy.reset();
  EXPECT_EQ(released, 1);
}

TEST(StreamGuard, HoldsNothingThatWasRetiredBeforeIt) {
  int released = 0;
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(test::borrow("abc", released));
  (void)reader.skip(3);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);

  const Guard guard = reader.pin();

  EXPECT_EQ(released, 1);
}

TEST(StreamGuard, YoungerGuardsHoldWhatWasRetiredUnderThemAlone) {
  int first = 0;
  int second = 0;
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(test::borrow("abc", first));
  writer.add_next_chunk(test::borrow("def", second));

  Guard older = reader.pin();
  (void)reader.skip(4);  // The first chunk is done with.
  Guard younger = reader.pin();
  (void)reader.skip(2);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);

  older.reset();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
  younger.reset();
  EXPECT_EQ(second, 1);
}

TEST(StreamGuard, KeepsGatheredMemory) {
  auto [writer, reader] = make_stream();
  for (int i = 0; i < 4; ++i) writer.add_next_chunk(chunk(test::pattern(100, 100u * unsigned(i))));

  Guard guard = reader.pin();
  const ByteView first = reader.read(150);
  const ByteView second = reader.read(150);
  (void)reader.skip(100);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);

  EXPECT_EQ(text(first), test::pattern(150));
  EXPECT_EQ(text(second), test::pattern(150, 150));
  EXPECT_GE(reader.stats().bytes_retained, 700u);
  guard.reset();
  EXPECT_EQ(reader.stats().bytes_retained, 0u);
}

TEST(StreamGuard, OutlivesTheStream) {
  int released = 0;
  const std::string bytes = test::pattern(100);
  std::optional<Stream> stream(make_stream());
  stream->writer.add_next_chunk(test::borrow(bytes, released));
  Guard guard = stream->reader.pin();
  const ByteView view = stream->reader.read(100);

  stream.reset();

  EXPECT_EQ(released, 0);
  EXPECT_EQ(text(view), bytes);
  std::thread([moved = std::move(guard)] {}).join();
  EXPECT_EQ(released, 1);
}

TEST(StreamGuard, TooManyAreRefused) {
  StreamOptions options;
  options.guards_max = 3;
  auto [writer, reader] = make_stream(options);
  std::vector<Guard> guards;
  for (int i = 0; i < 3; ++i) guards.push_back(reader.pin());

  EXPECT_THROW((void)reader.pin(), LimitExceeded);
  guards.pop_back();
  EXPECT_TRUE(reader.pin());
}

}  // namespace
}  // namespace forebay
