// SPDX-License-Identifier: Apache-2.0
#include "forebay/grpc/server.h"

#include <errno.h>
#include <fcntl.h>
#include <grpc/grpc.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>

#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "execute_call.h"
#include "forebay/error.h"
#include "forebay/socket/descriptor.h"
#include "hub.h"
#include "library.h"
#include "manage_call.h"
#include "wire.h"

namespace forebay::grpc {

namespace {

using socket::Descriptor;
using socket::Listener;

// Calls of Manage, and those that are refused, beside the sessions of one connection.
constexpr std::size_t kOtherCallsMax = 64;
// How far gRPC may receive ahead of what was asked for, for one call.
constexpr int kLookaheadBytes = 1 << 20;
constexpr int kFrameBytesMax = 1 << 20;
// A lack of descriptors passes when a connection ends.
constexpr std::chrono::milliseconds kAcceptAgain(20);
// What is still open when the server goes is cut off.
constexpr std::chrono::milliseconds kFarewellTime(100);

class Service final : public ::grpc::CallbackGenericService {
 public:
  explicit Service(Hub& hub) : hub_(hub) {}

  ::grpc::ServerGenericBidiReactor* CreateReactor(
      ::grpc::GenericCallbackServerContext* context) override {
    if (context->method() == kExecuteMethod) return ExecuteCall::start(hub_, *context);
    if (context->method() == kManageMethod) return new ManageCall(hub_);
    return CallbackGenericService::CreateReactor(context);
  }

 private:
  Hub& hub_;
};

bool is_lack(const std::system_error& error) {
  return error.code() == std::errc::too_many_files_open ||
         error.code() == std::errc::too_many_files_open_in_system ||
         error.code() == std::errc::no_buffer_space || error.code() == std::errc::not_enough_memory;
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

std::unique_ptr<::grpc::Server> start(Service& service, const ServerOptions& options) {
  keep_library();
  ::grpc::ServerBuilder builder;
  builder.RegisterCallbackGenericService(&service);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.message_bytes_max));
  builder.SetMaxSendMessageSize(-1);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             static_cast<int>(options.sessions_max + kOtherCallsMax));
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, options.metadata_bytes_max);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             options.ping_interval_ms_min);
  // What is received ahead is memory that no bound of ours counts: a fixed window, not one that
  // grows with the speed of the line.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kLookaheadBytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kFrameBytesMax);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
  auto server = builder.BuildAndStart();
  if (server == nullptr) throw std::runtime_error("gRPC could not start its server");
  return server;
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
      : hub_(std::move(make_handler), options), service_(hub_), listeners_(listen(connection)) {
    port_ = listeners_.front().port();
    server_ = start(service_, options);
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
    server_->Wait();
    server_.reset();
  }

  void close() {
    acceptors_.clear();
    listeners_.clear();
    server_->Shutdown(std::chrono::system_clock::now() + kFarewellTime);
  }
  Hub& hub() { return hub_; }
  std::uint16_t port() const { return port_; }

 private:
  void accept(Listener& listener, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      try {
        Descriptor peer = listener.accept(Deadline::never(), stop);
        const int flags = ::fcntl(peer.get(), F_GETFL);
        if (flags < 0 || ::fcntl(peer.get(), F_SETFL, flags | O_NONBLOCK) != 0) continue;
        ::grpc::AddInsecureChannelFromFd(server_.get(), peer.release());
      } catch (const Cancelled&) {
        return;
      } catch (const std::system_error& error) {
        if (!is_lack(error)) return;
        std::unique_lock lock(mutex_);
        again_.wait_for(lock, stop, kAcceptAgain, [] { return false; });
      }
    }
  }

  Hub hub_;
  Service service_;
  std::vector<Listener> listeners_;
  std::uint16_t port_ = 0;
  std::unique_ptr<::grpc::Server> server_;
  std::mutex mutex_;
  std::condition_variable_any again_;
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
