// SPDX-License-Identifier: Apache-2.0

// One of two processes is killed at a random byte. The receiver that is left has exactly what was
// sent, and then the transport's end; the sender that is left has a typed error, and goes on with
// the next receiver (E7, A8, E12).

#include <gtest/gtest.h>

#include "faults/support.h"

namespace forebay::test {
namespace {

constexpr std::size_t kBytesMost = std::size_t{1} << 20;

const std::string& bytes() {
  static const std::string all = pattern(kBytesMost);
  return all;
}

// Reads to the transport's end.
std::string receive_all(StreamReader& reader, Choices& choices) {
  std::string got;
  while (!reader.at_end()) got += text(reader.read_some(1 + choices.pick(100'000)));
  return got;
}

class Kills : public LeavesNothing {
 protected:
  Choices choices_;
};

TEST_F(Kills, OfTheSenderAtAByteLeaveExactlyTheBytesBeforeIt) {
  const int kills = times(25, 500);
  for (int i = 0; i < kills; ++i) {
    const std::size_t cut = choices_.pick(std::size_t{1} << choices_.pick(21));
    Wire wire = any_wire(choices_);
    Child sender([&] {
      wire.near = {};
      (void)send_in_pieces(wire.far, std::string_view(bytes()).substr(0, cut), choices_);
      return ::raise(SIGKILL);
    });
    wire.far = {};
    ReceiverOptions options;
    options.mode = any_mode(choices_);
    options.framing = choices_.pick(2) == 0 ? Framing::none : Framing::arrow_ipc;
    SocketReceiver receiver(std::move(wire.near), options);
    ASSERT_TRUE(same(receive_all(receiver.reader(), choices_), bytes().substr(0, cut)));
    ASSERT_TRUE(sender.was_killed());
  }
  report(static_cast<std::uint64_t>(kills), "senders killed at a byte");
}

TEST_F(Kills, OfTheSenderAtAnyMomentLeaveAPrefix) {
  const int kills = times(25, 500);
  for (int i = 0; i < kills; ++i) {
    Wire wire = any_wire(choices_);
    Child sender([&] {
      wire.near = {};
      while (send_in_pieces(wire.far, bytes(), choices_)) {
      }
      return 0;
    });
    wire.far = {};
    ReceiverOptions options;
    options.mode = any_mode(choices_);
    SocketReceiver receiver(std::move(wire.near), options);
    StreamReader& reader = receiver.reader();
    const std::size_t until = choices_.pick(2 * kBytesMost);
    std::size_t at = 0;
    const auto check = [&](std::string_view view) {
      while (!view.empty()) {
        const std::size_t size = std::min(view.size(), kBytesMost - at % kBytesMost);
        const std::string_view sent = std::string_view(bytes()).substr(at % kBytesMost, size);
        ASSERT_TRUE(same(view.substr(0, size), sent, at));
        at += size;
        view.remove_prefix(size);
      }
    };
    while (at < until) check(reader.read_some(1 + choices_.pick(100'000)));
    sender.send(SIGKILL);
    while (!reader.at_end()) check(reader.read_some(1 + choices_.pick(100'000)));
    ASSERT_GE(at, until);
    ASSERT_TRUE(sender.was_killed());
  }
  report(static_cast<std::uint64_t>(kills), "senders killed at any moment");
}

TEST_F(Kills, OfTheReceiverAreATypedErrorAndTheServerGoesOn) {
  ::signal(SIGPIPE, SIG_DFL);
  const TemporaryFolder folder;
  const std::string path = folder / "socket";
  Listener listener = Listener::listen_unix(path);
  const int kills = times(50, 1000);
  for (int i = 0; i < kills; ++i) {
    const std::size_t cut = choices_.pick(kBytesMost);
    const ReceiveMode mode = any_mode(choices_);
    Child child([&] {
      ReceiverOptions options;
      options.mode = mode;
      SocketReceiver receiver(socket::connect_unix(path), options);
      const bool exact =
          same(receiver.reader().read(cut), std::string_view(bytes()).substr(0, cut));
      return exact ? ::raise(SIGKILL) : 1;
    });
    const Descriptor to = listener.accept();
    try {
      // More than the kernel holds for a receiver that is gone.
      for (;;) socket::send_all(to, bytes_of(bytes()), Deadline::after(std::chrono::seconds(30)));
    } catch (const std::system_error& error) {
      ASSERT_TRUE(error.code().value() == EPIPE || error.code().value() == ECONNRESET)
          << error.what();
    }
    ASSERT_TRUE(child.was_killed());
  }
  // One that is not killed.
  Child last([&] {
    SocketReceiver receiver(socket::connect_unix(path));
    return receiver.reader().read_all().size() == kBytesMost ? 0 : 1;
  });
  socket::send_all(listener.accept(), bytes_of(bytes()));
  EXPECT_TRUE(last.succeeded());
  report(static_cast<std::uint64_t>(kills), "receivers killed");
}

TEST_F(Kills, OfAServerLeaveASocketThatTheNextOneReplaces) {
  const TemporaryFolder folder;
  const std::string path = folder / "socket";
  for (int i = 0; i < times(10, 100); ++i) {
    Child server([&] {
      const Listener listener = Listener::listen_unix(path);
      return ::raise(SIGKILL);
    });
    ASSERT_TRUE(server.was_killed());
    ASSERT_TRUE(std::filesystem::exists(path));
    EXPECT_THROW((void)socket::connect_unix(path), std::system_error);
  }
  {
    Listener listener = Listener::listen_unix(path);
    EXPECT_TRUE(socket::connect_unix(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace forebay::test
