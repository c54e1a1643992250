// SPDX-License-Identifier: Apache-2.0

// The receiving role goes to and fro between the reader and the thread, and no byte is lost or out
// of order. The limits are such that every few kilobytes are measured and the other way tried.

#include "../../../lib/socket/mode_chooser.h"
#include "forebay/detail/futex.h"
#include "unit/socket/arrow_frames.h"
#include "unit/socket/support.h"

namespace forebay::socket {

struct ReceiverTesting {
  static SocketReceiver restless(Descriptor descriptor, ReceiverOptions options) {
    ModeLimits limits;
    limits.stretch_bytes = 4 << 10;
    limits.stretch_time = {};
    limits.work_share_min = -1;
    limits.patience_max = 1;
    options.mode = ReceiveMode::automatic;
    return SocketReceiver(std::move(descriptor), options, limits);
  }
};

}  // namespace forebay::socket

namespace forebay::test {
namespace {

using namespace std::chrono_literals;
using socket::ReceiverStats;
using socket::ReceiverTesting;

class Automatic : public LeavesNothing {
 protected:
  void SetUp() override {
    LeavesNothing::SetUp();
    if (forebay::detail::usable_cpu_count() < 2) {
      GTEST_SKIP() << "on one CPU automatic mode never uses a thread";
    }
  }

  // A stream whose thread cannot run far ahead, so that the reader often waits.
  static StreamOptions short_stream() {
    PoolOptions limits;
    limits.block_bytes = 16 << 10;
    limits.budget_bytes = 8 << 20;
    StreamOptions stream = small(64 << 10);
    stream.pool = std::make_shared<ChunkPool>(limits);
    return stream;
  }

  // What a slow reader does between two reads.
  static void work() {
    const auto until = Deadline::clock::now() + 5us;
    while (Deadline::clock::now() < until) {
    }
  }
};

constexpr std::size_t kBytes = kSanitized ? 4 << 20 : 16 << 20;

TEST_F(Automatic, ManySwitchesLoseNothing) {
  for (Wire (*connect)() : {socket_pair, tcp_pair, pipe_pair}) {
    Wire wire = connect();
    const std::string bytes = pattern(kBytes);
    ReceiverOptions options;
    options.stream = short_stream();
    SocketReceiver receiver = ReceiverTesting::restless(std::move(wire.near), options);
    const Sender sender(std::move(wire.far), bytes, {5'003, 17, 70'001});

    std::size_t done = 0;
    for (std::size_t i = 0; done < bytes.size(); ++i) {
      const std::size_t n = std::min<std::size_t>(1 + (i * 37) % 9000, bytes.size() - done);
      ASSERT_TRUE(same(receiver.reader().read(n), std::string_view(bytes).substr(done, n), done));
      done += n;
      if (i % 8 == 0) work();
    }
    EXPECT_TRUE(receiver.reader().at_end());
    const ReceiverStats stats = receiver.stats();
    EXPECT_GE(stats.lends, 2u);
    EXPECT_GE(stats.recalls, 1u);
  }
}

TEST_F(Automatic, ManySwitchesWithTinyBoundsLoseNothing) {
  for (const auto& [max_bytes, max_items] :
       {std::pair<std::size_t, std::size_t>{1, 64}, {std::size_t{1} << 20, 2}}) {
    Wire wire = socket_pair();
    const std::string bytes = pattern(kBytes / 4);
    ReceiverOptions options;
    options.stream = short_stream();
    options.stream.max_bytes = max_bytes;
    options.stream.max_items = max_items;
    SocketReceiver receiver = ReceiverTesting::restless(std::move(wire.near), options);
    const Sender sender(std::move(wire.far), bytes, {5'003, 17, 70'001});

    std::size_t done = 0;
    for (std::size_t i = 0; done < bytes.size(); ++i) {
      const std::size_t n = std::min<std::size_t>(1 + (i * 37) % 9000, bytes.size() - done);
      ReadResult result{ReadStatus::would_block, {}, 0};
      eventually([&] {
        result = i % 2 == 0 ? receiver.reader().try_read(n)
                            : receiver.reader().read_until(n, Deadline::after(1h));
        return result.status != ReadStatus::would_block;
      });
      ASSERT_EQ(result.status, ReadStatus::ok);
      ASSERT_TRUE(same(result.view, std::string_view(bytes).substr(done, n), done));
      done += n;
    }
    EXPECT_GE(receiver.stats().lends, 1u);
  }
}

TEST_F(Automatic, BodiesStayWholeAcrossSwitches) {
  ArrowStream stream;
  for (int i = 0; i < 60; ++i) stream.add_message(400, 140'000 + 8 * static_cast<std::size_t>(i));
  stream.add_end();
  Wire wire = socket_pair();
  ReceiverOptions options;
  options.framing = Framing::arrow_ipc;
  options.stream = small(512 << 10);
  SocketReceiver receiver = ReceiverTesting::restless(std::move(wire.near), options);
  const Sender sender(std::move(wire.far), std::string(stream.bytes()), {50'021});

  std::size_t offset = 0;
  for (const ArrowStream::Message& message : stream.messages) {
    for (const std::size_t n : {message.head_bytes, message.body_bytes}) {
      ASSERT_TRUE(same(receiver.reader().read(n), stream.bytes().substr(offset, n), offset));
      offset += n;
    }
  }
  EXPECT_EQ(receiver.reader().stats().bytes_copied, 0u);
  EXPECT_EQ(receiver.stats().bodies_straight, 60u);
  // How often depends on how the threads run; once is certain.
  EXPECT_GE(receiver.stats().lends, 1u);
}

TEST_F(Automatic, CancelAndDestructionAtAnyTimeOfASwitch) {
  for (std::size_t i = 0; i < (kSanitized ? 60 : 300); ++i) {
    Wire wire = socket_pair();
    ReceiverOptions options;
    options.stream = short_stream();
    SocketReceiver receiver = ReceiverTesting::restless(std::move(wire.near), options);
    const Sender sender(std::move(wire.far), pattern(200'000), {5'003, 17});
    std::jthread canceller([&, bytes = i * 7919 % 190'000] {
      eventually([&] { return receiver.reader().stats().bytes_in >= bytes; });
      if (bytes % 3 != 0) receiver.reader().cancel();
    });
    try {
      for (std::size_t done = 0; done < 190'000; done += 1000) (void)receiver.reader().read(1000);
    } catch (const Cancelled&) {
    }
    canceller.join();
  }
}

}  // namespace
}  // namespace forebay::test
