// SPDX-License-Identifier: Apache-2.0
#include "grpc/receivers.h"

#include <grpc/grpc.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <chrono>
#include <future>
#include <memory>
#include <span>
#include <thread>
#include <utility>

#include "forebay/grpc/server.h"
#include "forebay/socket/receiver.h"
#include "forebay/stream.h"
#include "grpc/sender.h"
#include "udf_message.pb.h"

namespace forebay::bench {

namespace {

namespace spark = org::apache::spark::udf::worker;

constexpr std::size_t kStreamBytesMax = std::size_t{32} << 20;

std::uint64_t take_all(StreamReader& reader) {
  std::uint64_t bytes = 0;
  while (const std::size_t got = reader.read_some(SIZE_MAX).size()) bytes += got;
  return bytes;
}

// Takes batches of one size one after the other, and gives each to `answer` in two pieces.
template <class Answer>
std::uint64_t echo_all(StreamReader& reader, const Job& job, Answer&& answer) {
  const std::size_t head_bytes = arrow_message(job.body_bytes).size() - job.body_bytes;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i != job.messages; ++i) {
    std::vector<Chunk> pieces;
    for (const std::size_t size : {head_bytes, job.body_bytes}) {
      pieces.push_back(Chunk::copy_of(reader.read(size)));
      bytes += size;
    }
    answer(std::move(pieces));
  }
  return bytes;
}

// --- Forebay -------------------------------------------------------------------------------------

class Session final : public grpc::Handler {
 public:
  Session(const Job& job, std::promise<std::uint64_t>& done) : job_(job), done_(done) {}
  void serve(grpc::Execution& execution) override {
    job_.begin();
    execution.ready();
    const std::uint64_t bytes =
        job_.echo ? echo_all(execution.input(), job_,
                             [&](std::vector<Chunk> pieces) { execution.send(std::move(pieces)); })
                  : take_all(execution.input());
    job_.end();
    while (execution.input().read_some(SIZE_MAX).size() != 0) {
    }
    done_.set_value(bytes);
  }

 private:
  const Job& job_;
  std::promise<std::uint64_t>& done_;
};

Receiver forebay(grpc::Placement placement) {
  return [placement](const Job& job) {
    std::promise<std::uint64_t> done;
    grpc::ServerOptions options;
    options.placement = placement;
    options.input_bytes_max = kStreamBytesMax;
    grpc::Server server(
        grpc::Connection(job.path), [&] { return std::make_unique<Session>(job, done); }, options);
    job.ask();
    const std::uint64_t bytes = done.get_future().get();
    server.drain();
    (void)server.wait(Deadline::after(std::chrono::seconds(5)));
    return bytes;
  };
}

// --- gRPC alone ----------------------------------------------------------------------------------

// What becomes of a message; gives back its payload's size.
using Take = std::function<std::uint64_t(::grpc::ByteBuffer&)>;

::grpc::ByteBuffer control(int field) {
  spark::UdfResponse response;
  if (field == 1) response.mutable_control()->mutable_init();
  if (field == 2) response.mutable_control()->mutable_finish();
  const std::string text = response.SerializeAsString();
  const ::grpc::Slice slice(text.data(), text.size());
  return {&slice, 1};
}

class RawCall final : public ::grpc::ServerGenericBidiReactor {
 public:
  RawCall(const Job& job, const Take& take, std::promise<std::uint64_t>& done)
      : job_(job), take_(take), done_(done) {
    StartRead(&in_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    const std::size_t place = seen_++;
    if (place == 0) {
      job_.begin();
      out_ = control(1);
      StartWrite(&out_);
    } else if (place <= job_.messages) {
      if (job_.echo) out_ = in_;
      bytes_ += take_(in_);
      if (job_.echo) StartWrite(&out_);
      if (place == job_.messages) job_.end();
    } else {
      last_ = control(2);
      StartWriteAndFinish(&last_, {}, ::grpc::Status::OK);
      return;
    }
    if (!job_.echo) StartRead(&in_);
  }
  void OnWriteDone(bool ok) override {
    if (ok && job_.echo) StartRead(&in_);
  }
  void OnDone() override {
    done_.set_value(bytes_);
    delete this;
  }

 private:
  const Job& job_;
  const Take& take_;
  std::promise<std::uint64_t>& done_;
  ::grpc::ByteBuffer in_;
  ::grpc::ByteBuffer out_;
  ::grpc::ByteBuffer last_;
  std::size_t seen_ = 0;
  std::uint64_t bytes_ = 0;
};

class RawService final : public ::grpc::CallbackGenericService {
 public:
  RawService(const Job& job, Take take, std::promise<std::uint64_t>& done)
      : job_(job), take_(std::move(take)), done_(done) {}
  ::grpc::ServerGenericBidiReactor* CreateReactor(::grpc::GenericCallbackServerContext*) override {
    return new RawCall(job_, take_, done_);
  }

