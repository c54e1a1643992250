// SPDX-License-Identifier: Apache-2.0

// From one process to another: an Arrow stream, received, decoded and worked on.
//
//   <Peer>/<wire>/<speed>/<work>/streams:N
//   <Peer>/memory/<wire>/...               the same, for `memory_mib` alone
//
//   wire     unix or tcp (loopback)
//   speed    full: as fast as the sender can; paced: 0.8 GB/s in all
//   work     light: each value is summed; heavy: as long as the paced wire takes, on one core
//   streams  so many at once, each with a thread of its own that reads it, and all of Forebay's on
//            one pool of 64 MiB, which lives longer than the streams, as a server's does; what is
//            sent in all is the same, and a stream's set-up is not timed
//
//   Forebay, ForebayInline, ForebayThreaded   the receive modes; the first is automatic
//   OneThread           each body received straight into the same aligned memory and decoded there:
//                       the best that can be done without a second thread
//   ArrowReader         Arrow's stream reader over the descriptor
//   MutexPortOfSpark    a receiving thread, a mutex around a queue of chunks, Arrow's reader
//
// Threads are left to the scheduler, as a program's would be. `cpu_s_per_gb` is the receiving
// process's alone. `memory_mib` is how far resident memory grew, at its peak, from when all that
// could be given back had been; the pool is a new one there.

#include <arrow/array/array_primitive.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <fstream>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "end_to_end/arrow_feeds.h"
#include "end_to_end/sender.h"
#include "forebay/chunk_pool.h"
#include "tpch/feed.h"
#include "tpch/measure.h"

namespace forebay::bench {
namespace {

using Clock = std::chrono::steady_clock;
using socket::ReceiveMode;

constexpr std::size_t kPoolBytes = std::size_t{64} << 20;
constexpr std::size_t kStreamBytesMax = std::size_t{32} << 20;
constexpr double kPaceGbPerS = 0.8;
// Together, of all streams of a case. Heavy work is slow, and need not be repeated as often.
constexpr std::uint64_t kBatchesLight = (std::uint64_t{256} << 20) / Sender::kBatchBytes;
constexpr std::uint64_t kBatchesHeavy = (std::uint64_t{96} << 20) / Sender::kBatchBytes;
// Passes that take one core about as long as a paced wire.
constexpr int kPassesHeavy = 9;

struct Case {
  Wire wire;
  bool paced;
  bool heavy;
  int streams;
  bool memory = false;

  [[nodiscard]] std::string name() const {
    return std::string(memory ? "memory/" : "") + (wire == Wire::tcp ? "tcp" : "unix") +
           (paced ? "/paced" : "/full") + (heavy ? "/heavy" : "/light") +
           "/streams:" + std::to_string(streams);
  }
  [[nodiscard]] std::uint64_t batches() const {
    return (heavy ? kBatchesHeavy : kBatchesLight) / static_cast<std::uint64_t>(streams);
  }
};

constexpr Case kCases[] = {
    {Wire::unix_socket, false, false, 1},  {Wire::unix_socket, false, false, 8},
    {Wire::unix_socket, false, false, 64}, {Wire::unix_socket, false, false, 64, true},
    {Wire::unix_socket, false, true, 1},   {Wire::unix_socket, false, true, 64},
    {Wire::unix_socket, true, true, 1},    {Wire::unix_socket, true, true, 8},
    {Wire::tcp, false, false, 1},          {Wire::tcp, false, false, 64},
    {Wire::tcp, false, true, 1},           {Wire::tcp, true, true, 1},
};

// How a peer makes the feed of one stream.
using MakeFeed = std::function<std::unique_ptr<tpch::Feed>(socket::Descriptor)>;

std::shared_ptr<ChunkPool> make_pool() {
  PoolOptions limits;
  limits.budget_bytes = kPoolBytes;
  return std::make_shared<ChunkPool>(limits);
}

MakeFeed forebay_feeds(ReceiveMode mode, bool new_pool) {
  static const std::shared_ptr<ChunkPool> pool = make_pool();
  socket::ReceiverOptions options;
  options.mode = mode;
  options.stream.max_bytes = kStreamBytesMax;
  options.stream.pool = new_pool ? make_pool() : pool;
  return [options](socket::Descriptor socket) {
    return tpch::make_forebay_feed(std::move(socket), options);
  };
}

// What is asked of a batch. Heavy work is a chain that no vector unit can shorten.
std::uint64_t work_on(const arrow::RecordBatch& batch, bool heavy) {
  std::uint64_t result = 0;
  for (int column = 0; column < batch.num_columns(); ++column) {
    const std::int64_t* const values =
        static_cast<const arrow::Int64Array&>(*batch.column(column)).raw_values();
    if (!heavy) {
      for (std::int64_t row = 0; row < batch.num_rows(); ++row) {
        result += static_cast<std::uint64_t>(values[row]);
      }
      continue;
    }
    for (int pass = 0; pass < kPassesHeavy; ++pass) {
      for (std::int64_t row = 0; row < batch.num_rows(); ++row) {
        result = (result ^ static_cast<std::uint64_t>(values[row])) * 0x9e3779b97f4a7c15;
      }
    }
  }
  return result;
}

// Takes all batches of one stream. Returns whether each of them was whole.
bool drain(tpch::Feed& feed, const Case& one, std::uint64_t expected) {
  std::uint64_t batches = 0;
  bool correct = true;
  for (;;) {
    tpch::Batch batch;  // Gone before the next is asked for: it would hold its memory meanwhile.
    if (!feed.next(batch)) break;
    correct = correct && work_on(*batch.records, one.heavy) == expected;
    ++batches;
  }
  return correct && batches == one.batches();
}

// One reader of one stream, on a thread of its own.
class Reader {
 public:
  Reader(const Case& one, const MakeFeed& make, std::uint64_t expected, std::latch& ready,
         std::latch& start)
      : thread_([this, &one, &make, expected, &ready, &start] {
          socket::Descriptor connection = Sender::get().connect(one.wire);
          const socket::Descriptor to_ask(::dup(connection.get()));
          const std::unique_ptr<tpch::Feed> feed = make(std::move(connection));
          ready.count_down();
          start.wait();
          try {
            Sender::ask(to_ask, {one.batches(), one.paced ? kPaceGbPerS / one.streams : 0});
            correct_ = drain(*feed, one, expected);
          } catch (const std::exception& error) {
            error_ = error.what();
          }
        }) {}

