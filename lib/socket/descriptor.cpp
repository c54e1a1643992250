// SPDX-License-Identifier: Apache-2.0
#include "forebay/socket/descriptor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <system_error>

#include "forebay/error.h"
#include "forebay/socket/detail/ready.h"

namespace forebay::socket {

namespace {

[[noreturn]] void raise_errno(const std::string& what) {
  throw std::system_error(errno, std::system_category(), what);
}

sockaddr_un unix_address(std::string_view path) {
  if (path.empty()) throw InvalidConnection("the path of a Unix socket is empty");
  if (path.size() > kUnixPathBytesMax) {
    throw InvalidConnection("the path of a Unix socket has " + std::to_string(path.size()) +
                            " bytes, at most " + std::to_string(kUnixPathBytesMax) + " fit");
  }
  if (path.find('\0') != std::string_view::npos) {
    throw InvalidConnection("the path of a Unix socket holds a zero byte");
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Descriptor new_socket(int family) {
  Descriptor descriptor(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!descriptor) raise_errno("socket");
  return descriptor;
}

// Connected sockets are blocking: receiving waits in one system call.
void set_blocking(const Descriptor& descriptor, bool blocking) {
  int non_blocking = blocking ? 0 : 1;
  if (::ioctl(descriptor.get(), FIONBIO, &non_blocking) != 0) raise_errno("ioctl");
}

// How long the kernel may wait in connect(2); zero: for ever.
void set_connect_timeout(const Descriptor& descriptor, std::chrono::microseconds wait) {
  timeval time{};
  time.tv_sec = static_cast<time_t>(wait.count() / 1'000'000);
  time.tv_usec = static_cast<suseconds_t>(wait.count() % 1'000'000);
  if (::setsockopt(descriptor.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) != 0) {
    raise_errno("setsockopt");
  }
}

// A Unix socket connects at once unless the server's queue is full. No event tells when it no
// longer is, but a blocking connect() waits for that; it comes back now and then to look at the
// stop token.
bool connect_to(const Descriptor& descriptor, const sockaddr_un& address, Deadline deadline,
                const std::stop_token& stop) {
  constexpr std::chrono::microseconds kLook = std::chrono::milliseconds(50);
  set_blocking(descriptor, true);
  for (;;) {
    std::chrono::microseconds wait{0};
    if (stop.stop_possible()) wait = kLook;
    if (!deadline.is_never()) {
      const auto now = Deadline::clock::now();
      // Compared before it is subtracted, since a deadline may be at either end of the clock.
      const auto left = std::chrono::duration_cast<std::chrono::microseconds>(
          deadline.when() > now ? deadline.when() - now : Deadline::clock::duration(0));
      wait =
          std::max(std::chrono::microseconds(1), wait.count() != 0 ? std::min(wait, left) : left);
    }
    set_connect_timeout(descriptor, wait);
    const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(descriptor.get(), generic, sizeof address) == 0) {
      set_connect_timeout(descriptor, std::chrono::microseconds(0));
      return true;
    }
    if (errno != EAGAIN && errno != EINTR) return false;
    if (stop.stop_requested()) throw Cancelled("stopped while waiting to connect");
    if (deadline.passed()) throw DeadlineExceeded("connect");
  }
}

void set_no_delay(const Descriptor& descriptor) {
  const int on = 1;
  if (::setsockopt(descriptor.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
    raise_errno("setsockopt");
  }
}

// The address of a port of this machine, of either family.
class LoopbackAddress {
 public:
  LoopbackAddress(std::uint16_t port, Loopback address) {
    if (address == Loopback::ipv4) {
      auto& v4 = reinterpret_cast<sockaddr_in&>(storage_);
      v4.sin_family = AF_INET;
      v4.sin_port = htons(port);
      v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      size_ = sizeof v4;
    } else {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(storage_);
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(port);
      v6.sin6_addr = in6addr_loopback;
      size_ = sizeof v6;
    }
  }
  [[nodiscard]] int family() const noexcept { return storage_.ss_family; }
  [[nodiscard]] socklen_t size() const noexcept { return size_; }
  [[nodiscard]] const sockaddr* generic() const noexcept {
    return reinterpret_cast<const sockaddr*>(&storage_);
  }

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

bool connect_to(const Descriptor& descriptor, const LoopbackAddress& address, Deadline deadline,
                const std::stop_token& stop) {
  if (::connect(descriptor.get(), address.generic(), address.size()) != 0) {
    // tcp(7): an interrupted connect goes on, like one that was begun without waiting.
    if (errno != EINPROGRESS && errno != EINTR) return false;
    detail::wait_ready_or_throw(descriptor.get(), POLLOUT, deadline, stop, "connect");
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(descriptor.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
      raise_errno("getsockopt");
    }
    errno = error;
    if (error != 0) return false;
  }
  set_blocking(descriptor, true);
  return true;
}

// Empty, with errno, when nobody listens there.
Descriptor try_connect_loopback(std::uint16_t port, Loopback address, Deadline deadline,
                                const std::stop_token& stop) {
  if (port == 0) throw InvalidConnection("port 0 cannot be connected to");
  const LoopbackAddress to(port, address);
  Descriptor descriptor = new_socket(to.family());
  if (!connect_to(descriptor, to, deadline, stop)) return {};
  set_no_delay(descriptor);
  return descriptor;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

// Opens the folder, unless it is one in which somebody else could put a socket in the place of
// ours.
Descriptor open_folder(const std::string& folder) {
  Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat status {};
  if (!descriptor || ::fstat(descriptor.get(), &status) != 0) raise_errno("open " + folder);
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    throw PermissionDenied("the folder " + folder + " belongs to another user");
  }
  const bool shared = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  if (shared && (status.st_mode & S_ISVTX) == 0) {
    throw PermissionDenied("the folder " + folder + " can be written by others");
  }
  return descriptor;
}

// Whether a server answers at the address. What is there and is no socket is in the way.
void clear_the_way(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return;
    raise_errno("lstat " + path);
  }
  if (!S_ISSOCK(status.st_mode)) {
    throw AddressInUse(path + " exists and is not a socket");
  }
  const Descriptor probe = new_socket(AF_UNIX);
  const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
  int result;
  do {
    result = ::connect(probe.get(), generic, sizeof address);
  } while (result != 0 && errno == EINTR);
  if (result == 0 || errno == EAGAIN || errno == EINPROGRESS) {
    throw AddressInUse("a server answers at " + path);
  }
  if (errno != ECONNREFUSED) raise_errno("connect " + path);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) raise_errno("unlink " + path);
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Descriptor connect_unix(std::string_view path, Deadline deadline, std::stop_token stop) {
  const sockaddr_un address = unix_address(path);
  Descriptor descriptor = new_socket(AF_UNIX);
  if (!connect_to(descriptor, address, deadline, stop)) {
    raise_errno("connect " + std::string(path));
  }
  return descriptor;
}

Descriptor connect_loopback(std::uint16_t port, Deadline deadline, std::stop_token stop) {
  Descriptor descriptor = try_connect_loopback(port, Loopback::ipv4, deadline, stop);
  if (descriptor) return descriptor;
  const int first_error = errno;
  descriptor = try_connect_loopback(port, Loopback::ipv6, deadline, stop);
  if (descriptor) return descriptor;
  errno = first_error;
  raise_errno("connect to loopback port " + std::to_string(port));
}

Descriptor connect_loopback(std::uint16_t port, Loopback address, Deadline deadline,
                            std::stop_token stop) {
  Descriptor descriptor = try_connect_loopback(port, address, deadline, stop);
  if (!descriptor) raise_errno("connect to loopback port " + std::to_string(port));
  return descriptor;
}

std::uint16_t parse_port(std::string_view text) {
  unsigned value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || text.empty() || value == 0 || value > 65535) {
    throw InvalidConnection("'" + std::string(text) + "' is not a port from 1 to 65535");
  }
  return static_cast<std::uint16_t>(value);
}

Listener Listener::listen_unix(std::string_view text) {
  const sockaddr_un address = unix_address(text);
  const std::string path(text);
  // One server at a time looks whether the place is free and takes it.
  const Descriptor folder = open_folder(folder_of(path));
  while (::flock(folder.get(), LOCK_EX) != 0) {
    if (errno != EINTR) raise_errno("flock " + folder_of(path));
  }
  clear_the_way(path, address);

  Listener listener;
  listener.path_ = path;  // Now, since nothing may fail for want of memory once the file is there.
  listener.descriptor_ = new_socket(AF_UNIX);
  // fchmod before bind decides the mode that the file is made with (unix(7)).
  if (::fchmod(listener.descriptor_.get(), 0600) != 0) raise_errno("fchmod");
  const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
  if (::bind(listener.descriptor_.get(), generic, sizeof address) != 0) {
    if (errno == EADDRINUSE) throw AddressInUse(path + " was taken by another server");
    raise_errno("bind " + path);
  }
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    const int error = errno;
    ::unlink(path.c_str());  // Whatever it is, it was made under the lock.
    throw std::system_error(error, std::system_category(), "lstat " + path);
  }
  listener.device_ = status.st_dev;
  listener.inode_ = status.st_ino;
  if (::listen(listener.descriptor_.get(), SOMAXCONN) != 0) raise_errno("listen " + path);
  return listener;
}

Listener Listener::listen_loopback(std::uint16_t port, Loopback address) {
  const LoopbackAddress at(port, address);
  Listener listener;
  listener.descriptor_ = new_socket(at.family());
  const int on = 1;
  if (::setsockopt(listener.descriptor_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
    raise_errno("setsockopt");
  }
  if (::bind(listener.descriptor_.get(), at.generic(), at.size()) != 0) {
    if (errno == EADDRINUSE) {
      throw AddressInUse("port " + std::to_string(port) + " is taken");
    }
    raise_errno("bind to port " + std::to_string(port));
  }
  if (::listen(listener.descriptor_.get(), SOMAXCONN) != 0) raise_errno("listen");
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(listener.descriptor_.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    raise_errno("getsockname");
  }
  listener.port_ =
      ntohs(address == Loopback::ipv4 ? reinterpret_cast<const sockaddr_in&>(bound).sin_port
                                      : reinterpret_cast<const sockaddr_in6&>(bound).sin6_port);
  return listener;
}

Listener::~Listener() {
  if (path_.empty() || birthplace_.left()) return;
  struct stat status {};
  const bool ours =
      ::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_;
  if (ours) ::unlink(path_.c_str());
}

Descriptor Listener::accept(Deadline deadline, std::stop_token stop) {
  for (;;) {
    detail::wait_ready_or_throw(descriptor_.get(), POLLIN, deadline, stop, "accept");
    Descriptor peer(::accept4(descriptor_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer) {
      if (errno == EINTR || errno == EAGAIN || errno == ECONNABORTED || errno == EPROTO) continue;
      raise_errno("accept");
    }
    if (path_.empty()) {
      set_no_delay(peer);
      return peer;
    }
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(peer.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
      raise_errno("getsockopt");
    }
    if (credentials.uid == ::geteuid() || credentials.uid == 0) return peer;
  }
}

void send_all(const Descriptor& descriptor, std::span<const std::byte> bytes, Deadline deadline,
              const std::stop_token& stop) {
  while (!bytes.empty()) {
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    const ssize_t sent = ::send(descriptor.get(), bytes.data(), bytes.size(), flags);
    if (sent >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      detail::wait_ready_or_throw(descriptor.get(), POLLOUT, deadline, stop, "send");
    } else if (errno != EINTR) {
      raise_errno("send");
    }
  }
}

}  // namespace forebay::socket
