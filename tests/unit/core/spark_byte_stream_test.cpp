// SPDX-License-Identifier: Apache-2.0

// The cases that Spark tests its own ZeroCopyByteStream with, by behaviour. An initial view is a
// first chunk here; negative sizes and chunks of the wrong type do not compile. One difference is
// meant: a read that meets the end has consumed nothing.

#include <gtest/gtest.h>

#include <future>

#include "unit/core/support.h"

namespace forebay {
namespace {

using test::chunk;
using test::text;

void add(ZeroCopyByteStream& stream, std::initializer_list<std::string_view> chunks) {
  for (const std::string_view one : chunks) stream.add_next_chunk(chunk(one));
}

TEST(SparkByteStream, ReadExactChunk) {
  ZeroCopyByteStream stream;
  add(stream, {"hello"});

  EXPECT_EQ(text(stream.read(5)), "hello");
}

TEST(SparkByteStream, ReadPartialChunk) {
  ZeroCopyByteStream stream;
  add(stream, {"hello world"});
  stream.finish();

  EXPECT_EQ(text(stream.read(5)), "hello");
  EXPECT_EQ(text(stream.read(6)), " world");
  EXPECT_THROW((void)stream.read(1), EndOfStream);
}

TEST(SparkByteStream, ReadMultipleChunksSequentially) {
  ZeroCopyByteStream stream;
  add(stream, {"aaa", "bbb", "ccc"});

  EXPECT_EQ(text(stream.read(3)), "aaa");
  EXPECT_EQ(text(stream.read(3)), "bbb");
  EXPECT_EQ(text(stream.read(3)), "ccc");
  EXPECT_EQ(stream.stats().bytes_copied, 0u);
}

TEST(SparkByteStream, ReadAcrossTwoChunks) {
  ZeroCopyByteStream stream;
  add(stream, {"aaa", "bbb"});

  EXPECT_EQ(text(stream.read(6)), "aaabbb");
}

TEST(SparkByteStream, ReadAcrossThreeChunks) {
  ZeroCopyByteStream stream;
  add(stream, {"ab", "cd", "ef"});

  EXPECT_EQ(text(stream.read(6)), "abcdef");
}

TEST(SparkByteStream, ReadPartialThenCrossBoundary) {
  ZeroCopyByteStream stream;
  add(stream, {"aabb", "ccdd"});

  EXPECT_EQ(text(stream.read(2)), "aa");
  EXPECT_EQ(text(stream.read(4)), "bbcc");
  EXPECT_EQ(text(stream.read(2)), "dd");
}

TEST(SparkByteStream, CrossBoundaryReadConsumesFullMiddleChunk) {
  ZeroCopyByteStream stream;
  add(stream, {"aa", "bb", "cc"});

  EXPECT_EQ(text(stream.read(1)), "a");
  EXPECT_EQ(text(stream.read(5)), "abbcc");
}

TEST(SparkByteStream, EndThrows) {
  ZeroCopyByteStream stream;
  stream.finish();

  EXPECT_TRUE(stream.finished());
  EXPECT_THROW((void)stream.read(1), EndOfStream);
}

TEST(SparkByteStream, EndAfterConsumingAllData) {
  ZeroCopyByteStream stream;
  add(stream, {"data"});
  stream.finish();

  EXPECT_FALSE(stream.finished());
  EXPECT_EQ(text(stream.read(4)), "data");
  EXPECT_TRUE(stream.finished());
  EXPECT_THROW((void)stream.read(1), EndOfStream);
}

TEST(SparkByteStream, EndWithOutOfBoundsRead) {
  ZeroCopyByteStream stream;
  add(stream, {"data"});
  stream.finish();

  EXPECT_EQ(text(stream.read(3)), "dat");
  EXPECT_FALSE(stream.finished());
  EXPECT_THROW((void)stream.read(2), EndOfStream);
  EXPECT_EQ(text(stream.read(1)), "a");
}

TEST(SparkByteStream, EndDuringCrossBoundaryRead) {
  ZeroCopyByteStream stream;
  add(stream, {"ab", "cd"});
  stream.finish();

  EXPECT_THROW((void)stream.read(5), EndOfStream);
  EXPECT_EQ(text(stream.read(4)), "abcd");
}

TEST(SparkByteStream, FinishedProperty) {
  ZeroCopyByteStream stream;
  add(stream, {"x"});
  EXPECT_FALSE(stream.finished());

  (void)stream.skip(1);
  EXPECT_FALSE(stream.finished());

  stream.finish();
  EXPECT_TRUE(stream.finished());
}

TEST(SparkByteStream, ReadBlocksUntilChunkAvailable) {
  ZeroCopyByteStream stream(test::small(100));
  auto result = std::async(std::launch::async, [&] { return text(stream.read(3)); });
  test::eventually([&] { return stream.stats().reader.parks != 0; });

  add(stream, {"abc"});

  EXPECT_EQ(result.get(), "abc");
}

TEST(SparkByteStream, ReadBlocksUntilTheEnd) {
  ZeroCopyByteStream stream(test::small(100));
  auto result = std::async(std::launch::async, [&] { return text(stream.read(1)); });
  test::eventually([&] { return stream.stats().reader.parks != 0; });

  stream.finish();

  EXPECT_THROW((void)result.get(), EndOfStream);
}

TEST(SparkByteStream, CrossBoundaryReadBlocksForNextChunk) {
  ZeroCopyByteStream stream(test::small(100));
  add(stream, {"aa"});
  auto result = std::async(std::launch::async, [&] { return text(stream.read(4)); });
  test::eventually([&] { return stream.stats().reader.parks != 0; });

  add(stream, {"bb"});

  EXPECT_EQ(result.get(), "aabb");
}

TEST(SparkByteStream, ReadOfZeroBytesSucceedsWithoutData) {
  ZeroCopyByteStream stream;

  EXPECT_TRUE(stream.read(0).empty());
}

TEST(SparkByteStream, AddChunkAfterFinishRaises) {
  ZeroCopyByteStream stream;
  stream.finish();
  stream.finish();

  EXPECT_THROW(stream.add_next_chunk(chunk("data")), StreamFinished);
}

}  // namespace
}  // namespace forebay
