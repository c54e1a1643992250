// SPDX-License-Identifier: Apache-2.0
#include "tpch/receive.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>

#include "tpch/feed.h"
#include "tpch/grpc_worker.h"
#include "tpch/measure.h"
#include "tpch/pipeline.h"
#include "tpch/sample.h"
#include "tpch/trace.h"

namespace tpch {
namespace {

using forebay::grpc::Placement;
using forebay::socket::connect_unix;
using forebay::socket::ReceiveMode;

// Enough for every scale factor that a page cache can hold.
constexpr std::size_t kReservedBytes = std::size_t{64} << 30;

struct Outcome {
  std::optional<Answer> answer;
  FeedFigures figures;
  double receive_s = 0;  // of the modes that first receive everything
};

PipelineOptions pipeline(const ReceiveOptions& options, bool query = true) {
  return {query ? options.work : 0, options.workers};
}

Outcome drain(std::unique_ptr<Feed> feed, const PipelineOptions& options) {
  Outcome outcome;
  outcome.answer = run_query(*feed, options);
  outcome.figures = feed->figures();
  return outcome;
}

Outcome receive_alone(const ReceiveOptions& options) {
  const Descriptor socket = connect_unix(options.socket);
  const Reserved buffer(options.recv_bytes);
  Outcome outcome;
  Progress progress;
  while (const std::size_t got = receive_some(socket, buffer.bytes())) {
    outcome.figures.bytes += got;
    progress.at(outcome.figures.bytes);
  }
  return outcome;
}

Outcome sequential(const ReceiveOptions& options) {
  const double begin_s = now_s();
  const Descriptor socket = connect_unix(options.socket);
  const Reserved memory(kReservedBytes);
  std::size_t used = 0;
  Progress progress;
  while (const std::size_t got = receive_some(
             socket, memory.bytes().subspan(
                         used, std::min(options.recv_bytes, memory.bytes().size() - used)))) {
    used += got;
    progress.at(used);
  }
  const double receive_s = now_s() - begin_s;
  Outcome outcome = drain(make_memory_feed(memory.bytes().first(used)), pipeline(options));
  outcome.receive_s = receive_s;
  return outcome;
}

// Does a small job from memory, so that what is used for the first time, the binding of symbols and
// the start of oneTBB and Arrow, is not taken for the price of a gigabyte.
void warm_up(const PipelineOptions& options) {
  const std::shared_ptr<arrow::Buffer> stream = stream_of(*batch_of({Row{}}));
  const std::span bytes(reinterpret_cast<const std::byte*>(stream->data()),
                        static_cast<std::size_t>(stream->size()));
  (void)run_query(*make_memory_feed(bytes), options);
}

// A job is made ready, its libraries and files are loaded, and then it is timed.
using Job = std::function<Outcome()>;
using MakeJob = std::function<Job(const ReceiveOptions&)>;

MakeJob overlapped(ReceiveMode mode, bool query) {
  return [=](const ReceiveOptions& options) -> Job {
    return [=, &options] {
      forebay::socket::ReceiverOptions receiver;
      receiver.mode = mode;
      receiver.stream.max_bytes = options.budget_bytes;
      return drain(make_forebay_feed(connect_unix(options.socket), receiver),
                   pipeline(options, query));
    };
  };
}

// In place of a socket that is received from: a worker, made ready up to where the engine may send.
std::shared_ptr<GrpcWorker> opened_worker(const ReceiveOptions& options, Placement placement) {
  forebay::grpc::ServerOptions server;
  server.placement = placement;
  server.input_bytes_max = options.budget_bytes;
  const auto worker = std::make_shared<GrpcWorker>(options.socket, server);
  worker->await_session();
  return worker;
}

Outcome receive_grpc_alone(GrpcWorker& worker) {
  worker.begin();
  Outcome outcome;
  Progress progress;
  while (const std::size_t got = worker.input().read_some(SIZE_MAX).size()) {
    outcome.figures.bytes += got;
    progress.at(outcome.figures.bytes);
  }
  worker.end();
  return outcome;
}

MakeJob over_grpc(Placement placement) {
  return [=](const ReceiveOptions& options) -> Job {
    return [=, &options, worker = opened_worker(options, placement)] {
      return drain(make_grpc_feed(*worker), pipeline(options));
    };
  };
}

Job grpc_alone(const ReceiveOptions& options) {
  return
      [worker = opened_worker(options, Placement::aligned)] { return receive_grpc_alone(*worker); };
}

Job decode(const ReceiveOptions& options) {
  const auto file = std::make_shared<MappedFile>(options.file);
  return [=, &options] { return drain(make_memory_feed(file->bytes()), pipeline(options)); };
}

const std::map<std::string, MakeJob>& jobs() {
  static const std::map<std::string, MakeJob> jobs{
      {"receive", [](auto& options) { return [&] { return receive_alone(options); }; }},
      {"decode", decode},
      {"sequential", [](auto& options) { return [&] { return sequential(options); }; }},
      {"inline", overlapped(ReceiveMode::inline_, true)},
      {"threaded", overlapped(ReceiveMode::threaded, true)},
      {"automatic", overlapped(ReceiveMode::automatic, true)},
      {"inline-decode", overlapped(ReceiveMode::inline_, false)},
      {"threaded-decode", overlapped(ReceiveMode::threaded, false)},
      {"automatic-decode", overlapped(ReceiveMode::automatic, false)},
      {"grpc-receive", grpc_alone},
      {"grpc", over_grpc(Placement::aligned)},
      {"grpc-slices", over_grpc(Placement::slices)},
      {"mutex", [](auto& options) {
         return [&] {
           return drain(make_mutex_feed(connect_unix(options.socket)), pipeline(options));
         };
       }}};
  return jobs;
}

void write(const std::string& file, const std::string& text) {
  std::ofstream out(file);
  out << text << '\n';
  out.close();
  if (!out) throw std::system_error(errno, std::generic_category(), file);
}

void add(JsonLine& line, const std::string& side, const forebay::WaitStats& stats) {
  line.add(side + "_waits", stats.waits)
      .add(side + "_parks", stats.parks)
      .add(side + "_waited_s", static_cast<double>(stats.waited_ns) * 1e-9);
}

void add(JsonLine& line, const FeedFigures& figures) {
  line.add("bytes", figures.bytes)
      .add("payload_bytes_copied", figures.payload_bytes_copied)
      .add("other_bytes_copied", figures.other_bytes_copied);
  add(line, "reader", figures.reader);
  add(line, "writer", figures.writer);
  line.add("stream_bytes_peak", figures.stream_bytes_peak)
      .add("system_calls", figures.system_calls)
      .add("bodies_straight", figures.bodies_straight)
      .add("lends", figures.lends);
}

}  // namespace

const std::vector<std::string>& modes() {
  static const std::vector<std::string> modes = [] {
    std::vector<std::string> names;
    for (const auto& [name, job] : jobs()) names.push_back(name);
    return names;
  }();
  return modes;
}

void receive(const ReceiveOptions& options) {
  const Job job = jobs().at(options.mode)(options);
  warm_up(pipeline(options));
  if (!options.trace.empty()) start_trace();
  const Memory loaded = Memory::now();
  const CpuTime cpu = CpuTime::now();
  const double begin_s = now_s();
  const Outcome outcome = job();
  const double seconds = now_s() - begin_s;
  const CpuTime cpu_end = CpuTime::now();
  const Memory end = Memory::now();

  JsonLine line;
  line.add("mode", options.mode).add("seconds", seconds).add("receive_s", outcome.receive_s);
  line.add("cpu_user_s", cpu_end.user_s - cpu.user_s);
  line.add("cpu_system_s", cpu_end.system_s - cpu.system_s);
  line.add("loaded_bytes", loaded.resident_bytes).add("peak_bytes", end.peak_bytes);
  line.add("workers", static_cast<unsigned>(options.workers)).add("work", options.work);
  if (outcome.answer) {
    line.add("rows", outcome.answer->rows).add("batches", outcome.answer->batches);
    line.add("revenue", to_string(outcome.answer->revenue));
  }
  add(line, outcome.figures);
  if (options.json.empty()) {
    line.print();
  } else {
    write(options.json, line.text());
  }
  if (!options.trace.empty()) write_trace(options.trace);
}

}  // namespace tpch
