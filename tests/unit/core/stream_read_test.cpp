// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>

#include "forebay/detail/stream_core.h"
#include "unit/core/support.h"

namespace forebay {
namespace {

using test::chunk;
using test::text;

// A finished stream of these chunks.
Stream stream_of(std::initializer_list<std::string_view> chunks,
                 const StreamOptions& options = {}) {
  Stream stream = make_stream(options);
  for (const std::string_view one : chunks) stream.writer.add_next_chunk(chunk(one));
  stream.writer.finish();
  return stream;
}

TEST(StreamRead, ExactChunkIsAViewIntoTheChunk) {
  auto [writer, reader] = make_stream();
  Chunk hello = chunk("hello");
  const std::byte* const memory = hello.data();
  writer.add_next_chunk(std::move(hello));

  const ByteView view = reader.read(5);

  EXPECT_EQ(text(view), "hello");
  EXPECT_EQ(view.data(), memory);
  EXPECT_EQ(reader.stats().bytes_copied, 0u);
}

TEST(StreamRead, PartsOfAChunkAreViewsIntoIt) {
  auto [writer, reader] = make_stream();
  Chunk whole = chunk("hello world");
  const std::byte* const memory = whole.data();
  writer.add_next_chunk(std::move(whole));

  const ByteView first = reader.read(5);
  const ByteView second = reader.read(6);

  EXPECT_EQ(text(first), "hello");
  EXPECT_EQ(text(second), " world");
  EXPECT_EQ(second.data(), memory + 5);
  EXPECT_EQ(reader.stats().gathers, 0u);
}

TEST(StreamRead, AcrossThreeChunksIsGatheredOnce) {
  auto [writer, reader] = stream_of({"ab", "cd", "ef"});

  const ByteView view = reader.read(6);

  EXPECT_EQ(text(view), "abcdef");
  EXPECT_EQ(reader.stats().bytes_copied, 6u);
  EXPECT_EQ(reader.stats().gathers, 1u);
}

TEST(StreamRead, AfterACrossingReadTheRestOfTheChunkIsAView) {
  auto [writer, reader] = make_stream();
  Chunk second = chunk("ccdd");
  const std::byte* const memory = second.data();
  writer.add_next_chunk(chunk("aabb"));
  writer.add_next_chunk(std::move(second));

  EXPECT_EQ(text(reader.read(2)), "aa");
  EXPECT_EQ(text(reader.read(4)), "bbcc");
  const ByteView rest = reader.read(2);

  EXPECT_EQ(text(rest), "dd");
  EXPECT_EQ(rest.data(), memory + 2);
  EXPECT_EQ(reader.stats().bytes_copied, 4u);
}

TEST(StreamRead, GatheredMemoryIsAligned) {
  auto [writer, reader] = stream_of({"a", "b"});

  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(reader.read(2).data()) % 64, 0u);
}

TEST(StreamRead, GatheredMemoryIsUsedAgain) {
  auto [writer, reader] = stream_of({"abc", "def", "ghi", "jkl"});

  const std::byte* const first = reader.read(6).data();
  const std::byte* const second = reader.read(6).data();

  EXPECT_EQ(first, second);
}

TEST(StreamRead, ZeroBytesNeverWait) {
  auto [writer, reader] = make_stream();

  EXPECT_TRUE(reader.read(0).empty());
  EXPECT_EQ(reader.try_read(0).status, ReadStatus::ok);
  writer.finish();
  EXPECT_TRUE(reader.read(0).empty());
  EXPECT_TRUE(reader.peek(0).empty());
}

TEST(StreamRead, EmptyChunksChangeNothingAndForceNoCopy) {
  int released = 0;
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(Chunk());
  writer.add_next_chunk(test::borrow("", released));
  writer.add_next_chunk(chunk("ab"));
  writer.add_next_chunk(chunk(""));
  writer.finish();

  EXPECT_EQ(text(reader.read(2)), "ab");
  EXPECT_TRUE(reader.finished());
  EXPECT_EQ(released, 1);
  EXPECT_EQ(reader.stats().bytes_copied, 0u);
  EXPECT_EQ(reader.stats().slices_in, 1u);
}

TEST(StreamRead, EndInTheMiddleSaysWhatIsLeftAndConsumesNothing) {
  auto [writer, reader] = stream_of({"ab", "c"});

  try {
    (void)reader.read(5);
    FAIL() << "no EndOfStream";
  } catch (const EndOfStream& end) {
    EXPECT_EQ(end.requested(), 5u);
    EXPECT_EQ(end.available(), 3u);
    EXPECT_EQ(std::string_view(end.what()).substr(0, 11), "EndOfStream");
  }
  EXPECT_EQ(text(reader.read(3)), "abc");
}

TEST(StreamRead, HugeReadsEndWithTheStream) {
  auto [writer, reader] = stream_of({"ab", "cd"});

  EXPECT_THROW((void)reader.read(SIZE_MAX), EndOfStream);
  EXPECT_THROW((void)reader.peek(SIZE_MAX), EndOfStream);
  EXPECT_EQ(reader.try_read(SIZE_MAX).status, ReadStatus::end);
  EXPECT_EQ(reader.try_read(SIZE_MAX).available, 4u);
  EXPECT_THROW((void)reader.read_gather(SIZE_MAX), LimitExceeded);
  EXPECT_EQ(reader.skip(SIZE_MAX), 4u);
}

TEST(StreamRead, HugeReadsOfAnOpenStreamAreLimited) {
  StreamOptions options;
  options.gather_bytes_max = 100;
  auto [writer, reader] = make_stream(options);
  writer.add_next_chunk(chunk("ab"));
  writer.add_next_chunk(chunk("cd"));

  EXPECT_THROW((void)reader.read(SIZE_MAX), LimitExceeded);
  EXPECT_EQ(reader.try_read(101).status, ReadStatus::limit_exceeded);
  EXPECT_EQ(text(reader.read(4)), "abcd");
}

TEST(StreamRead, GatherLimitDoesNotHoldForContiguousBytes) {
  StreamOptions options;
  options.gather_bytes_max = 4;
  auto [writer, reader] = stream_of({"0123456789"}, options);

  EXPECT_EQ(text(reader.read(10)), "0123456789");
}

TEST(StreamRead, GatherLimitNamesLimitAndRequest) {
  StreamOptions options;
  options.gather_bytes_max = 4;
  auto [writer, reader] = stream_of({"0123", "4567"}, options);

  try {
    (void)reader.read(5);
    FAIL() << "no LimitExceeded";
  } catch (const LimitExceeded& error) {
    EXPECT_EQ(error.limit(), 4u);
    EXPECT_EQ(error.asked(), 5u);
  }
  EXPECT_EQ(text(reader.read(4)), "0123");
}

TEST(StreamRead, SomeIsTheRestOfTheChunkAtMost) {
  auto [writer, reader] = stream_of({"abc", "def"});

  EXPECT_EQ(text(reader.read_some(2)), "ab");
  EXPECT_EQ(text(reader.read_some(100)), "c");
  EXPECT_TRUE(reader.read_some(0).empty());
  EXPECT_EQ(text(reader.read_some(SIZE_MAX)), "def");
  EXPECT_TRUE(reader.read_some(1).empty());
  EXPECT_EQ(reader.stats().bytes_copied, 0u);
}

TEST(StreamRead, PeekConsumesNothing) {
  auto [writer, reader] = stream_of({"abc", "def"});

  const ByteView peeked = reader.peek(3);
  const ByteView read = reader.read(3);

  EXPECT_EQ(peeked.data(), read.data());
  EXPECT_EQ(text(read), "abc");
}

TEST(StreamRead, PeekAcrossChunksThenReadGivesTheSameMemory) {
  auto [writer, reader] = stream_of({"abc", "def"});

  const ByteView peeked = reader.peek(5);
  const ByteView read = reader.read(5);

  EXPECT_EQ(text(peeked), "abcde");
  EXPECT_EQ(peeked.data(), read.data());
  EXPECT_EQ(text(reader.read(1)), "f");
  EXPECT_EQ(reader.stats().bytes_copied, 5u);
}

TEST(StreamRead, ViewsReadBeforeAPeekStayValid) {
  int released = 0;
  const std::string first = test::pattern(64);
  const std::string second = test::pattern(64, 64);
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(test::borrow(first, released));
  writer.add_next_chunk(test::borrow(second, released));
  writer.finish();

  const ByteView read = reader.read(64);
  const ByteView peeked = reader.peek(64);
  EXPECT_FALSE(reader.at_end());
  EXPECT_FALSE(reader.finished());

  EXPECT_EQ(released, 0);
  EXPECT_EQ(text(read), first);
  EXPECT_EQ(text(peeked), second);
  (void)reader.skip(1);
  EXPECT_EQ(released, 1);
}

TEST(StreamRead, EarlierPeeksStayValidWhenAPeekGathersMore) {
  auto [writer, reader] = make_stream();
  for (std::size_t i = 0; i < 8; ++i) writer.add_next_chunk(chunk(test::pattern(400, i * 400)));

  const ByteView shorter = reader.peek(450);
  const ByteView longer = reader.peek(3000);

  EXPECT_EQ(text(shorter), test::pattern(450));
  EXPECT_EQ(text(longer), test::pattern(3000));
}

TEST(StreamRead, PeekPastTheEndConsumesNothing) {
  auto [writer, reader] = stream_of({"abc"});

  EXPECT_THROW((void)reader.peek(4), EndOfStream);
  EXPECT_EQ(text(reader.peek(3)), "abc");
  EXPECT_EQ(text(reader.read(3)), "abc");
}

TEST(StreamRead, SkipAndReadIntoStopAtTheEnd) {
  auto [writer, reader] = stream_of({"abc", "def", "ghi"});
  std::array<std::byte, 4> four{};
  std::array<std::byte, 10> ten{};

  EXPECT_EQ(reader.skip(2), 2u);
  EXPECT_EQ(reader.read_into(four), 4u);
  EXPECT_EQ(reader.read_into(ten), 3u);

  EXPECT_EQ(std::string(reinterpret_cast<const char*>(four.data()), 4), "cdef");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(ten.data()), 3), "ghi");
  EXPECT_EQ(reader.skip(1), 0u);
  EXPECT_EQ(reader.read_into(ten), 0u);
  EXPECT_EQ(reader.stats().bytes_copied, 7u);
}

