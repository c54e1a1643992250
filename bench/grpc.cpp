// SPDX-License-Identifier: Apache-2.0

// Spark's gRPC channel: batches from an engine in another process, over a Unix socket.
//
//   <Peer>/receive/body:N      batches with a body of N bytes, received and let go
//   <Peer>/round_trip/body:N   one at a time, sent back, until it is there again
//
// The peers are in grpc/receivers.h. The sender is the same for all that speak gRPC, as are the
// server's window and frames. A call's set-up is not timed. `cpu_s_per_gb` is the receiving
// process's alone; InMemory has no sender of its own, and pays for both ends.

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "grpc/receivers.h"
#include "grpc/sender.h"
#include "tpch/measure.h"

namespace forebay::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBodyBytes[] = {4 << 10, 64 << 10, 1 << 20, 4 << 20, 16 << 20};
constexpr std::size_t kBytesInAll = std::size_t{128} << 20;
constexpr std::size_t kMessagesMax = 4096;
constexpr std::size_t kMessagesMin = 8;
constexpr std::size_t kSmallBodyBytes[] = {64, 4 << 10, 64 << 10};
constexpr std::size_t kRoundTrips = 1000;

std::string new_path() {
  static int count = 0;
  return (std::filesystem::temp_directory_path() /
          ("forebay-bench-" + std::to_string(::getpid()) + "-" + std::to_string(count++)))
      .string();
}

void run(benchmark::State& state, const std::string& peer, std::size_t body_bytes, bool echo) {
  const Engine& engine = Engine::get();
  const Channel channel = peer == "ClassicSocket" ? Channel::classic : Channel::grpc;
  for (auto _ : state) {
    // A folder of our own: the classic listener asks for one that nobody else writes.
    const std::string folder = new_path();
    std::filesystem::create_directory(folder);
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all);
    Clock::time_point began;
    Clock::time_point ended;
    tpch::CpuTime cpu;
    tpch::CpuTime cpu_end;
    Job job;
    job.path = folder + "/s";
    job.body_bytes = body_bytes;
    job.echo = echo;
    job.messages =
        echo ? kRoundTrips : std::clamp(kBytesInAll / body_bytes, kMessagesMin, kMessagesMax);
    job.ask = [&] { engine.ask(job.path, channel, body_bytes, job.messages, echo); };
    job.begin = [&] {
      cpu = tpch::CpuTime::now();
      began = Clock::now();
    };
    job.end = [&] {
      ended = Clock::now();
      cpu_end = tpch::CpuTime::now();
    };
    const std::uint64_t bytes = (echo ? echoes() : receivers()).at(peer)(job);
    std::filesystem::remove_all(folder);
    if (bytes < body_bytes * job.messages) {
      state.SkipWithError(("only " + std::to_string(bytes) + " bytes came").c_str());
      break;
    }
    const double seconds = std::chrono::duration<double>(ended - began).count();
    if (echo) {
      state.SetIterationTime(seconds / static_cast<double>(job.messages));
      continue;
    }
    const double gb = static_cast<double>(body_bytes * job.messages) * 1e-9;
    state.SetIterationTime(seconds);
    state.counters["bytes_per_second"] = gb * 1e9 / seconds;
    state.counters["cpu_s_per_gb"] =
        (cpu_end.user_s + cpu_end.system_s - cpu.user_s - cpu.system_s) / gb;
  }
}

void add(const std::string& peer, const std::string& what, std::size_t body_bytes, bool echo) {
  benchmark::RegisterBenchmark((peer + "/" + what + "/body:" + std::to_string(body_bytes)).c_str(),
                               [=](benchmark::State& state) { run(state, peer, body_bytes, echo); })
      ->UseManualTime()
      ->Iterations(1)
      ->Unit(echo ? benchmark::kMicrosecond : benchmark::kMillisecond);
}

[[maybe_unused]] const bool kAdded = [] {
  for (const std::size_t body_bytes : kBodyBytes) {
    for (const auto& [name, receiver] : receivers()) add(name, "receive", body_bytes, false);
  }
  for (const std::size_t body_bytes : kSmallBodyBytes) {
    for (const auto& [name, receiver] : echoes()) add(name, "round_trip", body_bytes, true);
  }
  return true;
}();

}  // namespace
}  // namespace forebay::bench
