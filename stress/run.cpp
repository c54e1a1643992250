// SPDX-License-Identifier: Apache-2.0
#include <exception>
#include <thread>

#include "scenario.h"

namespace forebay::stress {

namespace {

std::string state_of(const StreamStats& stats) {
  const auto waits = [](const WaitStats& of) {
    return std::to_string(of.waits) + " waits, " + std::to_string(of.parks) + " parks";
  };
  return "bytes in " + std::to_string(stats.bytes_in) + ", out " + std::to_string(stats.bytes_out) +
         ", buffered " + std::to_string(stats.bytes_buffered) + ", retained " +
         std::to_string(stats.bytes_retained) + ", detached " +
         std::to_string(stats.bytes_detached) + ", peak " + std::to_string(stats.bytes_peak) +
         ", shares " + std::to_string(stats.shares) + ", bound hits " +
         std::to_string(stats.bound_hits) + "; reader: " + waits(stats.reader) +
         "; writer: " + waits(stats.writer);
}

}  // namespace

void Run::on_threads(int count, const std::function<void(int)>& body) {
  std::mutex mutex;
  std::exception_ptr first;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      try {
        body(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (first == nullptr) first = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (first != nullptr) std::rethrow_exception(first);
}

Run::Watched::Watched(Run& run, std::function<std::string()> state) : run_(run) {
  const std::lock_guard lock(run.watched_mutex_);
  at_ = run.watched_.insert(run.watched_.end(), std::move(state));
}
Run::Watched::Watched(Run& run, const StreamReader& reader)
    : Watched(run, [&reader] { return state_of(reader.stats()); }) {}
Run::Watched::~Watched() {
  const std::lock_guard lock(run_.watched_mutex_);
  run_.watched_.erase(at_);
}

std::vector<std::string> Run::states() {
  const std::lock_guard lock(watched_mutex_);
  std::vector<std::string> states;
  for (const auto& state : watched_) states.push_back(state());
  return states;
}

Chunk make_chunk(Run& run, std::uint64_t stream, std::uint64_t position, std::size_t size) {
  auto memory = std::make_unique<std::vector<std::byte>>(size);
  fill(*memory, stream, position);
  const std::span<const std::byte> bytes(*memory);
  run.chunks_alive.fetch_add(1, std::memory_order_relaxed);
  return Chunk::borrow(bytes, [memory = std::move(memory), &run]() noexcept {
    memory->assign(memory->size(), std::byte{0xDD});
    run.chunks_alive.fetch_sub(1, std::memory_order_relaxed);
  });
}

}  // namespace forebay::stress