TEST(StreamRead, SkipCopiesNothing) {
  auto [writer, reader] = stream_of({"abc", "def", "ghi"});

  EXPECT_EQ(reader.skip(8), 8u);

  EXPECT_EQ(text(reader.read(1)), "i");
  EXPECT_EQ(reader.stats().bytes_copied, 0u);
}

TEST(StreamRead, GatherGivesViewsIntoTheChunks) {
  auto [writer, reader] = make_stream();
  Chunk first = chunk("abc");
  Chunk second = chunk("def");
  const std::byte* const memory[] = {first.data(), second.data()};
  writer.add_next_chunk(std::move(first));
  writer.add_next_chunk(std::move(second));

  (void)reader.skip(1);
  const std::vector<ByteView> views = reader.read_gather(4);

  ASSERT_EQ(views.size(), 2u);
  EXPECT_EQ(views[0].data(), memory[0] + 1);
  EXPECT_EQ(text(views[0]), "bc");
  EXPECT_EQ(views[1].data(), memory[1]);
  EXPECT_EQ(text(views[1]), "de");
  EXPECT_EQ(text(reader.read(1)), "f");
  EXPECT_EQ(reader.stats().bytes_copied, 0u);
}

TEST(StreamRead, GatherOfNothingIsEmpty) {
  auto [writer, reader] = make_stream();

  EXPECT_TRUE(reader.read_gather(0).empty());
}

