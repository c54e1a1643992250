// SPDX-License-Identifier: Apache-2.0
#include "end_to_end/sender.h"

#include <arrow/array/builder_primitive.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/writer.h>
#include <arrow/type.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "tpch/arrow_input.h"
#include "tpch/schedule.h"
#include "tpch/wire.h"

namespace forebay::bench {
namespace {

using Bytes = std::span<const std::byte>;

void check(const arrow::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

std::shared_ptr<arrow::RecordBatch> make_batch() {
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  std::int64_t value = 0;
  for (std::int64_t column = 0; column < Sender::kColumns; ++column) {
    arrow::Int64Builder builder;
    for (std::int64_t row = 0; row < Sender::kRows; ++row) check(builder.Append(value += row));
    fields.push_back(arrow::field(std::to_string(column), arrow::int64()));
    columns.push_back(tpch::value_of(builder.Finish()));
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), Sender::kRows, columns);
}

// A stream of one batch, and where the batch begins and ends in it.
struct Messages {
  explicit Messages(const arrow::RecordBatch& batch) {
    const auto out = tpch::value_of(arrow::io::BufferOutputStream::Create());
    const auto writer = tpch::value_of(arrow::ipc::MakeStreamWriter(out, batch.schema()));
    check(writer->WriteRecordBatch(batch));
    const auto first_end = static_cast<std::size_t>(tpch::value_of(out->Tell()));
    check(writer->WriteRecordBatch(batch));
    const auto second_end = static_cast<std::size_t>(tpch::value_of(out->Tell()));
    check(writer->Close());
    memory = tpch::value_of(out->Finish());
    const Bytes all(reinterpret_cast<const std::byte*>(memory->data()),
                    static_cast<std::size_t>(memory->size()));
    head = all.first(first_end - (second_end - first_end));
    one = all.subspan(first_end, second_end - first_end);
    end = all.subspan(second_end);
  }

  std::shared_ptr<arrow::Buffer> memory;
  Bytes head;
  Bytes one;
  Bytes end;
};

void serve(const socket::Descriptor& connection, const Messages& messages) {
  Request request;
  if (::recv(connection.get(), &request, sizeof request, MSG_WAITALL) != sizeof request) return;
  try {
    tpch::Schedule schedule(request.gb_per_s);
    socket::send_all(connection, messages.head);
    for (std::uint64_t sent = 0; sent < request.batches; ++sent) {
      schedule.wait(messages.one.size());
      socket::send_all(connection, messages.one);
    }
    socket::send_all(connection, messages.end);
  } catch (const std::system_error&) {
    // The receiver is gone, and knows why.
  }
}

void accept_all(socket::Listener& listener, const Messages& messages) {
  for (;;) {
    std::thread([&messages, connection = listener.accept()] {
      serve(connection, messages);
    }).detach();
  }
}

}  // namespace

// A folder of our own for the socket's file.
struct Sender::Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "forebay-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw std::system_error(errno, std::generic_category(), name);
    }
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

Sender::Sender()
    : batch_(make_batch()),
      folder_(std::make_unique<Folder>()),
      unix_(socket::Listener::listen_unix((folder_->path / "socket").string())),
      tcp_(socket::Listener::listen_loopback(0)) {
  const Messages messages(*batch_);
  const pid_t parent = ::getpid();
  process_ = ::fork();
  if (process_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (process_ != 0) return;
  // It does not outlive who asks.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);
  std::thread tcp([&] { accept_all(tcp_, messages); });
  accept_all(unix_, messages);
}

Sender::~Sender() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

const Sender& Sender::get() {
  static const Sender sender;
  return sender;
}

socket::Descriptor Sender::connect(Wire wire) const {
  return wire == Wire::tcp ? socket::connect_loopback(tcp_.port())
                           : socket::connect_unix((folder_->path / "socket").string());
}

void Sender::ask(const socket::Descriptor& connection, const Request& request) {
  socket::send_all(connection, std::as_bytes(std::span(&request, 1)));
}

}  // namespace forebay::bench
