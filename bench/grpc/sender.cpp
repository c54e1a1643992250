// SPDX-License-Identifier: Apache-2.0
#include "grpc/sender.h"

#include <arrow/array/array_primitive.h>
#include <arrow/buffer.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <memory>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "forebay/grpc/client.h"
#include "tpch/arrow_input.h"

namespace forebay::bench {

namespace {

void send_over_grpc(const Order& order, const std::string& message) {
  const Release nothing{[](void*) noexcept {}, nullptr};
  grpc::Client client(order.path);
  grpc::Init init;
  init.udf.format = "bench";
  init.udf.bytes = "receive";
  grpc::ClientSession session = client.open(init);
  (void)session.receive();
  for (std::uint64_t sent = 0; sent < order.messages; ++sent) {
    std::vector<Chunk> pieces;
    pieces.push_back(Chunk::borrow(std::as_bytes(std::span(message)), nothing));
    if (!session.send(std::move(pieces))) return;
    if (order.echo && !session.receive()) return;
  }
  session.finish();
  (void)session.receive();
}

void send_over_a_socket(const Order& order, const std::string& message) {
  const socket::Descriptor connection = socket::connect_unix(order.path);
  std::string answer(message.size(), '\0');
  for (std::uint64_t sent = 0; sent < order.messages; ++sent) {
    socket::send_all(connection, std::as_bytes(std::span(message)));
    if (!order.echo) continue;
    if (::recv(connection.get(), answer.data(), answer.size(), MSG_WAITALL) !=
        static_cast<ssize_t>(answer.size())) {
      return;
    }
  }
}

void follow(const socket::Descriptor& orders) {
  Order order;
  while (::recv(orders.get(), &order, sizeof order, MSG_WAITALL) == sizeof order) {
    const std::string message = arrow_message(order.body_bytes);
    try {
      if (order.channel == Channel::grpc) {
        send_over_grpc(order, message);
      } else {
        send_over_a_socket(order, message);
      }
    } catch (const std::exception&) {
      // Who receives is gone, and knows why.
    }
  }
}

}  // namespace

std::string arrow_message(std::size_t body_bytes) {
  const auto rows = static_cast<std::int64_t>(body_bytes / sizeof(std::int64_t));
  const std::shared_ptr<arrow::Buffer> values =
      tpch::value_of(arrow::AllocateBuffer(static_cast<std::int64_t>(body_bytes)));
  for (std::int64_t row = 0; row < rows; ++row) {
    reinterpret_cast<std::int64_t*>(values->mutable_data())[row] = row;
  }
  const auto batch =
      arrow::RecordBatch::Make(arrow::schema({arrow::field("value", arrow::int64())}), rows,
                               {std::make_shared<arrow::Int64Array>(rows, values)});
  const auto options = arrow::ipc::IpcWriteOptions::Defaults();
  return tpch::value_of(arrow::ipc::SerializeRecordBatch(*batch, options))->ToString();
}

Engine::Engine() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw std::system_error(errno, std::generic_category(), "socketpair");
  }
  orders_ = socket::Descriptor(ends[0]);
  const socket::Descriptor theirs(ends[1]);
  const pid_t parent = ::getpid();
  process_ = ::fork();
  if (process_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (process_ != 0) return;
  // It does not outlive who asks.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);
  orders_ = socket::Descriptor();
  follow(theirs);
  ::_exit(0);
}

Engine::~Engine() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

const Engine& Engine::get() {
  static const Engine engine;
  return engine;
}

void Engine::ask(const std::string& path, Channel channel, std::size_t body_bytes,
                 std::size_t messages, bool echo) const {
  Order order;
  path.copy(order.path, sizeof order.path - 1);
  order.channel = channel;
  order.body_bytes = body_bytes;
  order.messages = messages;
  order.echo = echo;
  socket::send_all(orders_, std::as_bytes(std::span(&order, 1)));
}

}  // namespace forebay::bench
