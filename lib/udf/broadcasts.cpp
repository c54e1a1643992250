// SPDX-License-Identifier: Apache-2.0
#include "broadcasts.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "forebay/error.h"
#include "forebay/socket/descriptor.h"
#include "forebay/socket/detail/ready.h"
#include "forebay/spark/broadcast_receiver.h"
#include "forebay/spark/rendezvous.h"

namespace forebay::udf {

namespace {

using socket::Descriptor;

// To connect and shake hands, as Python's workers have it.
constexpr std::chrono::seconds kMeetTime(15);
// Between two parts of what the server sends.
constexpr std::chrono::seconds kSilenceTime(60);

std::size_t bytes_of(const Broadcasts& broadcasts) {
  std::size_t bytes = 0;
  for (const auto& [id, broadcast] : broadcasts) bytes += broadcast->size();
  return bytes;
}

std::string read_file(const std::string& path, std::size_t bytes_max) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes;
  if (file) {
    const auto size = static_cast<std::size_t>(std::filesystem::file_size(path));
    if (size > bytes_max) throw LimitExceeded("bytes of broadcast " + path, bytes_max, size);
    bytes.resize(size);
    file.read(bytes.data(), static_cast<std::streamsize>(size));
  }
  if (!file) throw std::system_error(errno, std::system_category(), "read broadcast " + path);
  return bytes;
}

// How many bytes came; 0 for the server's end, however it ended.
std::size_t receive(const Descriptor& server, std::span<std::byte> to) {
  for (;;) {
    socket::detail::wait_ready_or_throw(server.get(), POLLIN, Deadline::after(kSilenceTime), {},
                                        "a broadcast");
    const ssize_t got = ::recv(server.get(), to.data(), to.size(), 0);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno == ECONNRESET) return 0;
    if (errno != EINTR && errno != EAGAIN) {
      throw std::system_error(errno, std::system_category(), "receive a broadcast");
    }
  }
}

Descriptor connect(const spark::BroadcastServer& server, Deadline deadline) {
  if (server.port < 0) return socket::connect_unix(server.socket_path, deadline);
  // Nowhere else: the secret would be told to whoever listens there.
  return socket::connect_loopback(socket::parse_port(std::to_string(server.port)),
                                  spark::preferred_loopback(), deadline);
}

std::vector<spark::BroadcastReceiver::Received> fetch(const spark::BroadcastServer& server,
                                                      std::vector<std::int64_t> ids,
                                                      std::size_t bytes_max) {
  const Deadline deadline = Deadline::after(kMeetTime);
  const Descriptor connection = connect(server, deadline);
  auto handshake = spark::Handshake::of_client(
      server.port < 0 ? std::nullopt : std::optional<std::string>(server.secret));
  spark::shake_hands(connection, handshake, deadline);
  spark::BroadcastReceiver receiver(std::move(ids), bytes_max);
  std::vector<std::byte> buffer(std::size_t{256} << 10);
  while (!receiver.done()) {
    const std::size_t got = receive(connection, buffer);
    if (got == 0) receiver.ended();
    receiver.received(std::span(buffer).first(got));
  }
  // The server waits for a byte, of which it may not want to know any more.
  constexpr char kTaken = '1';
  (void)::send(connection.get(), &kTaken, sizeof kTaken, MSG_NOSIGNAL);
  return receiver.take();
}

}  // namespace

void update_broadcasts(const spark::InitMessage& init, std::size_t bytes_max,
                       Broadcasts& broadcasts) {
  for (const auto& broadcast : init.broadcasts) {
    if (broadcast.id < 0) broadcasts.erase(-broadcast.id - 1);
  }
  std::size_t bytes = bytes_of(broadcasts);
  const auto keep = [&](std::int64_t id, std::string pickle) {
    bytes += pickle.size();
    broadcasts[id] = std::make_shared<const std::string>(spark::broadcast_bytes(std::move(pickle)));
  };
  std::vector<std::int64_t> from_server;
  for (const auto& broadcast : init.broadcasts) {
    if (broadcast.id < 0) continue;
    if (init.broadcast_server) {
      from_server.push_back(broadcast.id);
    } else {
      keep(broadcast.id, read_file(broadcast.path, bytes_max - bytes));
    }
  }
  if (from_server.empty()) return;
  for (auto& [id, pickle] :
       fetch(*init.broadcast_server, std::move(from_server), bytes_max - bytes)) {
    keep(id, std::move(pickle));
  }
}

}  // namespace forebay::udf
