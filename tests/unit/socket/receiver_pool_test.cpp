// SPDX-License-Identifier: Apache-2.0

// Many receivers on one pool that could not hold what they may buffer: none is stuck.

#include "unit/socket/arrow_frames.h"
#include "unit/socket/support.h"

namespace forebay::test {
namespace {

using namespace std::chrono_literals;

class SharedPool : public EachMode {
 protected:
  static constexpr std::size_t kBlock = 16 << 10;

  // The reserves of the streams, and few blocks besides.
  static std::shared_ptr<ChunkPool> pool_for(std::size_t streams, std::size_t blocks_besides) {
    PoolOptions limits;
    limits.block_bytes = kBlock;
    limits.budget_bytes = (3 * streams + blocks_besides) * kBlock;
    limits.large_block_bytes = std::min(8 * kBlock, limits.budget_bytes);
    return std::make_shared<ChunkPool>(limits);
  }

  // Attaches all streams, sends to all and reads all, each on a thread of its own.
  void expect_all_exact(std::size_t streams, const std::shared_ptr<ChunkPool>& pool,
                        const std::string& bytes, const std::vector<std::size_t>& sizes,
                        Framing framing = Framing::none) {
    const std::size_t before = pool->available_bytes();
    {
      std::vector<Wire> wires(streams);
      std::vector<SocketReceiver> receivers;
      for (Wire& wire : wires) {
        wire = socket_pair();
        StreamOptions stream = small(4 << 20);
        stream.pool = pool;
        ReceiverOptions options = this->options(stream);
        options.framing = framing;
        options.straight_bytes_min = 2 * kBlock;
        receivers.emplace_back(std::move(wire.near), options);
      }
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < streams; ++i) {
        threads.emplace_back([&, i] {
          const Sender sender(std::move(wires[i].far), bytes, {100'003});
          expect_all(receivers[i].reader(), bytes, sizes);
        });
      }
    }
    EXPECT_EQ(pool->available_bytes(), before);
    EXPECT_LE(pool->allocated_bytes(), pool->options().budget_bytes);
  }
};
FOREBAY_INSTANTIATE_MODES(SharedPool);

TEST_P(SharedPool, SixtyFourStreamsAreExact) {
  expect_all_exact(64, pool_for(64, 8), pattern(300'000), {1, 4000, 17, 30'000});
}

TEST_P(SharedPool, ReadsBeyondTheReserveAreExact) {
  expect_all_exact(16, pool_for(16, 4), pattern(600'000), {10, 200'000, 70'000});
}

TEST_P(SharedPool, NothingButTheReserveIsEnough) {
  expect_all_exact(8, pool_for(8, 0), pattern(600'000), {10, 200'000, 70'000});
}

TEST_P(SharedPool, FramedStreamsAreExact) {
  ArrowStream stream;
  for (int i = 0; i < 10; ++i) stream.add_message(400, 100'000);
  stream.add_end();
  expect_all_exact(16, pool_for(16, 9), std::string(stream.bytes()), {408, 100'000});
}

TEST_P(SharedPool, SlowReaderDoesNotStopTheOthers) {
  const std::shared_ptr<ChunkPool> pool = pool_for(2, 4);
  StreamOptions stream = small(4 << 20);
  stream.pool = pool;
  const std::string bytes = pattern(600'000);
  Wire slow_wire = socket_pair();
  Wire wire = socket_pair();
  SocketReceiver slow(std::move(slow_wire.near), options(stream));
  SocketReceiver receiver(std::move(wire.near), options(stream));
  const Sender slow_sender(std::move(slow_wire.far), bytes);
  // Has come, is not read, and takes what it can get.
  constexpr std::size_t kSeen = 70'000;
  ASSERT_TRUE(same(slow.reader().read(kSeen), std::string_view(bytes).substr(0, kSeen)));
  const Sender sender(std::move(wire.far), bytes);

  expect_all(receiver.reader(), bytes, {10, 200'000, 70'000});

  EXPECT_TRUE(same(slow.reader().read_all(), std::string_view(bytes).substr(kSeen)));
}

TEST_P(SharedPool, ReadGatherBeyondTheReserveIsExact) {
  const std::shared_ptr<ChunkPool> pool = pool_for(1, 0);
  Wire wire = socket_pair();
  StreamOptions stream = small(4 << 20);
  stream.pool = pool;
  const std::string bytes = pattern(600'000);
  SocketReceiver receiver(std::move(wire.near), options(stream));
  const Sender sender(std::move(wire.far), bytes);

  for (std::size_t offset = 0; offset < bytes.size(); offset += 200'000) {
    std::string got;
    for (const ByteView& view : receiver.reader().read_gather(200'000)) got += text(view);
    EXPECT_TRUE(same(got, std::string_view(bytes).substr(offset, 200'000), offset));
  }
}

TEST_P(SharedPool, PeekBeyondTheReserveIsExact) {
  const std::shared_ptr<ChunkPool> pool = pool_for(1, 0);
  Wire wire = socket_pair();
  StreamOptions stream = small(kBlock);
  stream.pool = pool;
  const std::string bytes = pattern(600'000);
  SocketReceiver receiver(std::move(wire.near), options(stream));
  const Sender sender(std::move(wire.far), bytes);

  const ByteView seen = receiver.reader().read(10);
  EXPECT_TRUE(same(receiver.reader().peek(400'000), std::string_view(bytes).substr(10, 400'000)));
  EXPECT_EQ(text(seen), bytes.substr(0, 10));
  EXPECT_TRUE(same(receiver.reader().read_all(), std::string_view(bytes).substr(10)));
}

TEST_P(SharedPool, TooManyStreamsAreRefused) {
  const std::shared_ptr<ChunkPool> pool = pool_for(2, 2);
  StreamOptions stream;
  stream.pool = pool;
  {
    SocketReceiver first(socket_pair().near, options(stream));
    SocketReceiver second(socket_pair().near, options(stream));
    EXPECT_THROW(SocketReceiver(socket_pair().near, options(stream)), LimitExceeded);
  }
  EXPECT_EQ(pool->available_bytes(), pool->options().budget_bytes);
}

TEST_P(SharedPool, DetachedSharesOfOldStreamsLeaveThePoolToNewOnes) {
  const std::shared_ptr<ChunkPool> pool = pool_for(1, 0);
  std::vector<SharedBytes> table;
  for (int i = 0; i < 10; ++i) {
    Wire wire = socket_pair();
    ASSERT_TRUE(write_all(wire.far, "row"));
    wire.far = Descriptor();
    StreamOptions stream;
    stream.pool = pool;
    SocketReceiver receiver(std::move(wire.near), options(stream));
    table.push_back(receiver.reader().share(receiver.reader().read_all(), Retention::detached));
  }
  for (const SharedBytes& row : table) EXPECT_EQ(text(row), "row");
  EXPECT_EQ(pool->available_bytes(), pool->options().budget_bytes);
}

}  // namespace
}  // namespace forebay::test
