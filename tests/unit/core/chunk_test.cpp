// SPDX-License-Identifier: Apache-2.0
#include "forebay/chunk.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "unit/core/support.h"

namespace forebay {
namespace {

using test::bytes_of;
using test::text;

TEST(Chunk, DefaultIsEmpty) {
  const Chunk none;

  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.size(), 0u);
}

TEST(Chunk, CopyHasMemoryOfItsOwnThatIsAligned) {
  const std::string bytes = test::pattern(100);

  const Chunk copy = Chunk::copy_of(bytes_of(bytes));

  EXPECT_NE(static_cast<const void*>(copy.data()), bytes.data());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(copy.data()) % 64, 0u);
  EXPECT_EQ(text(ByteView(copy.data(), copy.size())), bytes);
  EXPECT_EQ(copy.bytes().data(), copy.data());
}

TEST(Chunk, AdoptedStringStaysWhereItIs) {
  std::string bytes = test::pattern(1000);
  const void* const memory = bytes.data();

  const Chunk chunk = Chunk::adopt(std::move(bytes));

  EXPECT_EQ(static_cast<const void*>(chunk.data()), memory);
  EXPECT_EQ(text(ByteView(chunk.data(), chunk.size())), test::pattern(1000));
}

TEST(Chunk, AdoptedVectorStaysWhereItIs) {
  std::vector<std::byte> bytes(1000, std::byte{7});
  const void* const memory = bytes.data();

  const Chunk chunk = Chunk::adopt(std::move(bytes));

  EXPECT_EQ(static_cast<const void*>(chunk.data()), memory);
  EXPECT_EQ(chunk.size(), 1000u);
}

TEST(Chunk, ShortContainersAreCopied) {
  std::string shorter(Chunk::kAdoptBytesMin - 1, 'x');
  std::string longer(Chunk::kAdoptBytesMin, 'y');
  const void* const memory[] = {shorter.data(), longer.data()};

  const Chunk copied = Chunk::adopt(std::move(shorter));
  const Chunk adopted = Chunk::adopt(std::move(longer));
  const Chunk empty = Chunk::adopt(std::vector<std::byte>());

  EXPECT_NE(static_cast<const void*>(copied.data()), memory[0]);
  EXPECT_EQ(static_cast<const void*>(adopted.data()), memory[1]);
  EXPECT_TRUE(empty.empty());
}

TEST(Chunk, BorrowedMemoryIsReleasedOnce) {
  int released = 0;
  const std::string bytes = test::pattern(100);
  {
    Chunk chunk = test::borrow(bytes, released);
    EXPECT_EQ(static_cast<const void*>(chunk.data()), bytes.data());
    Chunk moved = std::move(chunk);
    EXPECT_TRUE(chunk.empty());  // NOLINT: a chunk that was moved from is empty.
    Chunk assigned;
    assigned = std::move(moved);
    EXPECT_EQ(assigned.size(), 100u);
    EXPECT_EQ(released, 0);
  }
  EXPECT_EQ(released, 1);
}

TEST(Chunk, AssigningReleasesWhatWasHeld) {
  int first = 0;
  int second = 0;
  Chunk chunk = test::borrow("a", first);

  chunk = test::borrow("b", second);

  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
}

TEST(Chunk, AssigningToItselfKeepsIt) {
  int released = 0;
  Chunk chunk = test::borrow("abc", released);
  Chunk& same = chunk;

  chunk = std::move(same);

  EXPECT_EQ(chunk.size(), 3u);
  EXPECT_EQ(released, 0);
}

TEST(Chunk, BorrowWithoutAReleaseIsLegal) {
  const Chunk chunk = Chunk::borrow(bytes_of("abc"), Release{});

  EXPECT_EQ(chunk.size(), 3u);
}

TEST(Chunk, EmptyBorrowIsReleasedToo) {
  int released = 0;
  { const Chunk chunk = test::borrow("", released); }
  EXPECT_EQ(released, 1);
}

TEST(Chunk, CallableIsDestroyedAfterItsCall) {
  auto owner = std::make_shared<int>(0);
  const std::weak_ptr<int> watch = owner;
  {
    const Chunk chunk =
        Chunk::borrow(bytes_of("abc"), [owner = std::move(owner)]() noexcept { ++*owner; });
    EXPECT_FALSE(watch.expired());
  }
  EXPECT_TRUE(watch.expired());
}

TEST(Chunk, ReleaseComesWhenNoViewIsLeft) {
  int read = 0;
  int cancelled = 0;
  int refused = 0;
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(test::borrow("ab", read));
  EXPECT_EQ(text(reader.read(2)), "ab");
  EXPECT_EQ(read, 0);  // The view is good until the next consuming call.
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(read, 1);

  writer.add_next_chunk(test::borrow("cd", cancelled));
  reader.cancel();
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::cancelled);
  EXPECT_EQ(cancelled, 1);
  EXPECT_THROW(writer.add_next_chunk(test::borrow("ef", refused)), Cancelled);
  EXPECT_EQ(refused, 1);
}

TEST(Chunk, UnreadChunksOfAnAbandonedStreamAreReleased) {
  int released = 0;
  {
    auto [writer, reader] = make_stream();
    for (int i = 0; i < 5; ++i) writer.add_next_chunk(test::borrow("abc", released));
    StreamReader last = std::move(reader);
    { const StreamWriter gone = std::move(writer); }
    EXPECT_EQ(last.skip(4), 4u);
  }
  EXPECT_EQ(released, 5);
}

TEST(Chunk, AddedAfterTheReaderWentIsReleasedWithTheWriter) {
  int released = 0;
  {
    auto [writer, reader] = make_stream();
    writer.add_next_chunk(test::borrow("abc", released));
    { const StreamReader gone = std::move(reader); }
    EXPECT_EQ(released, 1);
  }
  EXPECT_EQ(released, 1);
}

}  // namespace
}  // namespace forebay
