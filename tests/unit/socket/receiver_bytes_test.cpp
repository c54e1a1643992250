// SPDX-License-Identifier: Apache-2.0

// What is sent is what is read, over every kind of connection and in every mode.

#include "unit/socket/support.h"

namespace forebay::test {
namespace {

constexpr std::size_t kBytes = kSanitized ? 700'001 : 3'000'001;
const std::vector<std::size_t> kOddSizes = {1, 7, 64, 1000, 3, 65'537, 300'001};

struct Transport {
  const char* name;
  Wire (*connect)();
};
constexpr Transport kTransports[] = {
    {"SocketPair", socket_pair}, {"Unix", unix_pair}, {"Tcp", tcp_pair}, {"Pipe", pipe_pair}};

class ReceiverBytes : public LeavesNothing,
                      public testing::WithParamInterface<std::tuple<ReceiveMode, Transport>> {
 protected:
  [[nodiscard]] ReceiverOptions options(StreamOptions stream = {}) const {
    ReceiverOptions options;
    options.mode = std::get<0>(GetParam());
    options.stream = std::move(stream);
    return options;
  }
  [[nodiscard]] Wire connect() const { return std::get<1>(GetParam()).connect(); }
};

TEST_P(ReceiverBytes, ReadsOfOddSizesReturnWhatWasSent) {
  Wire wire = connect();
  const std::string bytes = pattern(kBytes);
  SocketReceiver receiver(std::move(wire.near), options());
  const Sender sender(std::move(wire.far), bytes, {1, 100, 4097, 1u << 20});

  expect_all(receiver.reader(), bytes, kOddSizes);

  EXPECT_EQ(receiver.reader().stats().bytes_in, bytes.size());
}

TEST_P(ReceiverBytes, ReadBeyondThePeersEndThrowsAndConsumesNothing) {
  Wire wire = connect();
  ASSERT_TRUE(write_all(wire.far, "ten bytes."));
  wire.far = Descriptor();
  SocketReceiver receiver(std::move(wire.near), options());

  try {
    (void)receiver.reader().read(11);
    FAIL() << "read past the end";
  } catch (const EndOfStream& error) {
    EXPECT_EQ(error.requested(), 11u);
    EXPECT_EQ(error.available(), 10u);
  }

  EXPECT_EQ(text(receiver.reader().read(10)), "ten bytes.");
  EXPECT_TRUE(receiver.reader().at_end());
}

TEST_P(ReceiverBytes, PeerThatSendsNothingEndsTheStream) {
  Wire wire = connect();
  wire.far = Descriptor();
  SocketReceiver receiver(std::move(wire.near), options());

  EXPECT_TRUE(receiver.reader().at_end());
  EXPECT_TRUE(receiver.reader().read_some(1).empty());
}

TEST_P(ReceiverBytes, BytesThatTrickleInArriveAsTheyCome) {
  Wire wire = connect();
  const std::string bytes = pattern(2000);
  SocketReceiver receiver(std::move(wire.near), options());

  // The next byte is sent only when the one before it was read.
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    ASSERT_TRUE(write_all(wire.far, std::string_view(bytes).substr(i, 1)));
    ASSERT_EQ(text(receiver.reader().read(1)), bytes.substr(i, 1));
  }

