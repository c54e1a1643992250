// SPDX-License-Identifier: Apache-2.0

// Blocks as receivers of the library publish them: in slices, to a reader that may be gone.

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <optional>
#include <string>

#include "unit/core/support.h"

namespace forebay::test {
namespace {

using detail::Slice;
using Record = detail::BasicBlock<detail::SystemPolicy>;

/// A block that counts how often one like it has ended.
struct CountedBlock : Record {
  CountedBlock(std::byte* memory, std::size_t size, int& ended_count)
      : Record(memory, size, &end), ended(ended_count) {}
  static void end(detail::Block* block, bool) noexcept {
    auto* const counted = static_cast<CountedBlock*>(static_cast<Record*>(block));
    ++counted->ended;
    delete counted;
  }
  int& ended;
};

class StreamBlock : public ::testing::Test {
 protected:
  // A charged block of the four bytes at `offset`.
  CountedBlock* charged(std::size_t offset) {
    auto* const block = new CountedBlock(memory_.data() + offset, 4, ended_);
    side().charge(block);
    return block;
  }
  void publish(CountedBlock* block, std::size_t size, bool sealed) {
    side().publish(Slice{block->data, size | (sealed ? Slice::kSealed : 0), {block}}, size);
  }
  detail::WriterSide<detail::SystemPolicy>& side() {
    return detail::StreamAccess::core(stream_->writer).writer;
  }
  StreamReader& reader() { return stream_->reader; }
  void drop_reader() { const StreamReader gone(std::move(stream_->reader)); }

  std::array<std::byte, 16> memory_{};
  int ended_ = 0;
  std::optional<Stream> stream_ = make_stream();
};

TEST_F(StreamBlock, NeighboursInMemoryAreTwoRuns) {
  publish(charged(0), 4, true);
  publish(charged(4), 4, true);

  EXPECT_EQ(reader().read(4).size(), 4u);
  EXPECT_EQ(reader().read(4).size(), 4u);

  // One run would keep the first block for as long as the second.
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(reader().try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(ended_, 2);
}

TEST_F(StreamBlock, PublishedToAReaderThatIsGoneEndsWithTheStream) {
  CountedBlock* const whole = charged(0);
  CountedBlock* const half = charged(4);
  drop_reader();
  publish(whole, 4, true);
  publish(half, 2, false);
  side().end(nullptr, half);
  EXPECT_EQ(ended_, 0);

  stream_.reset();

  EXPECT_EQ(ended_, 2);
}

TEST_F(StreamBlock, UnsealedAtTheEndGoesWithTheReader) {
  CountedBlock* const half = charged(0);
  publish(half, 2, false);
  side().end(nullptr, half);
  EXPECT_EQ(reader().read_all().size(), 2u);
  EXPECT_EQ(ended_, 0);

  drop_reader();

  EXPECT_EQ(ended_, 1);
}

TEST_F(StreamBlock, NeighbouringSlicesJoinARunThatWasLookedAt) {
  CountedBlock* const block = charged(0);
  publish(block, 2, false);
  // Asks for more than there is, so that the reader has looked ahead.
  EXPECT_EQ(reader().try_read(4).status, ReadStatus::would_block);
  side().publish(Slice{block->data + 2, 2 | Slice::kSealed, {block}}, 2);
  const ByteView view = reader().read(4);
  EXPECT_EQ(view.data(), block->data);
  EXPECT_EQ(reader().stats().bytes_copied, 0u);
}

TEST_F(StreamBlock, NeighbouringSlicesThatWereSeenAheadJoinOneRun) {
  publish(charged(0), 4, true);
  CountedBlock* const block = charged(4);
  publish(block, 2, false);
  side().publish(Slice{block->data + 2, 2 | Slice::kSealed, {block}}, 2);
  const ReadResult all = reader().try_read(9);
  ASSERT_EQ(all.status, ReadStatus::would_block);
  ASSERT_EQ(all.available, 8u);
  EXPECT_EQ(reader().read(4).size(), 4u);

  const ByteView view = reader().read(4);

  EXPECT_EQ(view.data(), block->data);
  EXPECT_EQ(reader().stats().bytes_copied, 0u);
  // Nothing of the run is taken for bytes ahead of it.
  EXPECT_EQ(reader().try_read(1).available, 0u);
  EXPECT_EQ(ended_, 2);
}

TEST_F(StreamBlock, GatherGoesAcrossASealWithoutBytes) {
  const std::string bytes = pattern(memory_.size());
  std::memcpy(memory_.data(), bytes.data(), bytes.size());
  publish(charged(0), 4, true);
  CountedBlock* const half = charged(4);
  publish(half, 2, false);
  side().publish(Slice{half->data + 2, Slice::kSealed, {half}}, 0);
  publish(charged(8), 4, true);

  EXPECT_EQ(text(reader().read(8)), bytes.substr(0, 6) + bytes.substr(8, 2));

  EXPECT_EQ(ended_, 2);
  EXPECT_EQ(text(reader().read(2)), bytes.substr(10, 2));
  EXPECT_EQ(reader().try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(ended_, 3);
}

// The writer found the stream open, and the reader went before the slice was published.
TEST_F(StreamBlock, BorrowedMemoryPublishedToAReaderThatIsGoneIsReleasedOnce) {
  int released = 0;
  auto& releases = detail::StreamAccess::core(stream_->writer).releases;
  const std::uint64_t number =
      releases.number_of([](void* count) noexcept { ++*static_cast<int*>(count); });
  drop_reader();
  Slice slice{memory_.data(), 4 | number << Slice::kReleaseShift | Slice::kSealed, {}};
  slice.context = &released;
  side().publish(slice, 4);
  EXPECT_EQ(released, 0);

  stream_.reset();

  EXPECT_EQ(released, 1);
}

}  // namespace
}  // namespace forebay::test
