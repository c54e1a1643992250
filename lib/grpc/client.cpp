// SPDX-License-Identifier: Apache-2.0
#include "forebay/grpc/client.h"

#include <errno.h>
#include <fcntl.h>
#include <grpcpp/channel.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/generic/generic_stub.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <utility>

#include "forebay/error.h"
#include "forebay/grpc/server.h"
#include "forebay/socket/descriptor.h"
#include "library.h"
#include "message.h"
#include "wire.h"

namespace forebay::grpc {

namespace {

using Stub = ::grpc::TemplatedGenericStub<::grpc::ByteBuffer, ::grpc::ByteBuffer>;

std::shared_ptr<::grpc::Channel> connect(const Connection& connection, const ClientOptions& options,
                                         Deadline deadline) {
  socket::Descriptor descriptor;
  if (const auto* const path = std::get_if<std::string>(&connection)) {
    descriptor = socket::connect_unix(*path, deadline);
  } else {
    descriptor = socket::connect_loopback(std::get<std::uint16_t>(connection), deadline);
  }
  const int flags = ::fcntl(descriptor.get(), F_GETFL);
  if (flags < 0 || ::fcntl(descriptor.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    throw std::system_error(errno, std::system_category(), "fcntl");
  }
  keep_library();
  ::grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(options.message_bytes_max));
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 1 << 20);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, 1 << 20);
  return ::grpc::CreateCustomInsecureChannelFromFd("localhost", descriptor.release(), arguments);
}

}  // namespace

// One call. gRPC's callbacks and the session's two users meet at one lock. It is never destroyed on
// a thread of gRPC: with the last of its channel gRPC ends its threads, and waits for them.
class ClientSession::Impl final
    : public ::grpc::ClientBidiReactor<::grpc::ByteBuffer, ::grpc::ByteBuffer> {
 public:
  Impl(Stub& stub, const ClientOptions& options) : options_(options) {
    context_.set_authority("localhost");
    stub.PrepareBidiStreamingCall(&context_, kExecuteMethod, {}, this);
  }

  void start() {
    // Reads are asked for from outside of gRPC's callbacks too.
    AddHold();
    StartCall();
    const std::lock_guard lock(mutex_);
    read_on();
  }

  bool send(::grpc::ByteBuffer message, std::size_t bytes) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      return ended_ || outgoing_bytes_ == 0 || outgoing_bytes_ + bytes <= options_.output_bytes_max;
    });
    if (ended_ || half_closed_) return false;
    outgoing_bytes_ += bytes;
    outgoing_.emplace_back(std::move(message), bytes);
    write_on();
    return true;
  }

  void half_close() {
    const std::lock_guard lock(mutex_);
    if (std::exchange(half_closed_, true)) return;
    write_on();
  }

  void break_off() {
    context_.TryCancel();
    const std::lock_guard lock(mutex_);
    release_hold();
  }

  ~Impl() override {
    break_off();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return done_; });
  }

  std::optional<Reply> receive(Deadline deadline) {
    std::unique_lock lock(mutex_);
    const auto has_some = [this] { return !replies_.empty() || done_; };
    if (deadline.is_never()) {
      changed_.wait(lock, has_some);
    } else if (!changed_.wait_until(lock, deadline.when(), has_some)) {
      throw DeadlineExceeded("wait for the worker's next message");
    }
    if (replies_.empty()) return std::nullopt;
    Reply reply = std::move(replies_.front());
    replies_.pop_front();
    if (const auto* const data = std::get_if<DataReply>(&reply)) {
      incoming_bytes_ -= data->size_bytes;
      read_on();
    }
    return reply;
  }

  void OnReadDone(bool ok) override {
    std::optional<ReceivedMessage> message;
    if (ok) message.emplace(incoming_);
    const std::lock_guard lock(mutex_);
    reading_ = false;
    if (ok) {
      take(*std::move(message));
      read_on();
    } else {
      release_hold();
    }
    changed_.notify_all();
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    outgoing_bytes_ -= outgoing_.front().second;
    outgoing_.pop_front();
    if (ok) {
      write_on();
    } else {
      ended_ = true;
    }
    changed_.notify_all();
  }

  // The last that gRPC does with this.
  void OnDone(const ::grpc::Status& status) override {
    const std::lock_guard lock(mutex_);
    ended_ = done_ = true;
    if (!last_word_) {
      replies_.emplace_back(
          BrokenReply{static_cast<int>(status.error_code()), status.error_message()});
    }
    changed_.notify_all();
  }

 private:
  void take(ReceivedMessage message) {
    if (const auto offset = message.data_offset()) {
      DataReply data;
      data.size_bytes = message.size() - *offset;
      std::move(message).to_chunks(*offset, data.pieces);
      incoming_bytes_ += data.size_bytes;
      replies_.emplace_back(std::move(data));
      return;
    }
    std::string bytes;
    auto response = decode_response(message.to_string(), bytes);
    if (!response || std::holds_alternative<Unknown>(*response)) {
      replies_.emplace_back(BrokenReply{0, "ProtocolError: bytes that are no UdfResponse"});
      last_word_ = true;
      context_.TryCancel();
      return;
    }
    std::visit([&](auto& known) { add(std::move(known), bytes); }, *response);
  }
  void add(Unknown, std::string&) {}
  void add(Data, std::string& bytes) {
    DataReply data;
    data.size_bytes = bytes.size();
    data.pieces.push_back(Chunk::adopt(std::move(bytes)));
    incoming_bytes_ += data.size_bytes;
    replies_.emplace_back(std::move(data));
  }
  template <class Known>
  void add(Known response, std::string&) {
    last_word_ = last_word_ || std::is_same_v<Known, FinishResponse> ||
                 std::is_same_v<Known, CancelResponse>;
    replies_.emplace_back(std::move(response));
  }

  void read_on() {
    if (reading_ || released_ || incoming_bytes_ >= options_.input_bytes_max) return;
    reading_ = true;
    StartRead(&incoming_);
  }
  void write_on() {
    if (writing_ || ended_) return;
    if (!outgoing_.empty()) {
      writing_ = true;
      StartWrite(&outgoing_.front().first);
    } else if (half_closed_ && !std::exchange(writes_done_, true)) {
      StartWritesDone();
    }
  }
  // From here on gRPC may be done at any moment: nothing may be asked of it any more.
  void release_hold() {
    ended_ = true;
    if (!std::exchange(released_, true)) RemoveHold();
    changed_.notify_all();
  }

  const ClientOptions options_;
  ::grpc::ClientContext context_;
  std::mutex mutex_;
  std::condition_variable changed_;
  ::grpc::ByteBuffer incoming_;
  std::deque<Reply> replies_;
  std::size_t incoming_bytes_ = 0;
  std::deque<std::pair<::grpc::ByteBuffer, std::size_t>> outgoing_;
  std::size_t outgoing_bytes_ = 0;
  bool reading_ = false;
  bool writing_ = false;
  bool half_closed_ = false;
  bool writes_done_ = false;
  bool released_ = false;
  bool last_word_ = false;
  bool ended_ = false;  // nothing can be sent any more
  bool done_ = false;   // nothing comes any more
};

