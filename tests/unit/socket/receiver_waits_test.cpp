// SPDX-License-Identifier: Apache-2.0

// How waits in a receiver end: cancel, deadlines, stop requests, signals, failures, destruction.

#include <netinet/in.h>

#include "unit/socket/support.h"

namespace forebay::test {
namespace {

using namespace std::chrono_literals;

class ReceiverWaits : public EachMode {};
FOREBAY_INSTANTIATE_MODES(ReceiverWaits);

TEST_P(ReceiverWaits, CancelEndsABlockedRead) {
  Wire wire = socket_pair();
  SocketReceiver receiver(std::move(wire.near), options());
  const WhenAsleep cancel([&] { receiver.reader().cancel(); });

  EXPECT_THROW((void)receiver.reader().read(1), Cancelled);
  EXPECT_THROW((void)receiver.reader().read(1), Cancelled);
}

TEST_P(ReceiverWaits, CancelEndsABlockedReadOfAPipe) {
  Wire wire = pipe_pair();
  SocketReceiver receiver(std::move(wire.near), options());
  const WhenAsleep cancel([&] { receiver.reader().cancel(); });

  EXPECT_THROW((void)receiver.reader().read(1), Cancelled);
}

TEST_P(ReceiverWaits, CancelEndsAReadThatWaitsForTheRest) {
  Wire wire = tcp_pair();
  SocketReceiver receiver(std::move(wire.near), options());
  ASSERT_TRUE(write_all(wire.far, "part"));
  const WhenAsleep cancel([&] { receiver.reader().cancel(); });

  EXPECT_THROW((void)receiver.reader().read(5), Cancelled);
}

TEST_P(ReceiverWaits, CancelEndsAReadWithADeadline) {
  Wire wire = socket_pair();
  SocketReceiver receiver(std::move(wire.near), options());
  const WhenAsleep cancel([&] { receiver.reader().cancel(); });

  const ReadResult result = receiver.reader().read_until(1, Deadline::after(1h));

  EXPECT_EQ(result.status, ReadStatus::cancelled);
}

TEST_P(ReceiverWaits, DeadlineEndsAReadAndNothingIsConsumed) {
  Wire wire = socket_pair();
  SocketReceiver receiver(std::move(wire.near), options());
  ASSERT_TRUE(write_all(wire.far, "ab"));

  const auto began = Deadline::clock::now();
  const ReadResult late = receiver.reader().read_until(3, Deadline::after(30ms));

  EXPECT_EQ(late.status, ReadStatus::timed_out);
  EXPECT_EQ(late.available, 2u);
  EXPECT_GE(Deadline::clock::now() - began, 30ms);
  ASSERT_TRUE(write_all(wire.far, "c"));
  EXPECT_EQ(text(receiver.reader().read_until(3, Deadline::after(1h)).view), "abc");
}

TEST_P(ReceiverWaits, DeadlinesAtTheEdgesOfTheClockAreGood) {
  Wire wire = socket_pair();
  SocketReceiver receiver(std::move(wire.near), options());
  StreamReader& reader = receiver.reader();
  const auto epoch = Deadline::time_point();

  EXPECT_EQ(reader.read_until(1, Deadline::at(Deadline::time_point::min())).status,
            ReadStatus::timed_out);
  EXPECT_EQ(reader.read_until(1, Deadline::at(epoch)).status, ReadStatus::timed_out);
  EXPECT_EQ(reader.read_until(1, Deadline::after(-1h)).status, ReadStatus::timed_out);
  ASSERT_TRUE(write_all(wire.far, "abc"));
  EXPECT_EQ(reader.read_until(1, Deadline::at(Deadline::time_point::max() - 1ns)).status,
            ReadStatus::ok);
  EXPECT_EQ(reader.read_until(1, Deadline::after(std::chrono::hours::max())).status,
            ReadStatus::ok);
  EXPECT_EQ(reader.read_until(1, Deadline::never()).status, ReadStatus::ok);
}

TEST_P(ReceiverWaits, PollingGetsWhatIsThereAtOnce) {
  Wire wire = socket_pair();
  SocketReceiver receiver(std::move(wire.near), options());
  EXPECT_EQ(receiver.reader().try_read(1).status, ReadStatus::would_block);
  ASSERT_TRUE(write_all(wire.far, "x"));

  eventually([&] { return receiver.reader().try_read(1).status == ReadStatus::ok; });
  EXPECT_EQ(receiver.reader().try_read(1).status, ReadStatus::would_block);
  wire.far = Descriptor();
  eventually([&] { return receiver.reader().try_read(1).status == ReadStatus::end; });
}

TEST_P(ReceiverWaits, StopRequestEndsARead) {
  Wire wire = socket_pair();
  SocketReceiver receiver(std::move(wire.near), options());
  std::stop_source stop;
  {
    const WhenAsleep request([&] { stop.request_stop(); });

    const ReadResult result = receiver.reader().read_until(1, Deadline::never(), stop.get_token());

    EXPECT_EQ(result.status, ReadStatus::stopped);
  }
  EXPECT_EQ(receiver.reader().read_until(1, Deadline::after(1h), stop.get_token()).status,
            ReadStatus::stopped);
  ASSERT_TRUE(write_all(wire.far, "x"));
  EXPECT_EQ(text(receiver.reader().read(1)), "x");
}

// --- Signals -------------------------------------------------------------------------------------

class Pest {
 public:
  Pest() {
    struct sigaction action {};
    action.sa_handler = [](int) {};  // Without SA_RESTART.
    ::sigaction(SIGUSR1, &action, &before_);
    thread_ = std::jthread([](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
          const auto thread = static_cast<pid_t>(std::stol(entry.path().filename().string()));
          if (thread != this_thread_id()) ::syscall(SYS_tgkill, ::getpid(), thread, SIGUSR1);
        }
        std::this_thread::yield();
      }
    });
  }
  Pest(const Pest&) = delete;
  Pest& operator=(const Pest&) = delete;
  ~Pest() {
    thread_ = {};
    ::sigaction(SIGUSR1, &before_, nullptr);
  }

