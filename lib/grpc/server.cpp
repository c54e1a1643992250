// SPDX-License-Identifier: Apache-2.0
#include "forebay/grpc/server.h"

#include <algorithm>
#include <condition_variable>
#include <list>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "execute_call.h"
#include "forebay/error.h"
#include "forebay/socket/descriptor.h"
#include "http2_connection.h"
#include "hub.h"
#include "manage_call.h"
#include "wire.h"

namespace forebay::grpc {

namespace {

using socket::Descriptor;
using socket::Listener;

// Calls of Manage, and those that are refused, beside the sessions of one connection.
constexpr std::size_t kOtherCallsMax = 64;
// Connections at once; engines have one or a few each.
constexpr std::size_t kConnectionsMax = 1024;
// A lack of descriptors passes when a connection ends.
constexpr std::chrono::milliseconds kAcceptAgain(20);
// What is still open when the server goes is cut off.
constexpr std::chrono::milliseconds kFarewellTime(100);

bool is_lack(const std::system_error& error) {
  return error.code() == std::errc::too_many_files_open ||
         error.code() == std::errc::too_many_files_open_in_system ||
         error.code() == std::errc::no_buffer_space ||
         error.code() == std::errc::not_enough_memory ||
         error.code() == std::errc::resource_unavailable_try_again;
}

std::vector<Listener> listen(const Connection& connection) {
  std::vector<Listener> listeners;
  if (const auto* const path = std::get_if<std::string>(&connection)) {
    listeners.push_back(Listener::listen_unix(*path));
    return listeners;
  }
  listeners.push_back(Listener::listen_loopback(std::get<std::uint16_t>(connection)));
  try {
    const std::uint16_t port = listeners.front().port();
    listeners.push_back(Listener::listen_loopback(port, socket::Loopback::ipv6));
  } catch (const std::system_error& error) {
    // A machine without IPv6 has no ::1.
    if (error.code() != std::errc::address_not_available &&
        error.code() != std::errc::address_family_not_supported) {
      throw;
    }
  }
  return listeners;
}

Http2Limits limits_of(const ServerOptions& options) {
  return {.streams_max = options.sessions_max + kOtherCallsMax,
          .metadata_bytes_max = static_cast<std::size_t>(options.metadata_bytes_max),
          .ping_interval_min = std::chrono::milliseconds(options.ping_interval_ms_min)};
}

}  // namespace

Connection parse_connection(const std::string& text) {
  if (text.find('/') != std::string::npos) {
    if (text.size() > socket::kUnixPathBytesMax) {
      throw InvalidConnection("the path of a Unix socket has " + std::to_string(text.size()) +
                              " bytes, at most " + std::to_string(socket::kUnixPathBytesMax) +
                              " fit");
    }
    return text;
  }
  return socket::parse_port(text);
}

class Server::Impl {
 public:
  Impl(const Connection& connection, MakeHandler make_handler, const ServerOptions& options)
      : hub_(std::move(make_handler), options), listeners_(listen(connection)) {
    port_ = listeners_.front().port();
    for (Listener& listener : listeners_) {
      acceptors_.emplace_back(
          [this, &listener](const std::stop_token& stop) { accept(listener, stop); });
    }
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    hub_.cancel("the worker ends");
    (void)hub_.wait_settled(Deadline::after(kFarewellTime), {});
    close();
  }

  void close() {
    acceptors_.clear();
    listeners_.clear();
    const Deadline deadline = Deadline::after(kFarewellTime);
    for (Served& served : served_) served.connection->go_away();
    for (Served& served : served_) served.connection->wait_settled(deadline);
    for (Served& served : served_) served.connection->stop();
    served_.clear();
  }
  Hub& hub() { return hub_; }
  std::uint16_t port() const { return port_; }

 private:
  struct Served {
    std::shared_ptr<Http2Connection> connection;
    bool over = false;
    std::jthread thread;  // last: it uses the others
  };

  void accept(Listener& listener, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      try {
        serve(listener.accept(Deadline::never(), stop));
      } catch (const Cancelled&) {
        return;
      } catch (const std::system_error& error) {
        if (!is_lack(error)) return;
        rest(stop);
      } catch (const std::bad_alloc&) {
        rest(stop);
      }
    }
  }

  void rest(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    again_.wait_for(lock, stop, kAcceptAgain, [] { return false; });
  }

  // A connection that there is no room for is closed.
  void serve(Descriptor peer) {
    auto connection = std::make_shared<Http2Connection>(
        std::move(peer), limits_of(hub_.options),
        [this](CallStream& stream, std::shared_ptr<Http2Connection> from) {
          return open(stream, std::move(from));
        });
    const std::lock_guard lock(mutex_);
    served_.remove_if([](const Served& served) { return served.over; });
    if (served_.size() >= kConnectionsMax) return;
    Served& served = served_.emplace_back();
    served.connection = std::move(connection);
    try {
      served.thread = std::jthread([this, &served] {
        served.connection->run();
        const std::lock_guard done(mutex_);
        served.over = true;
      });
    } catch (...) {
      served_.pop_back();
      throw;
    }
  }

  std::shared_ptr<Call> open(CallStream& stream, std::shared_ptr<Http2Connection> from) {
    if (stream.path() == kExecuteMethod) return ExecuteCall::start(hub_, stream, std::move(from));
    if (stream.path() == kManageMethod) {
      return std::make_shared<ManageCall>(hub_, stream, std::move(from));
    }
    stream.finish({Status::unimplemented, "Unsupported: the method " + stream.path()});
    return nullptr;
  }

  Hub hub_;
  std::vector<Listener> listeners_;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::condition_variable_any again_;
  std::list<Served> served_;
  std::vector<std::jthread> acceptors_;
};

Server::Server(const Connection& connection, MakeHandler make_handler, const ServerOptions& options)
    : impl_(std::make_unique<Impl>(connection, std::move(make_handler), options)) {}
Server::~Server() = default;

void Server::close() { impl_->close(); }
void Server::drain() { impl_->hub().drain(); }
void Server::cancel(const std::string& reason) { impl_->hub().cancel(reason); }
bool Server::wait(Deadline deadline, std::stop_token stop) {
  return impl_->hub().wait_settled(deadline, stop);
}
std::size_t Server::sessions() const { return impl_->hub().sessions(); }
std::size_t Server::functions() const { return impl_->hub().functions(); }
std::uint16_t Server::port() const { return impl_->port(); }
ServerStats Server::stats() const { return impl_->hub().stats(); }

}  // namespace forebay::grpc