TEST(StreamRead, GatherBeyondTheBoundIsRefusedAtOnce) {
  StreamOptions options;
  options.max_bytes = 100;
  auto [writer, reader] = make_stream(options);

  try {
    (void)reader.read_gather(101);
    FAIL() << "no LimitExceeded";
  } catch (const LimitExceeded& error) {
    EXPECT_EQ(error.limit(), 100u);
    EXPECT_EQ(error.asked(), 101u);
  }
}

TEST(StreamRead, GatherPastTheEndConsumesNothing) {
  auto [writer, reader] = stream_of({"ab", "cd"});

  EXPECT_THROW((void)reader.read_gather(5), EndOfStream);
  EXPECT_EQ(reader.read_gather(4).size(), 2u);
  EXPECT_TRUE(reader.finished());
}

TEST(StreamRead, GatherTakesUpWhereAPeekGathered) {
  auto [writer, reader] = stream_of({"abc", "def", "ghi"});

  EXPECT_EQ(text(reader.peek(4)), "abcd");
  std::string all;
  for (const ByteView& view : reader.read_gather(9)) all += text(view);

  EXPECT_EQ(all, "abcdefghi");
  EXPECT_TRUE(reader.finished());
}

TEST(StreamRead, AllOfOneChunkIsAView) {
  auto [writer, reader] = stream_of({"abcdef"});

  (void)reader.skip(1);
  EXPECT_EQ(text(reader.read_all()), "bcdef");
  EXPECT_EQ(reader.stats().bytes_copied, 0u);
  EXPECT_TRUE(reader.read_all().empty());
}

TEST(StreamRead, AllOfManyChunksIsGathered) {
  auto [writer, reader] = stream_of({"ab", "cd", "ef"});

  EXPECT_EQ(text(reader.read_all()), "abcdef");
  EXPECT_TRUE(reader.finished());
}

