// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <future>

#include "unit/core/support.h"

namespace forebay {
namespace {

using test::chunk;
using test::try_add;

TEST(StreamStats, BytesAndSlicesInAndOut) {
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(chunk("abc"));
  writer.add_next_chunk(chunk("defgh"));
  EXPECT_EQ(writer.stats().bytes_in, 8u);
  EXPECT_EQ(writer.stats().slices_in, 2u);
  EXPECT_EQ(writer.stats().bytes_buffered, 8u);
  EXPECT_EQ(writer.stats().bytes_out, 0u);

  EXPECT_EQ(reader.skip(4), 4u);
  EXPECT_EQ(reader.try_read(10).status, ReadStatus::would_block);

  EXPECT_EQ(reader.stats().bytes_out, 4u);
  EXPECT_EQ(reader.stats().bytes_buffered, 5u);
  EXPECT_EQ(reader.skip(4), 4u);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(reader.stats().bytes_out, 8u);
  EXPECT_EQ(reader.stats().bytes_buffered, 0u);
}

TEST(StreamStats, PeakStaysWithinTheBound) {
  auto [writer, reader] = make_stream(test::single_threaded(10));
  EXPECT_EQ(try_add(writer, "0123456"), PushStatus::ok);
  EXPECT_EQ(reader.stats().bytes_peak, 7u);

  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(reader.read_some(10).empty());
    EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
    EXPECT_EQ(try_add(writer, "abcdef"), PushStatus::ok);
  }

  EXPECT_LE(reader.stats().bytes_peak, 10u);
}

TEST(StreamStats, CopiesAreCounted) {
  auto [writer, reader] = make_stream();
  for (int i = 0; i < 4; ++i) writer.add_next_chunk(chunk("abcd"));
  std::byte out[3];

  EXPECT_EQ(reader.read(6).size(), 6u);
  EXPECT_EQ(reader.read_into(out), 3u);
  EXPECT_EQ(reader.read(2).size(), 2u);
  EXPECT_EQ(reader.peek(4).size(), 4u);
  EXPECT_EQ(reader.read(4).size(), 4u);

  EXPECT_EQ(reader.stats().gathers, 2u);
  EXPECT_EQ(reader.stats().bytes_copied, 6u + 3 + 4);
}

TEST(StreamStats, GuardsAndSharesAreCountedApart) {
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(chunk("abc"));
  writer.add_next_chunk(chunk("defgh"));
  const Guard guard = reader.pin();
  const SharedBytes bounded = reader.share(reader.read(3));
  const SharedBytes detached = reader.share(reader.read(5), Retention::detached);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);

  const StreamStats stats = writer.stats();

  EXPECT_EQ(stats.bytes_retained, 8u);
  EXPECT_EQ(stats.bytes_buffered, 0u);
  EXPECT_EQ(stats.bytes_detached, 0u);  // The guard holds the block within the bound.
  EXPECT_EQ(stats.shares, 2u);
}

TEST(StreamStats, WaitsAndParksAreCounted) {
  auto [writer, reader] = make_stream(test::small(4));
  auto read = std::async(std::launch::async, [&own = reader] { return own.read(4).size(); });
  test::await_parked_reader(writer);
  EXPECT_EQ(try_add(writer, "abcd"), PushStatus::ok);
  EXPECT_EQ(read.get(), 4u);
  EXPECT_GE(reader.stats().reader.waits, 1u);
  EXPECT_GT(reader.stats().reader.waited_ns, 0u);

  auto added =
      std::async(std::launch::async, [&own = writer] { own.add_next_chunk(chunk("efgh")); });
  test::await_parked_writer(reader);
  EXPECT_EQ(reader.read(4).size(), 4u);
  added.get();
  EXPECT_GE(reader.stats().writer.waits, 1u);
  EXPECT_GE(reader.stats().bound_hits, 1u);
}

TEST(StreamStats, FastReadsNeitherWaitNorPark) {
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(chunk(test::pattern(800)));
  for (int i = 0; i < 100; ++i) (void)reader.read_be<std::uint64_t>();

  EXPECT_EQ(reader.stats().reader.waits, 0u);
  EXPECT_EQ(reader.stats().bytes_copied, 0u);
}

}  // namespace
}  // namespace forebay