ClientSession::ClientSession(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
ClientSession::ClientSession(ClientSession&&) noexcept = default;
ClientSession& ClientSession::operator=(ClientSession&& other) noexcept {
  std::swap(impl_, other.impl_);
  return *this;
}
ClientSession::~ClientSession() = default;

bool ClientSession::send(std::vector<Chunk> message) {
  std::size_t size = 0;
  for (const Chunk& piece : message) size += piece.size();
  return impl_->send(data_buffer(std::move(message), size), size);
}
bool ClientSession::send(const Request& request) { return send_raw(encode(request)); }
bool ClientSession::send_raw(const std::string& bytes) {
  return impl_->send(control_buffer(bytes), bytes.size());
}
void ClientSession::half_close() { impl_->half_close(); }
void ClientSession::break_off() { impl_->break_off(); }
std::optional<Reply> ClientSession::receive(Deadline deadline) { return impl_->receive(deadline); }

class Client::Impl {
 public:
  Impl(const std::string& connection, const ClientOptions& options, Deadline deadline)
      : options_(options), stub_(connect(parse_connection(connection), options, deadline)) {}

  ClientSession open() {
    auto call = std::make_unique<ClientSession::Impl>(stub_, options_);
    call->start();
    return ClientSession(std::move(call));
  }

  ManageResponse ask(const ManageRequest& request, Deadline deadline) {
    ::grpc::ClientContext context;
    context.set_authority("localhost");
    if (!deadline.is_never()) {
      const auto left = deadline.when() - Deadline::clock::now();
      context.set_deadline(std::chrono::system_clock::now() +
                           std::chrono::duration_cast<std::chrono::system_clock::duration>(left));
    }
    const ::grpc::ByteBuffer question = control_buffer(encode(request));
    ::grpc::ByteBuffer answer;
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<::grpc::Status> status;
    stub_.UnaryCall(&context, kManageMethod, {}, &question, &answer, [&](::grpc::Status result) {
      const std::lock_guard lock(mutex);
      status = std::move(result);
      changed.notify_all();
    });
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return status.has_value(); });
    }
    if (status->error_code() == ::grpc::StatusCode::DEADLINE_EXCEEDED) {
      throw DeadlineExceeded("wait for the worker's answer");
    }
    if (!status->ok()) throw Error("the worker gave no answer: " + status->error_message());
    auto response = decode_manage_response(ReceivedMessage(answer).to_string());
    if (!response) throw ProtocolError("bytes that are no WorkerResponse", 0);
    return *std::move(response);
  }

 private:
  const ClientOptions options_;
  Stub stub_;
};

Client::Client(const std::string& connection, const ClientOptions& options, Deadline deadline)
    : impl_(std::make_unique<Impl>(connection, options, deadline)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

ClientSession Client::open() { return impl_->open(); }

ClientSession Client::open(const Init& init) {
  ClientSession session = open();
  session.send(Request(init));
  return session;
}

Settings Client::heartbeat(Deadline deadline) {
  ManageResponse response = impl_->ask(Heartbeat{}, deadline);
  auto* const heartbeat = std::get_if<HeartbeatResponse>(&response);
  if (heartbeat == nullptr) throw ProtocolError("an answer that is no HeartbeatResponse", 0);
  return std::move(heartbeat->metrics);
}

bool Client::shut_down(bool cancel_sessions, Deadline deadline, std::optional<std::string> reason) {
  const ManageResponse response =
      impl_->ask(Shutdown{std::move(reason), cancel_sessions}, deadline);
  const auto* const shutdown = std::get_if<ShutdownResponse>(&response);
  if (shutdown == nullptr) throw ProtocolError("an answer that is no ShutdownResponse", 0);
  return shutdown->sessions_settled;
}

}  // namespace forebay::grpc