  /// Waits for its end. Empty, or what went wrong.
  [[nodiscard]] std::string join() {
    thread_.join();
    if (error_.empty() && !correct_) error_ = "a batch is missing or was changed";
    return error_;
  }

 private:
  bool correct_ = false;
  std::string error_;
  std::thread thread_;
};

// From here on the peak of resident memory is that of what follows.
void forget_peak() {
  arrow::default_memory_pool()->ReleaseUnused();
  ::malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
}

using Peer = std::function<MakeFeed(const Case&)>;

void run(benchmark::State& state, const Case& one, const Peer& peer) {
  const std::uint64_t expected = work_on(Sender::get().batch(), one.heavy);
  const auto streams = static_cast<std::size_t>(one.streams);
  const double gb = static_cast<double>(one.batches() * Sender::kBatchBytes) *
                    static_cast<double>(streams) * 1e-9;
  for (auto _ : state) {
    if (one.memory) forget_peak();
    const tpch::Memory before = tpch::Memory::now();
    const MakeFeed make = peer(one);
    std::latch ready(one.streams);
    std::latch start(1);
    std::vector<std::unique_ptr<Reader>> readers;
    for (std::size_t i = 0; i < streams; ++i) {
      readers.push_back(std::make_unique<Reader>(one, make, expected, ready, start));
    }
    ready.wait();
    const tpch::CpuTime cpu = tpch::CpuTime::now();
    const Clock::time_point began = Clock::now();
    start.count_down();
    std::string error;
    for (const auto& reader : readers) {
      if (std::string wrong = reader->join(); !wrong.empty()) error = std::move(wrong);
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
    const tpch::CpuTime cpu_end = tpch::CpuTime::now();
    if (!error.empty()) state.SkipWithError(error.c_str());
    state.SetIterationTime(seconds);
    if (one.memory) {
      state.counters["memory_mib"] = (static_cast<double>(tpch::Memory::now().peak_bytes) -
                                      static_cast<double>(before.resident_bytes)) /
                                     0x1p20;
      continue;
    }
    state.counters["bytes_per_second"] = gb * 1e9 / seconds;
    state.counters["cpu_s_per_gb"] =
        (cpu_end.user_s + cpu_end.system_s - cpu.user_s - cpu.system_s) / gb;
  }
}

[[maybe_unused]] const bool kAdded = [] {
  const auto forebay = [](ReceiveMode mode) -> Peer {
    return [mode](const Case& one) { return forebay_feeds(mode, one.memory); };
  };
  const std::pair<const char*, Peer> peers[] = {
      {"Forebay", forebay(ReceiveMode::automatic)},
      {"ForebayInline", forebay(ReceiveMode::inline_)},
      {"ForebayThreaded", forebay(ReceiveMode::threaded)},
      {"OneThread", [](const Case&) { return MakeFeed(make_one_thread_feed); }},
      {"ArrowReader", [](const Case&) { return MakeFeed(make_arrow_feed); }},
      {"MutexPortOfSpark", [](const Case&) { return MakeFeed(tpch::make_mutex_feed); }},
  };
  for (const Case& one : kCases) {
    for (const auto& [name, peer] : peers) {
      benchmark::RegisterBenchmark((std::string(name) + "/" + one.name()).c_str(),
                                   [&one, peer](benchmark::State& state) { run(state, one, peer); })
          ->UseManualTime()
          ->Iterations(1)
          ->Unit(benchmark::kMillisecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace forebay::bench