 private:
  struct sigaction before_ {};
  std::jthread thread_;
};

TEST_P(ReceiverWaits, SignalsWhileReceivingChangeNothing) {
  for (Wire (*connect)() : {socket_pair, tcp_pair, pipe_pair}) {
    Wire wire = connect();
    const std::string bytes = pattern(300'000);
    const Pest pest;
    SocketReceiver receiver(std::move(wire.near), options());
    const Sender sender(std::move(wire.far), bytes, {997, 1, 64});

    std::size_t done = 0;
    while (done < bytes.size()) {
      const std::size_t n = std::min<std::size_t>(1009, bytes.size() - done);
      const ReadResult result = done % 2 == 0
                                    ? receiver.reader().read_until(n, Deadline::after(1h))
                                    : ReadResult{ReadStatus::ok, receiver.reader().read(n), n};
      ASSERT_EQ(result.status, ReadStatus::ok);
      ASSERT_TRUE(same(result.view, std::string_view(bytes).substr(done, n), done));
      done += n;
    }
    EXPECT_TRUE(receiver.reader().at_end());
  }
}

TEST_P(ReceiverWaits, SignalsDoNotEndAWaitEarly) {
  Wire wire = socket_pair();
  const Pest pest;
  SocketReceiver receiver(std::move(wire.near), options());

  const auto began = Deadline::clock::now();
  EXPECT_EQ(receiver.reader().read_until(1, Deadline::after(50ms)).status, ReadStatus::timed_out);
  EXPECT_GE(Deadline::clock::now() - began, 50ms);
}

// --- Failures ------------------------------------------------------------------------------------

template <class Read>
void expect_reset(Read&& read) {
  try {
    (void)read();
    FAIL() << "the connection was reset";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::error_code(ECONNRESET, std::system_category()));
  }
}

