// SPDX-License-Identifier: Apache-2.0

// Whole sessions: a receiver in each mode over a connection whose peer is a script. Bytes come in
// pieces, calls are interrupted, memory, threads and descriptors are refused, the peer stalls,
// ends, is cut off or resets. Every byte that came is read once and in order, then the end or the
// error that the connection came to; nothing is left open or allocated.

#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>

#include "checked_reader.h"
#include "forebay/detail/atomic.h"
#include "forebay/socket/receiver.h"
#include "network.h"
#include "unit/socket/arrow_frames.h"

namespace forebay::deterministic {

namespace {

using socket::ReceiveMode;
using socket::SocketReceiver;

Hardships some_hardships(Random& random) {
  Hardships hardships;
  const auto once_in = [&random](std::size_t odds, std::size_t most) {
    return random.one_in(odds) ? 1 + random.up_to(most) : 0;
  };
  hardships.interrupted_once_in = once_in(2, 8);
  hardships.not_ready_once_in = once_in(3, 8);
  hardships.short_once_in = random.up_to(4);
  hardships.descriptor_once_in = once_in(8, 8);
  hardships.poll_refused_once_in = once_in(16, 64);
  return hardships;
}

std::vector<std::byte> some_content(Random& random, bool framed) {
  std::vector<std::byte> content;
  if (!framed) {
    content.resize(random.up_to(12'000) - 1);
    const std::uint64_t stream = random.next();
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = byte_at(stream, i);
    return content;
  }
  test::ArrowStream stream(random.one_in(4));
  for (std::size_t i = random.up_to(6); i-- > 0;) {
    stream.add_message(48 + 8 * random.below(20), 8 * random.up_to(700));
  }
  if (random.one_in(8)) stream.add_announcement(48, static_cast<std::int64_t>(random.next()));
  if (random.one_in(2)) stream.add_end();
  const auto bytes = std::as_bytes(std::span(stream.bytes()));
  content.assign(bytes.begin(), bytes.end());
  return content;
}

socket::ReceiverOptions some_options(Random& random, bool framed) {
  constexpr std::size_t kBlock = 8192;
  socket::ReceiverOptions options;
  options.mode = static_cast<ReceiveMode>(random.below(3));
  options.framing = framed ? Framing::arrow_ipc : Framing::none;
  options.straight_bytes_min = random.up_to(4096);
  options.stream.max_bytes = random.one_in(4) ? random.up_to(kBlock) : kBlock * random.up_to(8);
  options.stream.max_items = random.up_to(16);
  if (random.one_in(4)) options.stream.gather_bytes_max = random.up_to(4096);
  options.stream.retention_grace =
      std::chrono::nanoseconds(random.one_in(3) ? 0 : random.up_to(100'000));
  options.stream.spin_max = std::chrono::nanoseconds(random.one_in(3) ? 2'000 : 0);
  options.stream.pool = std::make_shared<ChunkPool>(
      PoolOptions{.budget_bytes = options.stream.max_bytes + kBlock * (4 + random.below(4)),
                  .block_bytes = random.one_in(2) ? kBlock : kBlock / 2,
                  .large_block_bytes = kBlock});
  return options;
}

// Sends in pieces, with pauses, and ends as the seed says.
void play_peer(Network& network, int descriptor, std::size_t bytes, int error, std::uint64_t seed) {
  Random random(seed);
  Scheduler& scheduler = *Scheduler::running();
  const std::size_t most = std::max(random.up_to(4096), bytes / 100);
  const bool stalls = random.one_in(2);
  while (network.send_some(descriptor, random.up_to(most))) {
    if (stalls && random.one_in(3)) {
      const Time pause = static_cast<Time>(random.up_to(200'000));
      scheduler.wait(&random, "stall", Site::current(), scheduler.now() + pause);
    } else {
      yield();
    }
  }
  network.hang_up(descriptor, error);
}

// Whether this is what a session with these hardships may come to.
void check_error(const std::exception_ptr& error, int connection_error,
                 const Hardships& hardships) {
  try {
    std::rethrow_exception(error);
  } catch (const std::system_error& failure) {
    const int code = failure.code().value();
    require((code == connection_error && code != 0) ||
                (code == ENOMEM && hardships.poll_refused_once_in != 0) ||
                (code == EMFILE && hardships.descriptor_once_in != 0),
            "an error that nobody made");
  } catch (const std::bad_alloc&) {
    require(g_memory_was_refused, "memory was refused that is there");
  } catch (const std::exception&) {
    fail("an error that nobody made");
  }
}

std::optional<SocketReceiver> make_receiver(int descriptor, const socket::ReceiverOptions& options,
                                            const Hardships& hardships) {
  const ScarceMemory memory(true);
  try {
    return std::optional<SocketReceiver>(std::in_place, socket::Descriptor(descriptor), options);
  } catch (const std::bad_alloc&) {
    require(g_memory_was_refused, "memory was refused that is there");
  } catch (const LimitExceeded&) {
    // The reserve is three blocks, and the pool may be smaller.
    require(options.stream.pool->available_bytes() <
                3 * PoolLease::charge_for(options.stream.pool->options().block_bytes),
            "the pool had room for one more stream");
  } catch (const std::system_error& error) {
    const int code = error.code().value();
    require((code == EMFILE && hardships.descriptor_once_in != 0) ||
                (code == EAGAIN && Thread::refused_once_in != 0),
            "an error that nobody made");
  }
  return std::nullopt;
}

}  // namespace

void run_session(Random& random) {
  const Hardships hardships = some_hardships(random);
  const bool framed = random.one_in(2);
  const std::vector<std::byte> content = some_content(random, framed);
  // The peer is cut off somewhere, or not.
  const std::size_t sent = random.one_in(3) ? random.below(content.size() + 1) : content.size();
  const std::span<const std::byte> bytes = std::span(content).first(sent);
  const int error = random.one_in(4) ? ECONNRESET : 0;
  const socket::ReceiverOptions options = some_options(random, framed);
  g_memory_refused_once_in = random.one_in(4) ? 16 : 0;
  Thread::refused_once_in = random.one_in(8) ? 2 : 0;
  const bool holds = random.one_in(2);
  const bool cancels = random.one_in(6);

  Network network(hardships);
  const int descriptor = network.connect(bytes, !random.one_in(3));
  Mailbox<Held> mail;
  {
    std::optional<Task> peer(std::in_place, "peer", [&, seed = random.next()] {
      play_peer(network, descriptor, bytes.size(), error, seed);
    });
    std::vector<Task> holders;
    for (std::size_t i = holds ? random.up_to(2) : 0; i-- > 0;) {
      holders.emplace_back("holder", [&mail, seed = random.next()] { hold_and_drop(mail, seed); });
    }
    std::optional<SocketReceiver> receiver = make_receiver(descriptor, options, hardships);
    const Explanation explanation([&] {
      const ChunkPool& pool = *options.stream.pool;
      std::fprintf(stderr, "mode %d, framed %d\npool: %zu of %zu bytes available\n",
                   static_cast<int>(options.mode), static_cast<int>(framed), pool.available_bytes(),
                   pool.options().budget_bytes);
      if (receiver) print_stream(options.stream, receiver->reader().stats());
    });
    if (receiver) {
      const CheckedReader::Habits habits{.mail = holds ? &mail : nullptr,
                                         .scarce_memory = g_memory_refused_once_in != 0,
                                         .reactor = false};
      CheckedReader reader(receiver->reader(), bytes, options.stream, habits, random.next());
      bool was_cancelled = false;
      std::optional<Task> canceller;
      if (cancels) {
        canceller.emplace("canceller", [&, delay = random.up_to(100'000)] {
          Scheduler& scheduler = *Scheduler::running();
          scheduler.wait(&delay, "delay", Site::current(),
                         scheduler.now() + static_cast<Time>(delay));
          was_cancelled = true;
          receiver->reader().cancel();
        });
      }
      const std::size_t leaves_at = random.one_in(8) ? random.below(bytes.size() + 1) : SIZE_MAX;
      CheckedReader::End end = CheckedReader::End::none;
      while (end == CheckedReader::End::none && reader.position() < leaves_at) end = reader.step();
      switch (end) {
        case CheckedReader::End::none:
          ++g_outcomes.left;
          break;
        case CheckedReader::End::finished:
          ++g_outcomes.finished;
          require(error == 0, "an error was taken for an end");
          require(reader.position() == bytes.size(), "bytes are missing before the end");
          break;
        case CheckedReader::End::failed:
          ++g_outcomes.failed;
          check_error(receiver->reader().error(), error, hardships);
          break;
        case CheckedReader::End::cancelled:
          ++g_outcomes.cancelled;
          require(was_cancelled, "nobody has cancelled the stream");
      }
      g_outcomes.bytes += reader.position();
      if (canceller) canceller->join();
      receiver.reset();
    } else {
      ++g_outcomes.refused;
    }
    peer.reset();
    mail.close();
  }
  require(network.open_descriptors() == 0, "a descriptor was left open");
  const ChunkPool& pool = *options.stream.pool;
  require(pool.available_bytes() == pool.options().budget_bytes, "credit of the pool was lost");
}

}  // namespace forebay::deterministic
