// SPDX-License-Identifier: Apache-2.0
#pragma once

// Connected descriptors of every kind, and how to send to them.

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "forebay/socket/descriptor.h"
#include "scenario.h"

namespace forebay::stress {

/// What is sent at `far` is received at `near`.
struct Wire {
  socket::Descriptor near;
  socket::Descriptor far;
  bool is_tcp = false;
};

inline Wire random_wire(Random& random) {
  int ends[2];
  switch (pick(random, 4)) {
    case 0: {
      auto listener = socket::Listener::listen_loopback(0);
      socket::Descriptor far = socket::connect_loopback(listener.port());
      return {listener.accept(), std::move(far), true};
    }
    case 1:
      if (::pipe(ends) == 0) return {socket::Descriptor(ends[0]), socket::Descriptor(ends[1])};
      break;
    default:
      if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0) {
        return {socket::Descriptor(ends[0]), socket::Descriptor(ends[1])};
      }
  }
  throw std::system_error(errno, std::system_category(), "socketpair or pipe");
}

/// Writes all bytes to a socket or a pipe. False when the peer is gone.
inline bool send_piece(const socket::Descriptor& to, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    ssize_t done = ::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (done < 0 && errno == ENOTSOCK) done = ::write(to.get(), bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return true;
}

/// When the descriptor is closed, what was not received is thrown away and the peer told so.
inline void reset_at_close(const socket::Descriptor& descriptor) {
  const linger off{1, 0};
  ::setsockopt(descriptor.get(), SOL_SOCKET, SO_LINGER, &off, sizeof off);
}

}  // namespace forebay::stress
