// SPDX-License-Identifier: Apache-2.0

// A connection between two network namespaces, slowed by a token bucket and robbed of packets by a
// filter on the receiving socket: exact however slow. A link that is down for a while costs a
// deadline and no byte; a peer that dies behind it is a deadline for ever (E11).

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>

#include <cstdlib>

#include "faults/support.h"

namespace forebay::test {
namespace {

constexpr int kNotAllowed = 77;
constexpr std::uint16_t kPort = 45'083;

[[nodiscard]] bool shell(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

sockaddr_in near_address() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kPort);
  ::inet_pton(AF_INET, "10.83.0.1", &address.sin_addr);
  return address;
}

// Drops every 50th packet that comes to the socket, at random, before TCP sees it.
void lose_packets(const Descriptor& descriptor) {
  const auto random = static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM);
  sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, random),
                        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 50),
                        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0),
                        BPF_STMT(BPF_RET | BPF_K, 0xFFFFFFFF)};
  const sock_fprog program{std::size(code), code};
  if (::setsockopt(descriptor.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) {
    throw std::system_error(errno, std::system_category(), "SO_ATTACH_FILTER");
  }
}

// What the two sides tell each other beside the link.
class Signal {
 public:
  void give() const { (void)write_all(ends_.far, "x"); }
  void take() const {
    char byte;
    (void)!::read(ends_.near.get(), &byte, 1);
  }

 private:
  Wire ends_ = pipe_pair();
};

// The side that sends: gets its end of the link, connects, sends. Exits with 0 when packets were
// lost and sent again.
int send_over_link(const Signal& born, const Signal& linked, std::string_view bytes) {
  if (::unshare(CLONE_NEWNET) != 0) return kNotAllowed;
  born.give();
  linked.take();
  if (!shell("ip addr add 10.83.0.2/24 dev fb1 && ip link set fb1 up && "
             "tc qdisc add dev fb1 root tbf rate 40mbit burst 16kb limit 256kb")) {
    return kNotAllowed;
  }
  const Descriptor to(::socket(AF_INET, SOCK_STREAM, 0));
  const sockaddr_in address = near_address();
  if (::connect(to.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return 2;
  }
  if (!write_all(to, bytes)) return 3;
  ::shutdown(to.get(), SHUT_WR);
  char byte;
  while (::read(to.get(), &byte, 1) > 0) {
  }
  tcp_info info{};
  socklen_t size = sizeof info;
  ::getsockopt(to.get(), IPPROTO_TCP, TCP_INFO, &info, &size);
  std::printf("faults: %u packets sent again\n", info.tcpi_total_retrans);
  std::fflush(stdout);
  return info.tcpi_total_retrans != 0 ? 0 : 4;
}

// Runs `receive(receiver, sender)` in a namespace of its own, linked to that of a process that
// sends the bytes. The exit code of the process that does so.
template <class Receive>
int over_link(std::string_view bytes, Receive&& receive) {
  if (::unshare(CLONE_NEWNET) != 0) return kNotAllowed;
  const Signal born;
  const Signal linked;
  Child sender([&] { return send_over_link(born, linked, bytes); });
  born.take();
  if (!shell("ip link add fb0 type veth peer name fb1 netns " + std::to_string(sender.pid()) +
             " && ip addr add 10.83.0.1/24 dev fb0 && ip link set fb0 up")) {
    return kNotAllowed;
  }
  const Descriptor listening(::socket(AF_INET, SOCK_STREAM, 0));
  const sockaddr_in address = near_address();
  if (::bind(listening.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listening.get(), 1) != 0) {
    return 5;
  }
  linked.give();
  Descriptor connection(::accept(listening.get(), nullptr, nullptr));
  lose_packets(connection);
  {
    SocketReceiver receiver(std::move(connection), {.mode = ReceiveMode::threaded});
    receive(receiver.reader(), sender);
  }
  const int ended = sender.status();
  if (WIFEXITED(ended) && WEXITSTATUS(ended) != 0) return WEXITSTATUS(ended);
  return testing::Test::HasFailure() ? 1 : 0;
}

// Skips aloud where namespaces, links or token buckets cannot be had.
template <class Receive>
void expect_over_link(std::string_view bytes, Receive&& receive) {
  Child all([&] { return over_link(bytes, receive); });
  const int ended = all.status();
  if (WIFEXITED(ended) && WEXITSTATUS(ended) == kNotAllowed) {
    GTEST_SKIP() << "network namespaces, veth or tbf cannot be had here (root, iproute2?)";
  }
  EXPECT_TRUE(WIFEXITED(ended) && WEXITSTATUS(ended) == 0) << "exit status " << ended;
}

TEST(Link, ThatIsSlowAndLosesPacketsIsExact) {
  const std::string bytes = pattern(static_cast<std::size_t>(times(2, 32)) << 20);
  expect_over_link(bytes, [&bytes](StreamReader& reader, Child&) {
    std::size_t at = 0;
    while (!reader.at_end()) {
      const ByteView view = reader.read_some(SIZE_MAX);
      ASSERT_TRUE(same(view, std::string_view(bytes).substr(at, view.size()), at));
      at += view.size();
    }
    EXPECT_EQ(at, bytes.size());
  });
}

TEST(Link, ThatIsDownForAWhileCostsADeadlineAndNoByte) {
  const std::string bytes = pattern(std::size_t{2} << 20);
  expect_over_link(bytes, [&bytes](StreamReader& reader, Child&) {
    const std::size_t half = bytes.size() / 4;
    EXPECT_TRUE(same(reader.read(half), std::string_view(bytes).substr(0, half)));
    ASSERT_TRUE(shell("ip link set fb0 down"));
    const ReadResult result =
        reader.read_until(bytes.size() - half, Deadline::after(std::chrono::milliseconds(50)));
    EXPECT_EQ(result.status, ReadStatus::timed_out);
    ASSERT_TRUE(shell("ip link set fb0 up"));
    EXPECT_TRUE(same(reader.read_all(), std::string_view(bytes).substr(half), half));
  });
}

TEST(Link, ThatIsCutForEverEndsAtTheDeadlineAndByCancel) {
  const std::string bytes = pattern(std::size_t{2} << 20);
  expect_over_link(bytes, [&bytes](StreamReader& reader, Child& sender) {
    const std::size_t some = bytes.size() / 8;
    EXPECT_TRUE(same(reader.read(some), std::string_view(bytes).substr(0, some)));
    ASSERT_TRUE(shell("ip link set fb0 down"));
    sender.send(SIGKILL);  // Nobody will hear of it.
    const ReadResult result =
        reader.read_until(bytes.size() - some, Deadline::after(std::chrono::milliseconds(100)));
    EXPECT_EQ(result.status, ReadStatus::timed_out);
    reader.cancel();
    EXPECT_THROW((void)reader.read(1), Cancelled);
  });
}

}  // namespace
}  // namespace forebay::test
