// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "unit/core/support.h"

namespace forebay {
namespace {

using test::chunk;
using test::text;
using test::try_add;

TEST(StreamShare, OwnsItsBytes) {
  int released = 0;
  const std::string bytes = test::pattern(200);
  std::optional<Stream> stream(make_stream());
  stream->writer.add_next_chunk(test::borrow(bytes, released));
  SharedBytes shared = stream->reader.share(stream->reader.read(100).subview(10, 50));

  stream.reset();

  EXPECT_EQ(released, 0);
  EXPECT_EQ(text(shared), bytes.substr(10, 50));
  shared.reset();
  EXPECT_EQ(released, 1);
}

TEST(StreamShare, IsCountedBoundedOrDetached) {
  auto [writer, reader] = make_stream(test::single_threaded(10));
  EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);
  SharedBytes bounded = reader.share(reader.peek(1));
  SharedBytes detached = reader.share(reader.read(10), Retention::detached);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(reader.stats().shares, 2u);
  EXPECT_EQ(reader.stats().bytes_retained, 10u);
  EXPECT_EQ(reader.stats().bytes_detached, 0u);

  bounded.reset();
  EXPECT_EQ(reader.stats().bytes_retained, 0u);
  EXPECT_EQ(reader.stats().bytes_detached, 10u);
  EXPECT_EQ(try_add(writer, "0123456789"), PushStatus::ok);

  EXPECT_EQ(text(detached), "0123456789");
  detached.reset();
  EXPECT_EQ(reader.stats().bytes_detached, 0u);
  EXPECT_EQ(reader.stats().shares, 0u);
}

TEST(StreamShare, DetachedSharesNeverStopTheWriter) {
  auto [writer, reader] = make_stream(test::single_threaded(10));
  std::vector<SharedBytes> kept;

  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(try_add(writer, test::pattern(10, 10u * unsigned(i))), PushStatus::ok);
    kept.push_back(reader.share(reader.read(10), Retention::detached));
    EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  }

  EXPECT_EQ(reader.stats().bytes_detached, 100u);
  for (unsigned i = 0; i < 10; ++i) EXPECT_EQ(text(kept[i]), test::pattern(10, 10 * i));
}

TEST(StreamShare, OfGatheredBytesKeepsThem) {
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(chunk("abc"));
  writer.add_next_chunk(chunk("def"));
  const SharedBytes shared = reader.share(reader.read(6));
  writer.add_next_chunk(chunk("ghi"));
  writer.add_next_chunk(chunk("jkl"));

  EXPECT_EQ(text(reader.read(6)), "ghijkl");

  EXPECT_EQ(text(shared), "abcdef");
}

TEST(StreamShare, ViewOfAnotherStreamIsRefused) {
  auto [writer, reader] = make_stream();
  auto [other_writer, other_reader] = make_stream();
  writer.add_next_chunk(chunk("abc"));
  const ByteView view = reader.read(3);

  EXPECT_THROW((void)other_reader.share(view), std::invalid_argument);
  EXPECT_THROW((void)reader.share(ByteView(view.data(), 3)), std::invalid_argument);
  EXPECT_TRUE(other_reader.share(ByteView()).empty());
}

TEST(StreamShare, MadeByAGuardHolderOnAnotherThread) {
  int released = 0;
  const std::string bytes = test::pattern(100);
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(test::borrow(bytes, released));
  Guard guard = reader.pin();
  const ByteView view = reader.read(100);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);

  SharedBytes shared = std::async(std::launch::async, [&own = reader, &guard, view] {
                         SharedBytes made = own.share(view);
                         guard.reset();
                         return made;
                       }).get();

  EXPECT_EQ(released, 0);
  EXPECT_EQ(reader.stats().bytes_retained, 100u);
  shared.reset();
  EXPECT_EQ(released, 1);
  EXPECT_EQ(reader.stats().bytes_retained, 0u);
}

}  // namespace
}  // namespace forebay
