// SPDX-License-Identifier: Apache-2.0

// Addresses, socket files, and sending: what is refused, what is cleaned up, and what is left
// alone.

#include "forebay/socket/descriptor.h"

#include <netinet/in.h>
#include <sys/un.h>

#include "unit/socket/support.h"

namespace forebay::test {
namespace {

using namespace std::chrono_literals;
using socket::connect_loopback;
using socket::connect_unix;
using socket::Loopback;
using socket::parse_port;

class Sockets : public LeavesNothing {
 protected:
  // A path of so many bytes in the folder.
  [[nodiscard]] std::string path_of(std::size_t bytes) const {
    const std::string start = folder_ / "";
    return start + std::string(bytes - start.size(), 's');
  }
  // A socket file that a server left behind.
  static void leave_stale_socket(const std::string& path) {
    const Descriptor server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    ASSERT_EQ(::bind(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(server.get(), 1), 0);
  }
  static bool exists(const std::string& path) {
    return std::filesystem::exists(std::filesystem::symlink_status(path));
  }

  const TemporaryFolder folder_;
};

using Ports = Sockets;
using UnixSockets = Sockets;

TEST_F(Ports, NumbersFrom1To65535AreRead) {
  EXPECT_EQ(parse_port("1"), 1);
  EXPECT_EQ(parse_port("80"), 80);
  EXPECT_EQ(parse_port("65535"), 65535);
}

TEST_F(Ports, AnythingElseIsRefused) {
  for (const char* text : {"0", "65536", "99999", "-1", "80x", "", " 80", "+80", "8 0", "0x50",
                           "4294967376", "18446744073709551696"}) {
    EXPECT_THROW((void)parse_port(text), InvalidConnection) << text;
  }
}

TEST_F(Ports, Port0CannotBeConnectedTo) {
  EXPECT_THROW((void)connect_loopback(0), InvalidConnection);
}

TEST_F(Ports, PortOfALiveServerIsInUse) {
  const Listener listener = Listener::listen_loopback(0);
  EXPECT_THROW((void)Listener::listen_loopback(listener.port()), AddressInUse);
}

TEST_F(Ports, OfOneAddressAreNotThoseOfTheOther) {
  for (const Loopback address : {Loopback::ipv4, Loopback::ipv6}) {
    const Loopback other = address == Loopback::ipv4 ? Loopback::ipv6 : Loopback::ipv4;
    Listener listener = Listener::listen_loopback(0, address);
    EXPECT_THROW((void)connect_loopback(listener.port(), other), std::system_error);
    const Descriptor far = connect_loopback(listener.port(), address);
    const Descriptor near = listener.accept();
    ASSERT_TRUE(write_all(far, "m"));
    char byte = 0;
    EXPECT_EQ(::recv(near.get(), &byte, 1, 0), 1);
    // Without a word about the address, both are looked at.
    EXPECT_TRUE(connect_loopback(listener.port()));
  }
}

TEST_F(Ports, NobodyListeningIsASystemError) {
  std::uint16_t port = 0;
  {
    const Listener listener = Listener::listen_loopback(0);
    port = listener.port();
  }
  try {
    (void)connect_loopback(port);
    FAIL() << "nobody listens there";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), ECONNREFUSED);
  }
}

TEST_F(UnixSockets, PathOf107BytesWorks) {
  const std::string path = path_of(107);
  Listener listener = Listener::listen_unix(path);
  const Descriptor far = connect_unix(path);
  const Descriptor near = listener.accept();

  ASSERT_TRUE(write_all(far, "x"));
  char byte = 0;
  EXPECT_EQ(::recv(near.get(), &byte, 1, 0), 1);
}

TEST_F(UnixSockets, PathThatCannotBeOneIsRefused) {
  for (const std::string& path :
       {path_of(108), path_of(200), std::string(), std::string("zero\0byte", 9)}) {
    EXPECT_THROW((void)Listener::listen_unix(path), InvalidConnection) << path.size();
    EXPECT_THROW((void)connect_unix(path), InvalidConnection) << path.size();
  }
}

TEST_F(UnixSockets, ErrorsBeginWithTheNameOfTheirType) {
  try {
    (void)connect_unix(path_of(108));
    FAIL();
  } catch (const InvalidConnection& error) {
    EXPECT_EQ(std::string_view(error.what()).substr(0, 17), "InvalidConnection");
  }
}

TEST_F(UnixSockets, FileInTheWayIsLeftAlone) {
  const std::string path = folder_ / "file";
  std::ofstream(path) << "precious";

  EXPECT_THROW((void)Listener::listen_unix(path), AddressInUse);

  std::string content;
  std::ifstream(path) >> content;
  EXPECT_EQ(content, "precious");
}

TEST_F(UnixSockets, FolderInTheWayIsLeftAlone) {
  const std::string path = folder_ / "folder";
  ASSERT_TRUE(std::filesystem::create_directory(path));

  EXPECT_THROW((void)Listener::listen_unix(path), AddressInUse);

  EXPECT_TRUE(std::filesystem::is_directory(path));
}

TEST_F(UnixSockets, LinksInTheWayAreLeftAlone) {
  const std::string dangling = folder_ / "dangling";
  std::filesystem::create_symlink(folder_ / "nothing", dangling);
  const std::string live = folder_ / "live";
  leave_stale_socket(folder_ / "target");
  std::filesystem::create_symlink(folder_ / "target", live);

  EXPECT_THROW((void)Listener::listen_unix(dangling), AddressInUse);
  EXPECT_THROW((void)Listener::listen_unix(live), AddressInUse);

  EXPECT_TRUE(std::filesystem::is_symlink(dangling));
  EXPECT_FALSE(exists(folder_ / "nothing"));
  EXPECT_TRUE(exists(folder_ / "target"));
}

TEST_F(UnixSockets, StaleSocketIsReplaced) {
  const std::string path = folder_ / "socket";
  leave_stale_socket(path);

  Listener listener = Listener::listen_unix(path);

  const Descriptor far = connect_unix(path);
  EXPECT_TRUE(listener.accept());
}

TEST_F(UnixSockets, LiveServerIsNotDisturbed) {
  const std::string path = folder_ / "socket";
  Listener listener = Listener::listen_unix(path);

  EXPECT_THROW((void)Listener::listen_unix(path), AddressInUse);

  // The look whether it answers is a connection that went away again; the next one is real.
  const Descriptor far = connect_unix(path);
  EXPECT_TRUE(listener.accept());
  EXPECT_TRUE(listener.accept());
}

TEST_F(UnixSockets, ServersThatRaceForAStaleSocketDoNotRobEachOther) {
  const std::string path = folder_ / "socket";
  for (int round = 0; round < 20; ++round) {
    leave_stale_socket(path);
    std::atomic<int> listening{0};
    std::atomic<int> refused{0};
    {
      std::vector<std::jthread> servers;
      for (int i = 0; i < 4; ++i) {
        servers.emplace_back([&] {
          try {
            const Listener listener = Listener::listen_unix(path);
            ++listening;
            // All have tried before the winner goes.
            eventually([&] { return listening + refused == 4; });
          } catch (const AddressInUse&) {
            ++refused;
          }
        });
      }
    }
    EXPECT_EQ(listening, 1);
    EXPECT_EQ(refused, 3);
    EXPECT_FALSE(exists(path));
  }
}

TEST_F(UnixSockets, FileIsForItsOwnerOnly) {
  const Listener listener = Listener::listen_unix(folder_ / "socket");
  struct stat status {};
  ASSERT_EQ(::stat((folder_ / "socket").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(UnixSockets, FileGoesWithTheListener) {
  const std::string path = folder_ / "socket";
  {
    Listener first = Listener::listen_unix(path);
    const Listener moved = std::move(first);
    EXPECT_TRUE(exists(path));
  }
  EXPECT_FALSE(exists(path));
}

TEST_F(UnixSockets, FileThatTookThePlaceIsLeftAlone) {
  const std::string path = folder_ / "socket";
  {
    const Listener listener = Listener::listen_unix(path);
    std::filesystem::remove(path);
    std::ofstream(path) << "somebody else's";
  }
  EXPECT_TRUE(exists(path));
}

TEST_F(UnixSockets, FolderThatOthersWriteIsRefused) {
  const std::string shared = folder_ / "shared";
  ASSERT_TRUE(std::filesystem::create_directory(shared));
  for (const mode_t mode : {0777u, 0775u}) {
    ASSERT_EQ(::chmod(shared.c_str(), mode), 0);
    EXPECT_THROW((void)Listener::listen_unix(shared + "/socket"), PermissionDenied);
  }
  // As with /tmp: others may add files there, but not put one in the place of ours.
  ASSERT_EQ(::chmod(shared.c_str(), 01777), 0);
  EXPECT_NO_THROW((void)Listener::listen_unix(shared + "/socket"));
  EXPECT_TRUE(std::filesystem::is_empty(shared));
}

TEST_F(UnixSockets, FolderOfSomebodyElseIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make a folder that belongs to another user";
  const std::string theirs = folder_ / "theirs";
  ASSERT_TRUE(std::filesystem::create_directory(theirs));
  ASSERT_EQ(::chmod(theirs.c_str(), 0700), 0);
  ASSERT_EQ(::chown(theirs.c_str(), 12345, 12345), 0);

  EXPECT_THROW((void)Listener::listen_unix(theirs + "/socket"), PermissionDenied);

  EXPECT_TRUE(std::filesystem::is_empty(theirs));
}

TEST_F(UnixSockets, FolderThatIsNotThereIsASystemError) {
  EXPECT_THROW((void)Listener::listen_unix(folder_ / "no/socket"), std::system_error);
  EXPECT_THROW((void)connect_unix(folder_ / "no/socket"), std::system_error);
}

TEST_F(UnixSockets, RelativePathWorks) {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path());
  {
    Listener listener = Listener::listen_unix("socket");
    const Descriptor far = connect_unix("socket");
    EXPECT_TRUE(listener.accept());
  }
  EXPECT_FALSE(exists(folder_ / "socket"));
  std::filesystem::current_path(before);
}

TEST_F(UnixSockets, PeerOfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const std::string path = folder_ / "socket";
  Listener listener = Listener::listen_unix(path);
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
  // The credentials of a peer are those of the thread that connected.
  std::jthread([&] {
    ASSERT_EQ(::syscall(SYS_setresuid, -1, 12345, -1), 0);
    const Descriptor far = connect_unix(path);
    EXPECT_EQ(::syscall(SYS_setresuid, -1, 0, -1), 0);
  }).join();
  const Descriptor mine = connect_unix(path);
  ASSERT_TRUE(write_all(mine, "m"));

  const Descriptor accepted = listener.accept();

  char byte = 0;
  EXPECT_EQ(::recv(accepted.get(), &byte, 1, 0), 1);
  EXPECT_EQ(byte, 'm');
}

// --- Waits ---------------------------------------------------------------------------------------

TEST_F(Sockets, AcceptEndsAtItsDeadline) {
  Listener unix_listener = Listener::listen_unix(folder_ / "socket");
  Listener tcp_listener = Listener::listen_loopback(0);
  for (Listener* listener : {&unix_listener, &tcp_listener}) {
    EXPECT_THROW((void)listener->accept(Deadline::after(20ms)), DeadlineExceeded);
    EXPECT_THROW((void)listener->accept(Deadline::at(Deadline::time_point::min())),
                 DeadlineExceeded);
  }
}

TEST_F(Sockets, AcceptEndsOnAStopRequest) {
  Listener listener = Listener::listen_loopback(0);
  std::stop_source stop;
  const WhenAsleep request([&] { stop.request_stop(); });
  EXPECT_THROW((void)listener.accept(Deadline::never(), stop.get_token()), Cancelled);
}

class FullQueue : public Sockets {
 protected:
  void SetUp() override {
    Sockets::SetUp();
    server_ = Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    ASSERT_EQ(::bind(server_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    ASSERT_EQ(::listen(server_.get(), 0), 0);
    waiting_ = connect_unix(path_);
  }
  void TearDown() override {
    server_ = {};
    waiting_ = {};
    Sockets::TearDown();
  }
  const std::string path_ = folder_ / "socket";
  Descriptor server_;
  Descriptor waiting_;
};

TEST_F(FullQueue, ConnectEndsAtItsDeadline) {
  EXPECT_THROW((void)connect_unix(path_, Deadline::after(20ms)), DeadlineExceeded);
  EXPECT_THROW((void)connect_unix(path_, Deadline::at(Deadline::time_point::min())),
               DeadlineExceeded);
}

TEST_F(FullQueue, ConnectEndsOnAStopRequest) {
  std::stop_source stop;
  const WhenAsleep request([&] { stop.request_stop(); });
  EXPECT_THROW((void)connect_unix(path_, Deadline::never(), stop.get_token()), Cancelled);
}

TEST_F(FullQueue, ConnectGoesOnWhenThereIsRoom) {
  const WhenAsleep accept([&] { Descriptor(::accept(server_.get(), nullptr, nullptr)); });
  EXPECT_TRUE(connect_unix(path_, Deadline::after(1h)));
}

TEST_F(Sockets, AcceptGoesOnAfterTheDescriptorsRanOut) {
  Listener listener = Listener::listen_loopback(0);
  {
    std::vector<Descriptor> all;
    const Descriptor far = connect_loopback(listener.port());
    for (;;) {
      Descriptor one(::dup(far.get()));
      if (!one) break;
      all.push_back(std::move(one));
      if (all.size() == 100'000) GTEST_SKIP() << "this machine gives descriptors without a limit";
    }
    EXPECT_THROW((void)listener.accept(), std::system_error);
    all.clear();
    EXPECT_TRUE(listener.accept());
  }
}

// --- Sending -------------------------------------------------------------------------------------

TEST_F(Sockets, SendToAPeerThatIsGoneIsAnErrorAndTheHostLives) {
  // SIGPIPE is at its default: a signal would end this program.
  for (Wire (*connect)() : {socket_pair, unix_pair, tcp_pair}) {
    Wire wire = connect();
    wire.far = Descriptor();
    const std::string bytes = pattern(1 << 20);
    try {
      for (;;) socket::send_all(wire.near, bytes_of(bytes));
    } catch (const std::system_error& error) {
      EXPECT_TRUE(error.code().value() == EPIPE || error.code().value() == ECONNRESET);
    }
  }
}

TEST_F(Sockets, SendEndsAtItsDeadlineWhenThePeerDoesNotRead) {
  const Wire wire = socket_pair();
  const std::string bytes = pattern(8 << 20);
  EXPECT_THROW(socket::send_all(wire.near, bytes_of(bytes), Deadline::after(20ms)),
               DeadlineExceeded);
}

TEST_F(Sockets, SendEndsOnAStopRequest) {
  const Wire wire = socket_pair();
  const std::string bytes = pattern(8 << 20);
  std::stop_source stop;
  const WhenAsleep request([&] { stop.request_stop(); });
  EXPECT_THROW(socket::send_all(wire.near, bytes_of(bytes), Deadline::never(), stop.get_token()),
               Cancelled);
}

TEST_F(Sockets, SendOfEverythingArrives) {
  Wire wire = tcp_pair();
  const std::string bytes = pattern(5'000'003);
  SocketReceiver receiver(std::move(wire.near));
  const std::jthread sender(
      [&, far = std::move(wire.far)] { socket::send_all(far, bytes_of(bytes)); });
  expect_all(receiver.reader(), bytes, {1'000'003, 1});
}

}  // namespace
}  // namespace forebay::test
