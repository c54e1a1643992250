// SPDX-License-Identifier: Apache-2.0

// One of two processes stops (SIGSTOP) and goes on: whoever waits for it meets its deadline, loses
// nothing, and has everything when it goes on (E11).

#include <gtest/gtest.h>

#include "faults/support.h"

namespace forebay::test {
namespace {

constexpr std::chrono::milliseconds kShort(30);

class Stops : public EachMode {};

TEST_P(Stops, OfTheSenderIsWaitedOutAndLosesNothing) {
  const std::string bytes = pattern(500'000);
  Choices choices;
  const int stops = times(5, 50);
  for (int i = 0; i < stops; ++i) {
    const std::size_t cut = choices.pick(bytes.size());
    Wire wire = any_wire(choices);
    Child sender([&] {
      wire.near = {};
      (void)send_in_pieces(wire.far, std::string_view(bytes).substr(0, cut), choices);
      ::raise(SIGSTOP);
      return send_in_pieces(wire.far, std::string_view(bytes).substr(cut), choices) ? 0 : 1;
    });
    wire.far = {};
    SocketReceiver receiver(std::move(wire.near), options());
    StreamReader& reader = receiver.reader();
    // No less than what the kernel does not hold, or the sender would not come to its stop.
    const std::size_t before = cut - choices.pick(std::min<std::size_t>(cut, 20'000) + 1);
    ASSERT_TRUE(same(reader.read(before), std::string_view(bytes).substr(0, before)));
    ASSERT_TRUE(WIFSTOPPED(sender.status(WUNTRACED)));

    const ReadResult result = reader.read_until(cut - before + 1, Deadline::after(kShort));
    ASSERT_EQ(result.status, ReadStatus::timed_out);
    ASSERT_EQ(result.available, cut - before);

    sender.send(SIGCONT);
    ASSERT_TRUE(same(reader.read_all(), std::string_view(bytes).substr(before), before));
    ASSERT_TRUE(sender.succeeded());
  }
  report(static_cast<std::uint64_t>(stops), "senders stopped");
}

TEST_P(Stops, OfTheReceiverIsADeadlineForTheSender) {
  const std::string bytes = pattern(std::size_t{16} << 20);
  Choices choices;
  const int stops = times(2, 10);
  for (int i = 0; i < stops; ++i) {
    const std::size_t cut = choices.pick(100'000);
    Wire wire = socket_pair();
    const ReceiveMode mode = GetParam();
    Child child([&] {
      wire.far = {};
      ReceiverOptions options;
      options.mode = mode;
      options.stream.max_bytes = std::size_t{1} << 20;
      SocketReceiver receiver(std::move(wire.near), options);
      StreamReader& reader = receiver.reader();
      bool exact = same(reader.read(cut), std::string_view(bytes).substr(0, cut));
      ::raise(SIGSTOP);
      std::size_t at = cut;
      while (!reader.at_end()) {
        const ByteView view = reader.read_some(SIZE_MAX);
        exact = exact && same(view, std::string_view(bytes).substr(at, view.size()));
        at += view.size();
      }
      return exact && at < bytes.size() ? 0 : 1;
    });
    wire.near = {};
    // What the receiver needs before it stops, and then all that fits.
    socket::send_all(wire.far, bytes_of(bytes).first(cut));
    ASSERT_TRUE(WIFSTOPPED(child.status(WUNTRACED)));
    EXPECT_THROW(socket::send_all(wire.far, bytes_of(bytes).subspan(cut), Deadline::after(kShort)),
                 DeadlineExceeded);
    child.send(SIGCONT);
    wire.far = {};
    ASSERT_TRUE(child.succeeded());
  }
  report(static_cast<std::uint64_t>(stops), "receivers stopped");
}

FOREBAY_INSTANTIATE_MODES(Stops);

}  // namespace
}  // namespace forebay::test