  EXPECT_LE(receiver.reader().stats().bytes_peak, 2 * (std::size_t{256} << 10));
}

TEST_P(ReceiverBytes, ManySendsOfOneByteAreExact) {
  Wire wire = connect();
  const std::string bytes = pattern(20'000);
  SocketReceiver receiver(std::move(wire.near), options());
  const Sender sender(std::move(wire.far), bytes, {1});

  expect_all(receiver.reader(), bytes, {3, 1, 17});
}

TEST_P(ReceiverBytes, BoundSmallerThanAReadIsNoObstacle) {
  Wire wire = connect();
  const std::string bytes = pattern(kBytes);
  StreamOptions bound = small(64 << 10);
  SocketReceiver receiver(std::move(wire.near), options(bound));
  const Sender sender(std::move(wire.far), bytes);

  expect_all(receiver.reader(), bytes, {bytes.size() / 2, 5, bytes.size()});
}

TEST_P(ReceiverBytes, PollingWithTinyBoundsGetsEverything) {
  for (const auto& [max_bytes, max_items] : {std::pair<std::size_t, std::size_t>{1, 1},
                                             {std::size_t{1} << 20, 1},
                                             {1, 64},
                                             {std::size_t{300} << 10, 2}}) {
    Wire wire = connect();
    const std::string bytes = pattern(kBytes / 2);
    SocketReceiver receiver(std::move(wire.near), options(small(max_bytes, max_items)));
    const Sender sender(std::move(wire.far), bytes, {10'007});

    std::size_t done = 0;
    for (std::size_t i = 0; done < bytes.size();) {
      const std::size_t n = std::min(kOddSizes[i % kOddSizes.size()], bytes.size() - done);
      const ReadResult result = receiver.reader().try_read(n);
      if (result.status == ReadStatus::would_block) {
        std::this_thread::yield();
        continue;
      }
      ASSERT_EQ(result.status, ReadStatus::ok);
      ASSERT_TRUE(same(result.view, std::string_view(bytes).substr(done, n), done));
      done += n;
      ++i;
    }
    EXPECT_TRUE(receiver.reader().at_end());
  }
}

TEST_P(ReceiverBytes, WaitingWithTinyBoundsGetsEverything) {
  for (const auto& [max_bytes, max_items] : {std::pair<std::size_t, std::size_t>{1, 1},
                                             {std::size_t{1} << 20, 1},
                                             {1, 64},
                                             {std::size_t{300} << 10, 2}}) {
    Wire wire = connect();
    const std::string bytes = pattern(kBytes / 2);
    SocketReceiver receiver(std::move(wire.near), options(small(max_bytes, max_items)));
    const Sender sender(std::move(wire.far), bytes, {10'007, 1});

    StreamReader& reader = receiver.reader();
    std::size_t done = 0;
    for (std::size_t i = 0; !reader.at_end(); ++i) {
      const std::size_t n = std::min(kOddSizes[i % kOddSizes.size()], bytes.size() - done);
      ASSERT_TRUE(same(reader.peek(n), std::string_view(bytes).substr(done, n), done));
      ASSERT_TRUE(same(reader.read(n), std::string_view(bytes).substr(done, n), done));
      done += n;
    }
    EXPECT_EQ(done, bytes.size());
  }
}

TEST_P(ReceiverBytes, NonBlockingDescriptorIsTakenAsItIs) {
  Wire wire = connect();
  ASSERT_EQ(::fcntl(wire.near.get(), F_SETFL, O_NONBLOCK), 0);
  const std::string bytes = pattern(kBytes);
  SocketReceiver receiver(std::move(wire.near), options());
  const Sender sender(std::move(wire.far), bytes, {10'007, 1});

  expect_all(receiver.reader(), bytes, kOddSizes);
}

TEST_P(ReceiverBytes, GuardsAndSharesOutliveTheReceiver) {
  Wire wire = connect();
  ASSERT_TRUE(write_all(wire.far, "guarded, shared, detached"));
  auto receiver = std::make_unique<SocketReceiver>(std::move(wire.near), options());

  const ByteView guarded = receiver->reader().read(7);
  Guard guard = receiver->reader().pin();
  const SharedBytes shared = receiver->reader().share(receiver->reader().read(8));
  const SharedBytes detached =
      receiver->reader().share(receiver->reader().read(10), Retention::detached);
  receiver.reset();

  EXPECT_EQ(text(guarded), "guarded");
  EXPECT_EQ(text(shared), ", shared");
  EXPECT_EQ(text(detached), ", detached");
}

INSTANTIATE_TEST_SUITE_P(Each, ReceiverBytes,
                         testing::Combine(testing::Values(ReceiveMode::threaded,
                                                          ReceiveMode::inline_,
                                                          ReceiveMode::automatic),
                                          testing::ValuesIn(kTransports)),
                         [](const testing::TestParamInfo<ReceiverBytes::ParamType>& each) {
                           return std::string(name_of(std::get<0>(each.param))) +
                                  std::get<1>(each.param).name;
                         });

}  // namespace
}  // namespace forebay::test
