// SPDX-License-Identifier: Apache-2.0

// Sockets and pipes in every mode of receiving: sends of odd sizes, signals that interrupt, peers
// that close early or reset. What was sent comes out, and nothing else; what ends is known.

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <thread>

#include "forebay/socket/receiver.h"
#include "scenario.h"
#include "socket_pairs.h"

namespace forebay::stress {

namespace {

using socket::Descriptor;
using socket::ReceiveMode;
using socket::SocketReceiver;

constexpr std::size_t kBlockBytes = 16384;

enum class Ending : std::uint8_t { close, reset };

// Sends `total` bytes in pieces, and ends. The bytes that the kernel took.
std::uint64_t send(Descriptor to, Random random, std::uint64_t stream, std::uint64_t total,
                   Ending ending) {
  std::vector<std::byte> piece(1 + pick(random, 1 << pick(random, 17)));
  std::uint64_t at = 0;
  while (at < total) {
    const std::size_t size = std::min<std::uint64_t>(1 + pick(random, piece.size()), total - at);
    const auto bytes = std::span(piece).first(size);
    fill(bytes, stream, at);
    if (!send_piece(to, bytes)) break;  // The receiver gave up, and says why.
    at += size;
  }
  if (ending == Ending::reset) reset_at_close(to);
  return at;
}

StreamOptions random_options(Random& random, const std::shared_ptr<ChunkPool>& pool) {
  StreamOptions options;
  if (pick(random, 2) == 0) {
    options.pool = pool;
    options.max_bytes = PoolLease::charge_for(kBlockBytes) * (1 + pick(random, 4));
  }
  options.max_items = 1 + pick(random, 64);
  options.retention_grace = std::chrono::nanoseconds(0);
  return options;
}

void one_connection(Run& run, Random& random, const std::shared_ptr<ChunkPool>& pool) {
  const std::uint64_t stream = random();
  const std::uint64_t total = pick(random, std::size_t{1} << pick(random, 20));
  Wire wire = random_wire(random);
  // Only TCP resets: a Unix socket has no such thing while all was read.
  const Ending ending = wire.is_tcp && pick(random, 3) == 0 ? Ending::reset : Ending::close;
  socket::ReceiverOptions options;
  options.mode = static_cast<ReceiveMode>(pick(random, 3));
  options.framing = pick(random, 2) == 0 ? Framing::none : Framing::arrow_ipc;
  options.stream = random_options(random, pool);
  SocketReceiver receiver(std::move(wire.near), options);
  StreamReader& reader = receiver.reader();
  const Run::Watched watched(run, reader);

  std::uint64_t sent = 0;
  std::jthread sending([&, seed = random(), to = std::move(wire.far)]() mutable {
    sent = send(std::move(to), Random(seed), stream, total, ending);
  });
  const bool gives_up = pick(random, 8) == 0;
  const std::uint64_t until = gives_up ? pick(random, total + 1) : UINT64_MAX;
  std::uint64_t at = 0;
  bool was_reset = false;
  try {
    for (; at < until && !reader.at_end(); run.checked()) {
      const ByteView view = reader.read_some(1 + pick(random, kBlockBytes));
      require_bytes(view, stream, at);
      at += view.size();
    }
  } catch (const std::system_error& error) {
    require(error.code().value() == ECONNRESET, "the connection failed for another reason");
    was_reset = true;
  } catch (...) {
    reader.cancel();
    throw;
  }
  if (gives_up) {
    reader.cancel();
    { const SocketReceiver gone = std::move(receiver); }  // Ends the sender's wait.
    sending.join();
    require(at <= sent, "more was received than sent");
    return;
  }
  sending.join();
  // A reset may overtake what was sent, and discards it; an end comes after everything.
  require(was_reset ? ending == Ending::reset && at <= total : at == total,
          "bytes before the end are missing");
}

// Interrupts system calls of other threads of the process for as long as it lives.
class Signals {
 public:
  Signals() {
    struct sigaction action {};
    action.sa_handler = [](int) {};  // Without SA_RESTART.
    ::sigaction(SIGUSR1, &action, nullptr);
    // This thread only waits for the others, and must not be the one that is interrupted.
    block(SIG_BLOCK);
    thread_ = std::jthread([](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        ::kill(::getpid(), SIGUSR1);
        std::this_thread::sleep_for(std::chrono::microseconds(300));
      }
    });
  }
  ~Signals() {
    thread_ = {};
    block(SIG_UNBLOCK);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  static void block(int how) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    ::pthread_sigmask(how, &set, nullptr);
  }

 private:
  std::jthread thread_;
};

}  // namespace

void sockets(Run& run) {
  const int connections = std::max(1, run.threads() / 2);
  PoolOptions limits;
  limits.block_bytes = kBlockBytes;
  limits.large_block_bytes = 4 * kBlockBytes;
  limits.budget_bytes =
      static_cast<std::size_t>(connections) * 4 * PoolLease::charge_for(limits.large_block_bytes);
  const auto pool = std::make_shared<ChunkPool>(limits);
  {
    const Signals signals;
    run.on_threads(connections, [&](int thread) {
      Signals::block(SIG_UNBLOCK);
      Random random = run.random(static_cast<std::uint64_t>(thread));
      while (!run.expired()) one_connection(run, random, pool);
    });
  }
  require(pool->available_bytes() == limits.budget_bytes, "a block did not come back to its pool");
}

}  // namespace forebay::stress