TEST(StreamRead, AllIsLimited) {
  StreamOptions options;
  options.gather_bytes_max = 5;
  auto [writer, reader] = stream_of({"ab", "cd", "ef"}, options);

  EXPECT_THROW((void)reader.read_all(), LimitExceeded);
  EXPECT_EQ(text(reader.read(5)), "abcde");
  EXPECT_EQ(text(reader.read_all()), "f");
}

TEST(StreamRead, IntegersInBothByteOrders) {
  using std::string_view_literals::operator""sv;
  auto [writer, reader] =
      stream_of({"\x01"sv, "\x01\x02\xff"sv, "\xfe\x01\x02\x03\x04\x04\x03\x02"sv, "\x01\x00\x00"sv,
                 "\x00\x00\x00\x00\x01\x00\x00\x80"sv});

  EXPECT_EQ(reader.read_be<std::uint8_t>(), 1);
  EXPECT_EQ(reader.read_be<std::uint16_t>(), 0x0102);
  EXPECT_EQ(reader.read_be<std::int16_t>(), -2);
  EXPECT_EQ(reader.read_be<std::uint32_t>(), 0x01020304u);
  EXPECT_EQ(reader.read_le<std::uint32_t>(), 0x01020304u);
  EXPECT_EQ(reader.read_be<std::uint64_t>(), 0x100u);
  EXPECT_EQ(reader.read_le<std::int16_t>(), -32768);
  EXPECT_THROW((void)reader.read_le<std::uint8_t>(), EndOfStream);
}

// Slices of one block can only be published by a receiver that is part of the library.
struct SlicedBlock {
  explicit SlicedBlock(StreamWriter& writer) : side(detail::StreamAccess::core(writer).writer) {
    auto* const memory =
        new Block(bytes.data(), bytes.size(),
                  [](detail::Block* ended, bool) noexcept { delete static_cast<Block*>(ended); });
    block = memory;
    side.charge(memory);
  }
  void publish(std::size_t offset, std::size_t size, bool sealed) {
    using detail::Slice;
    side.publish(Slice{bytes.data() + offset, size | (sealed ? Slice::kSealed : 0), {block}}, size);
  }

  using Block = detail::BasicBlock<detail::SystemPolicy>;
  std::array<std::byte, 16> bytes{};
  detail::WriterSide<detail::SystemPolicy>& side;
  Block* block;
};

TEST(StreamRead, NeighbouringSlicesOfOneBlockAreOneRun) {
  auto [writer, reader] = make_stream();
  SlicedBlock block(writer);
  block.publish(0, 4, false);
  block.publish(4, 0, false);
  block.publish(4, 8, true);
  writer.finish();

  const ByteView view = reader.read(12);

  EXPECT_EQ(view.data(), block.bytes.data());
  EXPECT_EQ(reader.stats().bytes_copied, 0u);
}

TEST(StreamRead, SlicesThatDoNotTouchAreGathered) {
  auto [writer, reader] = make_stream();
  SlicedBlock block(writer);
  block.publish(0, 4, false);
  block.publish(6, 4, true);
  writer.finish();

  EXPECT_EQ(reader.read(8).size(), 8u);
  EXPECT_EQ(reader.stats().bytes_copied, 8u);
}

TEST(StreamRead, SealWithoutBytesEndsTheBlock) {
  auto [writer, reader] = make_stream();
  SlicedBlock block(writer);
  block.publish(0, 4, false);
  (void)reader.skip(4);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(reader.stats().bytes_buffered, 16u);

  block.publish(4, 0, true);

  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(reader.stats().bytes_buffered, 0u);
}

TEST(StreamRead, SealBehindGatheredBytesEndsTheBlock) {
  StreamOptions options;
  options.max_bytes = 16;
  auto [writer, reader] = make_stream(options);
  SlicedBlock block(writer);
  block.publish(0, 4, false);
  Chunk more = chunk("more");
  EXPECT_EQ(writer.try_add_next_chunk(more), PushStatus::would_block);
  EXPECT_EQ(reader.try_read(8).status, ReadStatus::would_block);  // Gathers the four bytes.
  block.publish(4, 0, true);

  EXPECT_EQ(reader.try_read(8).status, ReadStatus::would_block);
  EXPECT_EQ(writer.try_add_next_chunk(more), PushStatus::ok);
  EXPECT_EQ(reader.read(8).size(), 8u);
}

}  // namespace
}  // namespace forebay
