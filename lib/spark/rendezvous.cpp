// SPDX-License-Identifier: Apache-2.0
#include "forebay/spark/rendezvous.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>

#include "forebay/error.h"
#include "forebay/socket/detail/ready.h"

namespace forebay::spark {

namespace {

std::string required(const char* name) {
  auto value = Environment::get(name);
  if (!value) throw InvalidConnection(std::string(name) + " is not set");
  return *std::move(value);
}

bool uses_unix_socket() {
  const auto enabled = Environment::get("PYTHON_UNIX_DOMAIN_ENABLED");
  return enabled == "True" || enabled == "true";
}

// A name that nobody else has: 128 random bits.
std::string random_name() {
  std::array<unsigned char, 16> bytes{};
  if (::getentropy(bytes.data(), bytes.size()) != 0) {
    throw std::system_error(errno, std::system_category(), "getentropy");
  }
  std::string name = ".";
  for (const unsigned char byte : bytes) {
    name += "0123456789abcdef"[byte >> 4];
    name += "0123456789abcdef"[byte & 15];
  }
  return name + ".sock";
}

// How many of the bytes came before the peer's end.
std::size_t receive_exactly(const socket::Descriptor& connection, std::span<std::byte> to,
                            Deadline deadline) {
  std::size_t received = 0;
  while (received != to.size()) {
    socket::detail::wait_ready_or_throw(connection.get(), POLLIN, deadline, {}, "handshake");
    const ssize_t got = ::recv(connection.get(), to.data() + received, to.size() - received, 0);
    if (got == 0) break;
    if (got > 0) {
      received += static_cast<std::size_t>(got);
    } else if (errno != EINTR && errno != EAGAIN) {
      throw std::system_error(errno, std::system_category(), "receive in a handshake");
    }
  }
  return received;
}

}  // namespace

std::optional<std::string> Environment::get(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  return value;
}

// As Python's workers read it.
socket::Loopback preferred_loopback() {
  constexpr std::string_view kTrue = "true";
  const auto prefers = Environment::get("SPARK_PREFER_IPV6").value_or("");
  const bool six =
      std::equal(prefers.begin(), prefers.end(), kTrue.begin(), kTrue.end(),
                 [](unsigned char one, char other) { return std::tolower(one) == other; });
  return six ? socket::Loopback::ipv6 : socket::Loopback::ipv4;
}

bool is_started_by_spark(const std::vector<std::string>& arguments) {
  return arguments.size() >= 2 && arguments.front() == "-m";
}

Rendezvous read_rendezvous(const std::vector<std::string>& arguments) {
  Rendezvous rendezvous;
  // The module is called as the session's settings have it; a daemon's is given the worker's too.
  rendezvous.daemon = arguments.size() > 2 || arguments.at(1).ends_with("daemon");
  const bool unix_socket = uses_unix_socket();
  rendezvous.address = preferred_loopback();
  if (!unix_socket) rendezvous.secret = required("PYTHON_WORKER_FACTORY_SECRET");
  if (rendezvous.secret && rendezvous.secret->empty()) {
    throw InvalidConnection("PYTHON_WORKER_FACTORY_SECRET is empty");
  }
  if (rendezvous.secret && rendezvous.secret->size() > kSecretBytesMax) {
    throw InvalidConnection("PYTHON_WORKER_FACTORY_SECRET has " +
                            std::to_string(rendezvous.secret->size()) + " bytes, at most " +
                            std::to_string(kSecretBytesMax) + " are taken");
  }
  if (rendezvous.daemon) {
    if (unix_socket) {
      rendezvous.path = required("PYTHON_WORKER_FACTORY_SOCK_DIR") + "/" + random_name();
    }
  } else if (unix_socket) {
    rendezvous.path = required("PYTHON_WORKER_FACTORY_SOCK_PATH");
  } else {
    rendezvous.port = socket::parse_port(required("PYTHON_WORKER_FACTORY_PORT"));
  }
  return rendezvous;
}

void shake_hands(const socket::Descriptor& connection, Handshake& handshake, Deadline deadline) {
  std::vector<std::byte> buffer;
  while (!handshake.done()) {
    socket::send_all(connection, handshake.to_send(), deadline);
    handshake.sent();
    if (handshake.wanted_bytes() == 0) continue;
    buffer.resize(handshake.wanted_bytes());
    const std::size_t got = receive_exactly(connection, buffer, deadline);
    if (got != buffer.size()) handshake.ended(got);
    try {
      handshake.received(buffer);
    } catch (...) {
      socket::send_all(connection, handshake.refusal(), deadline);
      throw;
    }
  }
}

socket::Descriptor meet(const Rendezvous& rendezvous, Deadline deadline) {
  // Nowhere else: the secret would be told to whoever listens there.
  socket::Descriptor connection =
      rendezvous.path.empty()
          ? socket::connect_loopback(rendezvous.port, rendezvous.address, deadline)
          : socket::connect_unix(rendezvous.path, deadline);
  Handshake handshake = Handshake::of_worker(rendezvous.secret, ::getpid());
  shake_hands(connection, handshake, deadline);
  return connection;
}

}  // namespace forebay::spark