 private:
  const Job& job_;
  const Take take_;
  std::promise<std::uint64_t>& done_;
};

Receiver raw(Take take) {
  return [take = std::move(take)](const Job& job) {
    std::promise<std::uint64_t> done;
    RawService service(job, take, done);
    ::grpc::ServerBuilder builder;
    builder.RegisterCallbackGenericService(&service);
    builder.AddListeningPort("unix:" + job.path, ::grpc::InsecureServerCredentials());
    builder.SetMaxReceiveMessageSize(-1);
    // As Forebay's server has them.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 1 << 20);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, 1 << 20);
    const auto server = builder.BuildAndStart();
    job.ask();
    const std::uint64_t bytes = done.get_future().get();
    server->Shutdown();
    server->Wait();
    return bytes;
  };
}

std::uint64_t parse(::grpc::ByteBuffer& buffer) {
  spark::UdfRequest request;
  if (!::grpc::GenericDeserialize<::grpc::ProtoBufferReader, spark::UdfRequest>(&buffer, &request)
           .ok()) {
    return 0;
  }
  return request.data().data().size();
}

// What stands before the data, of which nobody asks here.
std::uint64_t payload_of(std::size_t message) {
  std::size_t head = 1;
  for (std::size_t rest = message; rest >= 0x80; rest >>= 7) ++head;
  return message - 2 * (head + 1);
}

std::uint64_t read_all(::grpc::ByteBuffer& buffer) {
  ::grpc::Slice slice;
  if (!buffer.DumpToSingleSlice(&slice).ok()) return 0;
  const std::size_t size = slice.size();
  buffer.Clear();
  return payload_of(size);
}

std::uint64_t leave(::grpc::ByteBuffer& buffer) {
  const std::size_t size = buffer.Length();
  buffer.Clear();
  return payload_of(size);
}

// --- Without gRPC --------------------------------------------------------------------------------

std::uint64_t over_a_socket(const Job& job) {
  socket::Listener listener = socket::Listener::listen_unix(job.path);
  job.ask();
  socket::ReceiverOptions options;
  options.framing = Framing::arrow_ipc;
  options.stream.max_bytes = kStreamBytesMax;
  socket::Descriptor connection = listener.accept();
  job.begin();
  socket::SocketReceiver receiver(std::move(connection), options);
  const std::uint64_t bytes =
      job.echo ? echo_all(receiver.reader(), job,
                          [&](const std::vector<Chunk>& pieces) {
                            for (const Chunk& piece : pieces) {
                              socket::send_all(receiver.descriptor(), piece.bytes());
                            }
                          })
               : take_all(receiver.reader());
  job.end();
  return bytes;
}

std::uint64_t in_memory(const Job& job) {
  const std::string message = arrow_message(job.body_bytes);
  const Release nothing{[](void*) noexcept {}, nullptr};
  Stream stream = make_stream({.max_bytes = kStreamBytesMax});
  job.begin();
  std::jthread writer([&, writer = std::move(stream.writer)]() mutable {
    for (std::size_t sent = 0; sent < job.messages; ++sent) {
      writer.add_next_chunk(Chunk::borrow(std::as_bytes(std::span(message)), nothing));
    }
    writer.finish();
  });
  const std::uint64_t bytes = take_all(stream.reader);
  job.end();
  return bytes;
}

}  // namespace

const std::map<std::string, Receiver>& receivers() {
  static const std::map<std::string, Receiver> all{
      {"Forebay", forebay(grpc::Placement::aligned)},
      {"ForebaySlices", forebay(grpc::Placement::slices)},
      {"GeneratedString", raw(parse)},
      {"FlightReadAll", raw(read_all)},
      {"ByteBuffer", raw(leave)},
      {"ClassicSocket", over_a_socket},
      {"InMemory", in_memory},
  };
  return all;
}

const std::map<std::string, Receiver>& echoes() {
  static const std::map<std::string, Receiver> all{
      {"Forebay", forebay(grpc::Placement::aligned)},
      {"GeneratedString", raw(parse)},
      {"ClassicSocket", over_a_socket},
  };
  return all;
}

}  // namespace forebay::bench