TEST_P(ReceiverWaits, ResetOverTcpComesAfterAllThatWasReceived) {
  Wire wire = tcp_pair();
  const std::string bytes = pattern(50'000);
  ASSERT_TRUE(write_all(wire.far, bytes));
  const linger at_once{1, 0};
  ASSERT_EQ(::setsockopt(wire.far.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  wire.far = Descriptor();
  SocketReceiver receiver(std::move(wire.near), options());
  StreamReader& reader = receiver.reader();

  EXPECT_TRUE(same(reader.read(40'000), std::string_view(bytes).substr(0, 40'000)));
  expect_reset([&] { return reader.read(10'001); });
  EXPECT_TRUE(same(reader.read(10'000), std::string_view(bytes).substr(40'000)));
  expect_reset([&] { return reader.at_end(); });
  EXPECT_NE(reader.error(), nullptr);
  EXPECT_EQ(reader.try_read(1).status, ReadStatus::failed);
}

TEST_P(ReceiverWaits, ResetOverAUnixSocketComesAfterAllThatWasReceived) {
  Wire wire = socket_pair();
  ASSERT_TRUE(write_all(wire.near, "never read"));
  ASSERT_TRUE(write_all(wire.far, "all of it"));
  wire.far = Descriptor();
  SocketReceiver receiver(std::move(wire.near), options());

  EXPECT_EQ(text(receiver.reader().read(9)), "all of it");
  expect_reset([&] { return receiver.reader().read(1); });
}

TEST_P(ReceiverWaits, ResetEndsABlockedRead) {
  Wire wire = tcp_pair();
  const linger at_once{1, 0};
  ASSERT_EQ(::setsockopt(wire.far.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  SocketReceiver receiver(std::move(wire.near), options());
  const WhenAsleep reset([&] { wire.far = Descriptor(); });

  expect_reset([&] { return receiver.reader().read(1); });
}

TEST_P(ReceiverWaits, PeerThatHalfClosesStillReads) {
  Wire wire = socket_pair();
  ASSERT_TRUE(write_all(wire.far, "question"));
  ASSERT_EQ(::shutdown(wire.far.get(), SHUT_WR), 0);
  SocketReceiver receiver(std::move(wire.near), options());

  EXPECT_EQ(text(receiver.reader().read_all()), "question");
  socket::send_all(receiver.descriptor(), bytes_of("answer"));

  char answer[6] = {};
  EXPECT_EQ(::recv(wire.far.get(), answer, sizeof answer, MSG_WAITALL), 6);
  EXPECT_EQ(std::string_view(answer, 6), "answer");
}

TEST_P(ReceiverWaits, DescriptorThatCannotBeReadFailsTheStream) {
  Descriptor folder(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  SocketReceiver receiver(std::move(folder), options());

  EXPECT_THROW((void)receiver.reader().read(1), std::system_error);
}

TEST_P(ReceiverWaits, EmptyDescriptorAndZeroLimitsAreRefused) {
  EXPECT_THROW(SocketReceiver(Descriptor(), options()), std::invalid_argument);
  StreamOptions zero;
  zero.max_bytes = 0;
  EXPECT_THROW(SocketReceiver(socket_pair().near, options(zero)), std::invalid_argument);
}

// --- Destruction ---------------------------------------------------------------------------------

TEST_P(ReceiverWaits, DestructionWhileNothingComes) {
  for (Wire (*connect)() : {socket_pair, tcp_pair, pipe_pair}) {
    Wire wire = connect();
    SocketReceiver receiver(std::move(wire.near), options());
    if (GetParam() == ReceiveMode::threaded) await_all_asleep();
  }
}

TEST_P(ReceiverWaits, DestructionWhileTheReceiverWaitsForRoom) {
  Wire wire = socket_pair();
  const Sender sender(std::move(wire.far), pattern(4 << 20));
  {
    SocketReceiver receiver(std::move(wire.near), options(small(512 << 10)));
    (void)receiver.reader().read(1);
    if (GetParam() == ReceiveMode::threaded) {
      eventually([&] { return receiver.reader().stats().writer.parks != 0; });
    }
  }
  // The sender saw its peer go: this scope would not end otherwise.
}

TEST_P(ReceiverWaits, DestructionWhileTheReceiverWaitsForItsPool) {
  PoolOptions limits;
  limits.block_bytes = 64 << 10;
  limits.large_block_bytes = 64 << 10;
  limits.budget_bytes = 4 * limits.block_bytes;
  StreamOptions stream = small(16 << 20);
  stream.pool = std::make_shared<ChunkPool>(limits);
  const PoolBlock held = stream.pool->acquire();
  Wire wire = socket_pair();
  const Sender sender(std::move(wire.far), pattern(4 << 20));
  {
    SocketReceiver receiver(std::move(wire.near), options(stream));
    (void)receiver.reader().read(1);
    // The thread has filled all that the pool can give it.
    if (GetParam() == ReceiveMode::threaded) await_all_asleep();
  }
  EXPECT_EQ(stream.pool->available_bytes(), 3 * limits.block_bytes);
}

TEST_P(ReceiverWaits, CancelEndsAReadThatWaitsForItsPool) {
  PoolOptions limits;
  limits.block_bytes = 64 << 10;
  limits.large_block_bytes = 64 << 10;
  limits.budget_bytes = 3 * limits.block_bytes;
  StreamOptions stream = small(16 << 20);
  stream.pool = std::make_shared<ChunkPool>(limits);
  Wire wire = socket_pair();
  const Sender sender(std::move(wire.far), pattern(4 << 20));
  SocketReceiver receiver(std::move(wire.near), options(stream));
  std::vector<SharedBytes> kept;
  const WhenAsleep cancel([&] { receiver.reader().cancel(); });

  EXPECT_THROW(
      for (;;) kept.push_back(receiver.reader().share(receiver.reader().read(limits.block_bytes))),
      Cancelled);
}

TEST_P(ReceiverWaits, DeadlineEndsAReadThatWaitsForItsPool) {
  PoolOptions limits;
  limits.block_bytes = 64 << 10;
  limits.large_block_bytes = 64 << 10;
  limits.budget_bytes = 3 * limits.block_bytes;
  StreamOptions stream = small(16 << 20);
  stream.pool = std::make_shared<ChunkPool>(limits);
  Wire wire = socket_pair();
  const std::string bytes = pattern(4 << 20);
  const Sender sender(std::move(wire.far), bytes);
  SocketReceiver receiver(std::move(wire.near), options(stream));
  std::vector<SharedBytes> kept;

  std::size_t done = 0;
  for (;;) {
    const ReadResult result = receiver.reader().read_until(1000, Deadline::after(50ms));
    if (result.status == ReadStatus::timed_out) break;
    ASSERT_EQ(result.status, ReadStatus::ok);
    kept.push_back(receiver.reader().share(result.view));
    done += 1000;
  }
  kept.clear();
  const ByteView rest = receiver.reader().read(bytes.size() - done);
  EXPECT_TRUE(same(rest, std::string_view(bytes).substr(done)));
}

TEST_P(ReceiverWaits, HoldingEverythingIsToldWhereASlotWasLackingFirst) {
  PoolOptions limits;
  limits.block_bytes = 4096;  // Each receive has a block of its own.
  limits.large_block_bytes = 4096;
  StreamOptions stream = small(4096, 1);
  stream.pool = std::make_shared<ChunkPool>(limits);
  stream.retention_grace = 1ms;
  Wire wire = socket_pair();
  SocketReceiver receiver(std::move(wire.near), options(stream));
  ASSERT_TRUE(write_all(wire.far, "0123456789"));
  const SharedBytes kept = receiver.reader().share(receiver.reader().read(10));
  ASSERT_TRUE(write_all(wire.far, "0123456789"));

  EXPECT_THROW((void)receiver.reader().at_end(), RetainedBudgetExhausted);
}

TEST_P(ReceiverWaits, DestructionWithUnreadBytes) {
  Wire wire = socket_pair();
  ASSERT_TRUE(write_all(wire.far, pattern(100'000)));
  SocketReceiver receiver(std::move(wire.near), options());
  EXPECT_FALSE(receiver.reader().at_end());
  (void)receiver.reader().peek(50'000);
}

TEST_P(ReceiverWaits, MovedReceiverGoesOn) {
  Wire wire = socket_pair();
  ASSERT_TRUE(write_all(wire.far, "abcdef"));
  SocketReceiver first(std::move(wire.near), options());
  EXPECT_EQ(text(first.reader().read(3)), "abc");

  SocketReceiver second(std::move(first));

  EXPECT_EQ(text(second.reader().read(3)), "def");
}

}  // namespace
}  // namespace forebay::test
