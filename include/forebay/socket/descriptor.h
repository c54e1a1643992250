// SPDX-License-Identifier: Apache-2.0
#pragma once

// Descriptors, and how to get connected ones.

#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "forebay/deadline.h"
#include "forebay/detail/process.h"

namespace forebay::socket {

/// Owner of a file descriptor; closes it. Thread role: as the calls that it is used in.
class Descriptor {
 public:
  Descriptor() noexcept = default;
  /// Takes the descriptor over.
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  /// Takes the descriptor over.
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  /// Exchanges the descriptors.
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();

  /// The number; -1 for none.
  [[nodiscard]] int get() const noexcept { return fd_; }
  /// Whether there is one.
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
  /// Gives the descriptor away.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

/// Longest path of a Unix domain socket, in bytes (unix(7): sun_path with its terminator is 108).
inline constexpr std::size_t kUnixPathBytesMax = 107;

/// Connects to a Unix domain socket. Blocking: until connected, the deadline or a stop request.
/// Errors: InvalidConnection for a path that cannot be one, DeadlineExceeded, Cancelled,
/// std::system_error with errno for the rest.
[[nodiscard]] Descriptor connect_unix(std::string_view path, Deadline deadline = Deadline::never(),
                                      std::stop_token stop = {});

/// The loopback interface's addresses.
enum class Loopback : std::uint8_t {
  ipv4,  ///< 127.0.0.1
  ipv6,  ///< ::1
};

/// Connects to a TCP port of this machine (127.0.0.1, then ::1), with TCP_NODELAY. Errors as
/// connect_unix(); InvalidConnection for port 0.
[[nodiscard]] Descriptor connect_loopback(std::uint16_t port, Deadline deadline = Deadline::never(),
                                          std::stop_token stop = {});

/// The same at one address only, for who tells a secret there.
[[nodiscard]] Descriptor connect_loopback(std::uint16_t port, Loopback address,
                                          Deadline deadline = Deadline::never(),
                                          std::stop_token stop = {});

/// The port that the text names, 1 to 65535. Throws InvalidConnection for anything else.
[[nodiscard]] std::uint16_t parse_port(std::string_view text);

/// A listening socket. Removes its socket file when it is destroyed, only the file that it made,
/// and not in a child of fork().
class Listener {
 public:
  /// Listens at a path that is free, or that holds the socket of a server that is gone; the file is
  /// made with mode 0600. Peers of another user are refused by accept().
  /// Errors: InvalidConnection; AddressInUse when a server answers there, or something that is not
  /// a socket is in the way; PermissionDenied when the folder can be written by others or belongs
  /// to another user; std::system_error.
  [[nodiscard]] static Listener listen_unix(std::string_view path);

  /// Listens on this machine's own address; port 0 takes a free one.
  [[nodiscard]] static Listener listen_loopback(std::uint16_t port,
                                                Loopback address = Loopback::ipv4);

  /// Takes the socket and its file over.
  Listener(Listener&& other) noexcept
      : descriptor_(std::move(other.descriptor_)),
        path_(std::exchange(other.path_, {})),
        device_(other.device_),
        inode_(other.inode_),
        birthplace_(other.birthplace_),
        port_(other.port_) {}
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  /// The next connection. Blocking: until there is one, the deadline or a stop request. Transient
  /// failures of one connection are passed over, as are peers of another user on a Unix socket.
  /// Errors: DeadlineExceeded, Cancelled, std::system_error.
  [[nodiscard]] Descriptor accept(Deadline deadline = Deadline::never(), std::stop_token stop = {});

  /// The TCP port; 0 for a Unix socket.
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// For poll(2); still the listener's.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_.get(); }

 private:
  Listener() = default;
  Descriptor descriptor_;
  std::string path_;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
  forebay::detail::Birthplace birthplace_;
  std::uint16_t port_ = 0;
};

/// Sends all bytes, without SIGPIPE. Blocking: until sent, the deadline or a stop request.
/// Errors: DeadlineExceeded, Cancelled, std::system_error; part of the bytes may have been sent.
void send_all(const Descriptor& descriptor, std::span<const std::byte> bytes,
              Deadline deadline = Deadline::never(), const std::stop_token& stop = {});

}  // namespace forebay::socket
