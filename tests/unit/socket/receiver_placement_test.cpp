// SPDX-License-Identifier: Apache-2.0

// Where a receiver that knows Arrow's framing puts the bytes.

#include "unit/socket/arrow_frames.h"
#include "unit/socket/support.h"

namespace forebay::test {
namespace {

using namespace std::chrono_literals;

class Placement : public EachMode {
 protected:
  [[nodiscard]] ReceiverOptions framed(StreamOptions stream = {}) const {
    ReceiverOptions options = this->options(std::move(stream));
    options.framing = Framing::arrow_ipc;
    return options;
  }

  // Reads the stream as an Arrow reader does, message by message, and compares it.
  static void expect_messages(StreamReader& reader, const ArrowStream& stream) {
    std::size_t offset = 0;
    for (const ArrowStream::Message& message : stream.messages) {
      const ByteView head = reader.read(message.head_bytes);
      ASSERT_TRUE(same(head, stream.bytes().substr(offset, message.head_bytes), offset));
      offset += message.head_bytes;
      const ByteView body = reader.read(message.body_bytes);
      ASSERT_TRUE(same(body, stream.bytes().substr(offset, message.body_bytes), offset));
      offset += message.body_bytes;
      if (message.body_bytes >= (std::size_t{128} << 10)) {
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(body.data()) % 64, 0u);
      }
    }
    EXPECT_TRUE(same(reader.read_all(), stream.bytes().substr(offset), offset));
    EXPECT_TRUE(reader.at_end());
  }
};
FOREBAY_INSTANTIATE_MODES(Placement);

TEST_P(Placement, LargeBodiesLieInOneAlignedBlockAndNothingIsCopied) {
  for (const bool legacy : {false, true}) {
    ArrowStream stream(legacy);
    stream.add_message(300, 0);  // As a schema.
    for (const std::size_t body : {1'700'000u, 131'072u, 4u << 20, 1'000'000u, 200'008u}) {
      stream.add_message(500, body);
    }
    stream.add_end();
    for (Wire (*connect)() : {socket_pair, tcp_pair, pipe_pair}) {
      Wire wire = connect();
      SocketReceiver receiver(std::move(wire.near), framed());
      const Sender sender(std::move(wire.far), std::string(stream.bytes()));

      expect_messages(receiver.reader(), stream);

      EXPECT_EQ(receiver.reader().stats().bytes_copied, 0u) << "legacy: " << legacy;
      EXPECT_EQ(receiver.stats().bodies_straight, 5u) << "legacy: " << legacy;
      EXPECT_EQ(receiver.stats().bytes_straight,
                1'700'000u + 131'072 + (4 << 20) + 1'000'000 + 200'008);
    }
  }
}

TEST_P(Placement, LargeBodiesStayWholeHoweverTheyAreSent) {
  ArrowStream stream;
  stream.add_message(300, 0);
  for (int i = 0; i < 4; ++i) stream.add_message(500, 300'000);
  stream.add_end();
  for (const std::vector<std::size_t>& parts :
       {std::vector<std::size_t>{1009}, {3, 70'001}, {65'536, 1, 7}}) {
    Wire wire = socket_pair();
    SocketReceiver receiver(std::move(wire.near), framed());
    const Sender sender(std::move(wire.far), std::string(stream.bytes()), parts);

    expect_messages(receiver.reader(), stream);

    EXPECT_EQ(receiver.reader().stats().bytes_copied, 0u);
    EXPECT_EQ(receiver.stats().bodies_straight, 4u);
  }
}

TEST_P(Placement, PollingKeepsLargeBodiesWhole) {
  ArrowStream stream;
  for (int i = 0; i < 4; ++i) stream.add_message(500, 300'000);
  Wire wire = socket_pair();
  SocketReceiver receiver(std::move(wire.near), framed());
  const Sender sender(std::move(wire.far), std::string(stream.bytes()), {10'007});

  std::size_t offset = 0;
  for (const ArrowStream::Message& message : stream.messages) {
    for (const std::size_t n : {message.head_bytes, message.body_bytes}) {
      ReadResult result{ReadStatus::would_block, {}, 0};
      eventually([&] {
        result = receiver.reader().try_read(n);
        return result.status != ReadStatus::would_block;
      });
      ASSERT_EQ(result.status, ReadStatus::ok);
      ASSERT_TRUE(same(result.view, stream.bytes().substr(offset, n), offset));
      offset += n;
    }
  }
  EXPECT_EQ(receiver.reader().stats().bytes_copied, 0u);
}

TEST_P(Placement, SmallBodiesShareBlocksAndSystemCalls) {
  ArrowStream stream;
  for (int i = 0; i < 2000; ++i) stream.add_message(200, 800);
  stream.add_end();
  Wire wire = socket_pair();
  const int buffer = 1 << 20;
  ASSERT_EQ(::setsockopt(wire.far.get(), SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer), 0);
  SocketReceiver receiver(std::move(wire.near), framed());
  const Sender sender(std::move(wire.far), std::string(stream.bytes()));

  expect_messages(receiver.reader(), stream);

  EXPECT_EQ(receiver.stats().bodies_straight, 0u);
  EXPECT_LT(receiver.stats().system_calls, 1000u);
}

TEST_P(Placement, SizesThatChangeAreExact) {
  ArrowStream stream;
  for (int i = 0; i < 40; ++i) {
    stream.add_message(100 + 40 * static_cast<std::size_t>(i),
                       i % 5 == 0   ? 400'000
                       : i % 3 == 0 ? 0
                                    : 5'000 + 8 * static_cast<std::size_t>(i));
  }
  stream.add_end();
  Wire wire = socket_pair();
  SocketReceiver receiver(std::move(wire.near), framed());
  const Sender sender(std::move(wire.far), std::string(stream.bytes()), {70'001, 13});

  std::size_t offset = 0;
  for (const ArrowStream::Message& message : stream.messages) {
    const std::size_t n = message.head_bytes + message.body_bytes;
    ASSERT_TRUE(same(receiver.reader().read(n), stream.bytes().substr(offset, n), offset));
    offset += n;
  }
}

TEST_P(Placement, BodyBeyondTheLargestBlockComesInBulk) {
  ArrowStream stream;
  stream.add_message(500, (4 << 20) + 8);
  stream.add_message(500, 500'000);
  stream.add_end();
  Wire wire = socket_pair();
  SocketReceiver receiver(std::move(wire.near), framed());
  const Sender sender(std::move(wire.far), std::string(stream.bytes()));

  std::size_t offset = 0;
  for (const ArrowStream::Message& message : stream.messages) {
    for (const std::size_t n : {message.head_bytes, message.body_bytes}) {
      ASSERT_TRUE(same(receiver.reader().read(n), stream.bytes().substr(offset, n), offset));
      offset += n;
    }
  }
  EXPECT_EQ(receiver.stats().bodies_straight, 1u);
}

TEST_P(Placement, BoundSmallerThanABodyIsNoObstacle) {
  ArrowStream stream;
  for (int i = 0; i < 5; ++i) stream.add_message(500, 700'000);
  stream.add_end();
  for (const std::size_t max_items : {1u, 64u}) {
    Wire wire = socket_pair();
    SocketReceiver receiver(std::move(wire.near), framed(small(64 << 10, max_items)));
    const Sender sender(std::move(wire.far), std::string(stream.bytes()));

    expect_messages(receiver.reader(), stream);
  }
}

TEST_P(Placement, WhatIsNotArrowIsExactAllTheSame) {
  const std::string bytes = "This is not an Arrow stream." + pattern(1'000'000);
  Wire wire = socket_pair();
  SocketReceiver receiver(std::move(wire.near), framed());
  const Sender sender(std::move(wire.far), bytes, {100'003, 1});

  expect_all(receiver.reader(), bytes, {5, 65'537, 100'000});

  EXPECT_EQ(receiver.stats().bodies_straight, 0u);
}

TEST_P(Placement, HostileLengthsCostNoMemory) {
  const std::string metadata_of_2_gib = "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F" + pattern(10);
  const std::string legacy_of_2_gib = "\xFF\xFF\xFF\x7F" + pattern(10);
  ArrowStream body_of_4_exabytes;
  body_of_4_exabytes.add_announcement(500, std::int64_t{1} << 62);
  ArrowStream negative;
  negative.add_announcement(500, -8);
  ArrowStream body_of_3_mib;
  body_of_3_mib.add_announcement(500, 3 << 20);
  for (const std::string& announced :
       {metadata_of_2_gib, legacy_of_2_gib, std::string(body_of_4_exabytes.bytes()) + "some",
        std::string(negative.bytes()) + "some", std::string(body_of_3_mib.bytes()) + "some"}) {
    Wire wire = socket_pair();
    ASSERT_TRUE(write_all(wire.far, announced));
    wire.far = Descriptor();
    const std::size_t before = resident_bytes();
    SocketReceiver receiver(std::move(wire.near), framed());

    EXPECT_TRUE(same(receiver.reader().read(announced.size()), announced));
    EXPECT_TRUE(receiver.reader().at_end());

    if (!kSanitized) {
      EXPECT_LT(resident_bytes(), before + (1 << 20));
    }
  }
}

TEST_P(Placement, HalfABodyIsDeliveredBeforeTheEnd) {
  ArrowStream stream;
  stream.add_message(500, 400'000);
  const std::string_view sent = stream.bytes().substr(0, stream.bytes().size() - 150'000);
  Wire wire = socket_pair();
  SocketReceiver receiver(std::move(wire.near), framed());
  const Sender sender(std::move(wire.far), std::string(sent), {100'003});

  EXPECT_TRUE(same(receiver.reader().read_all(), sent));
  EXPECT_TRUE(receiver.reader().at_end());
}

TEST_P(Placement, HalfABodyIsDeliveredBeforeAReset) {
  ArrowStream stream;
  stream.add_message(500, 400'000);
  const std::string_view sent = stream.bytes().substr(0, stream.bytes().size() - 250'000);
  // Not over a Unix socket: there a receive of a whole body swallows the error (it returns what it
  // has and clears it), and the reader sees the end in the middle of the body.
  Wire wire = tcp_pair();
  const linger at_once{1, 0};
  ASSERT_EQ(::setsockopt(wire.far.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  SocketReceiver receiver(std::move(wire.near), framed());
  const Sender sender(std::move(wire.far), std::string(sent), {50'003});

  std::size_t done = 0;
  EXPECT_THROW(
      for (;;) {
        const ByteView part = receiver.reader().read_some(10'000);
        ASSERT_FALSE(part.empty()) << "the end was clean";
        EXPECT_TRUE(same(part, sent.substr(done, part.size()), done));
        done += part.size();
      },
      std::system_error);
  EXPECT_LE(done, sent.size());
}

TEST(PlacementInline, HalfAHeadIsNoSliceUntilItIsWhole) {
  ArrowStream stream;
  stream.add_message(500, 400'000);
  const std::size_t head = stream.messages[0].head_bytes;
  Wire wire = socket_pair();
  SocketReceiver receiver(std::move(wire.near), ReceiverOptions{.mode = ReceiveMode::inline_,
                                                                .framing = Framing::arrow_ipc});
  StreamReader& reader = receiver.reader();
  ASSERT_TRUE(write_all(wire.far, stream.bytes().substr(0, 100)));

  EXPECT_EQ(reader.try_read(1).status, ReadStatus::would_block);
  EXPECT_EQ(receiver.stats().system_calls, 3u);  // The prefix, the first part, and no more.
  EXPECT_EQ(reader.stats().bytes_in, 0u);

  ASSERT_TRUE(write_all(wire.far, stream.bytes().substr(100, head - 100)));
  EXPECT_TRUE(same(reader.read(head), stream.bytes().substr(0, head)));
}

// Each part is sent when the one before was read, so that it begins a receive.
TEST(PlacementInline, SmallBodiesLieWholeAndAlignedInBulkBlocks) {
  constexpr std::size_t kBlock = 65'536;
  constexpr std::size_t kRest = 4'736;  // of the block, where the third body begins
  ArrowStream stream;
  for (const std::size_t body : {std::size_t{30'000}, std::size_t{30'000}, kRest,
                                 std::size_t{60'000}, std::size_t{30'000}, std::size_t{100'000}}) {
    stream.add_message(204, body);
  }
  Wire wire = socket_pair();
  const auto pool = std::make_shared<ChunkPool>(PoolOptions{.block_bytes = kBlock});
  ReceiverOptions options{.mode = ReceiveMode::inline_, .framing = Framing::arrow_ipc};
  options.stream.pool = pool;
  SocketReceiver receiver(std::move(wire.near), options);
  StreamReader& reader = receiver.reader();
  std::size_t offset = 0;
  // Sends n bytes in two parts, and returns where they lie.
  const auto pass = [&](std::size_t n) -> const std::byte* {
    const std::string_view expected = stream.bytes().substr(offset, n);
    EXPECT_TRUE(write_all(wire.far, expected.substr(0, n * 2 / 3)));
    EXPECT_EQ(reader.try_read(n).status, ReadStatus::would_block);
    EXPECT_TRUE(write_all(wire.far, expected.substr(n * 2 / 3)));
    const ByteView view = reader.read(n);
    EXPECT_TRUE(same(view, expected, offset));
    offset += n;
    return view.data();
  };
  std::vector<std::ptrdiff_t> distances;  // from the first body
  const std::byte* first = nullptr;
  for (const ArrowStream::Message& message : stream.messages) {
    EXPECT_NE(message.head_bytes % 64, 0u);
    (void)pass(message.head_bytes);
    const std::uint64_t copied = reader.stats().bytes_copied;
    const std::byte* const body = pass(message.body_bytes);
    if (message.body_bytes > kBlock) continue;  // Cut in any case.
    EXPECT_EQ(reader.stats().bytes_copied, copied) << "of " << message.body_bytes;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(body) % 64, 0u) << "of " << message.body_bytes;
    if (first == nullptr) first = body;
    distances.push_back(body - first);
  }

  // One after another, the third up to the end of the block.
  EXPECT_EQ(distances[1], 30'528 - 256);
  EXPECT_EQ(distances[2], static_cast<std::ptrdiff_t>(kBlock - kRest) - 256);
  EXPECT_EQ(receiver.stats().bodies_straight, 0u);
}

TEST_P(Placement, HalfAHeadIsDeliveredBeforeTheEnd) {
  ArrowStream stream;
  stream.add_message(500, 400'000);
  for (const std::size_t size : {1u, 3u, 4u, 7u, 8u, 9u, 100u, 507u}) {
    Wire wire = socket_pair();
    ASSERT_TRUE(write_all(wire.far, stream.bytes().substr(0, size)));
    wire.far = Descriptor();
    SocketReceiver receiver(std::move(wire.near), framed());

    EXPECT_TRUE(same(receiver.reader().read_all(), stream.bytes().substr(0, size)));
  }
}

TEST_P(Placement, CancelEndsTheWaitForABody) {
  ArrowStream stream;
  stream.add_announcement(500, 1 << 20);
  Wire wire = tcp_pair();
  ASSERT_TRUE(write_all(wire.far, std::string(stream.bytes()) + "the first bytes of it"));
  SocketReceiver receiver(std::move(wire.near), framed());
  EXPECT_TRUE(same(receiver.reader().read(stream.bytes().size()), stream.bytes()));
  const WhenAsleep cancel([&] { receiver.reader().cancel(); });

  EXPECT_THROW((void)receiver.reader().read(1 << 20), Cancelled);
}

TEST_P(Placement, DeadlineEndsTheWaitForABodyAndItIsStillWhole) {
  ArrowStream stream;
  stream.add_message(500, 1 << 20);
  const std::size_t head = stream.messages[0].head_bytes;
  Wire wire = socket_pair();
  SocketReceiver receiver(std::move(wire.near), framed());
  ASSERT_TRUE(write_all(wire.far, stream.bytes().substr(0, head + 1000)));
  EXPECT_TRUE(same(receiver.reader().read(head), stream.bytes().substr(0, head)));
  EXPECT_EQ(receiver.reader().read_until(1 << 20, Deadline::after(20ms)).status,
            ReadStatus::timed_out);
  const Sender sender(std::move(wire.far), std::string(stream.bytes().substr(head + 1000)));

  EXPECT_TRUE(same(receiver.reader().read(1 << 20), stream.bytes().substr(head)));
  EXPECT_EQ(receiver.reader().stats().bytes_copied, 0u);
}

}  // namespace
}  // namespace forebay::test
