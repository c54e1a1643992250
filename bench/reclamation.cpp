// SPDX-License-Identifier: Apache-2.0
//
// What it costs to keep memory while somebody looks at it, and what is kept:
//
//     pin_drop/threads:N     pin, read a word, drop, all on one thread; two threads have a
//                            stream each, as Forebay's readers do
//     hand_over              pinned on one thread, read and dropped on another
//     retire/unpinned        a block put in the place of another that nobody looks at
//     retire/pinned          the same with a read under a pin around it
//     other_stream/holder:*  blocks replaced while nobody, or somebody in another stream, stalls
//                            with a pin; bytes_held is what that keeps from being freed
//
// ForebayStream pins through a whole stream instead of through an EpochDomain.

#include <benchmark/benchmark.h>
#include <forebay/forebay.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "harness/pin_thread.h"
#include "peers/reclaimed_block.h"
#include "peers/urcu_schemes.h"
#include "peers/xenium_schemes.h"

namespace forebay::bench {
namespace {

/// One EpochDomain a stream.
struct Epochs {
  struct Thread {};
  template <class Weight>
  class Source {
    struct Block : Retirable, Content<Weight> {};

   public:
    Source() = default;
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    ~Source() { delete block_.load(std::memory_order_relaxed); }
    std::uint64_t read() {
      const Guard guard = domain_.pin();
      return block_.load(std::memory_order_acquire)->value;
    }
    void replace() {
      Block* const old = block_.exchange(new Block, std::memory_order_acq_rel);
      old->reclaim = [](Retirable* retired) noexcept { delete static_cast<Block*>(retired); };
      domain_.retire(old);
    }
    std::uint64_t read_and_replace() {
      const Guard guard = domain_.pin();
      const std::uint64_t value = block_.load(std::memory_order_acquire)->value;
      replace();
      return value;
    }
    struct Pinned {
      Guard guard;
      const Block* block = nullptr;
      const Block* operator->() const { return block; }
    };
    Pinned pin() { return {domain_.pin(), block_.load(std::memory_order_acquire)}; }

   private:
    EpochDomain domain_;
    std::atomic<Block*> block_{new Block};
  };
  static void settle() {}
};

/// A stream with a word to read, under the guards of its reader.
class StreamSource {
 public:
  StreamSource() {
    stream_.writer.add_next_chunk(Chunk::copy_of(std::as_bytes(std::span(&kWord, 1))));
    view_ = stream_.reader.peek(sizeof kWord);
  }
  std::uint64_t read() {
    const Guard guard = stream_.reader.pin();
    std::uint64_t value;
    std::memcpy(&value, view_.data(), sizeof value);
    return value;
  }

 private:
  static constexpr std::uint64_t kWord = 1;
  Stream stream_ = make_stream();
  ByteView view_;
};

using Clock = std::chrono::steady_clock;

// The standard library leaves out atomic operations in a process that never had a second thread.
const bool g_had_a_thread = [] {
  std::thread([] {}).join();
  return true;
}();

void report_ns(benchmark::State& state, std::int64_t items, double seconds) {
  state.counters["ns_per_item"] = benchmark::Counter(seconds * 1e9 / static_cast<double>(items),
                                                     benchmark::Counter::kAvgThreads);
}

template <class Scheme, class Source>
void pin_drop(benchmark::State& state) {
  constexpr std::int64_t kBatch = 4096;
  pin_this_thread(state.thread_index());
  [[maybe_unused]] const typename Scheme::Thread thread;
  Source source;
  std::uint64_t sum = 0;
  double seconds = 0;
  for (auto _ : state) {
    const Clock::time_point begin = Clock::now();
    for (std::int64_t i = 0; i < kBatch; ++i) sum += source.read();
    seconds += std::chrono::duration<double>(Clock::now() - begin).count();
  }
  benchmark::DoNotOptimize(sum);
  report_ns(state, state.iterations() * kBatch, seconds);
}

template <class Scheme, bool kPinned>
void retire(benchmark::State& state) {
  constexpr std::int64_t kBatch = 1024;
  pin_this_thread(0);
  [[maybe_unused]] const typename Scheme::Thread thread;
  typename Scheme::template Source<Small> source;
  std::uint64_t sum = 0;
  const Clock::time_point begin = Clock::now();
  for (auto _ : state) {
    for (std::int64_t i = 0; i < kBatch; ++i) {
      if constexpr (kPinned) {
        sum += source.read_and_replace();
      } else {
        source.replace();
      }
    }
  }
  Scheme::settle();
  report_ns(state, state.iterations() * kBatch,
            std::chrono::duration<double>(Clock::now() - begin).count());
  benchmark::DoNotOptimize(sum);
}

template <class Scheme>
void hand_over(benchmark::State& state) {
  constexpr std::int64_t kItems = 20'000;
  using Source = typename Scheme::template Source<Small>;
  using Pinned = decltype(std::declval<Source&>().pin());
  pin_this_thread(0);
  Source source;
  SpscQueue<Pinned> queue(1024);
  std::atomic<std::int64_t> wanted{0};
  std::atomic<std::int64_t> dropped{0};
  std::jthread worker([&](const std::stop_token& stop) {
    pin_this_thread(1);
    std::uint64_t sum = 0;
    Pinned pinned{};
    for (std::int64_t done = 0;;) {
      if (!queue.try_pop(pinned)) {
        if (stop.stop_requested()) break;
        detail::cpu_pause();
        continue;
      }
      sum += pinned->value;
      pinned = Pinned{};
      if (++done == wanted.load(std::memory_order_relaxed)) {
        dropped.store(done, std::memory_order_release);
      }
    }
    benchmark::DoNotOptimize(sum);
  });
  double seconds = 0;
  std::int64_t handed = 0;
  for (auto _ : state) {
    wanted.store(handed + kItems, std::memory_order_relaxed);
    const Clock::time_point begin = Clock::now();
    for (std::int64_t i = 0; i < kItems; ++i) {
      Pinned pinned = source.pin();
      while (!queue.try_push(std::move(pinned))) detail::cpu_pause();
    }
    handed += kItems;
    while (dropped.load(std::memory_order_acquire) != handed) detail::cpu_pause();
    seconds += std::chrono::duration<double>(Clock::now() - begin).count();
  }
  report_ns(state, handed, seconds);
}

/// Pins in a stream of its own on a thread of its own, and keeps the pin.
template <class Scheme>
class StalledHolder {
 public:
  StalledHolder() {
    while (!pinned_.load(std::memory_order_acquire)) std::this_thread::yield();
  }
  [[nodiscard]] std::int64_t bytes_held() const { return 0; }

 private:
  std::atomic<bool> pinned_{false};
  std::jthread thread_{[this](const std::stop_token& stop) {
    [[maybe_unused]] const typename Scheme::Thread thread;
    typename Scheme::template Source<Large<Scheme>> source;
    [[maybe_unused]] const auto pin = source.pin();
    pinned_.store(true, std::memory_order_release);
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait(lock, stop, [] { return false; });
  }};
};

/// A guard that is kept while its stream receives until it is at its bound.
template <>
class StalledHolder<Epochs> {
 public:
  static constexpr std::size_t kBoundBytes = std::size_t{4} << 20;

  StalledHolder() {
    while (true) {
      Chunk chunk = Chunk::adopt(std::vector<std::byte>(kBlockBytes));
      if (stream_.writer.try_add_next_chunk(chunk) != PushStatus::ok) break;
      (void)stream_.reader.skip(kBlockBytes);
    }
  }
  /// What is still there of a stream whose reader is through with all of it.
  [[nodiscard]] std::int64_t bytes_held() const {
    const StreamStats stats = stream_.reader.stats();
    return static_cast<std::int64_t>(stats.bytes_retained + stats.bytes_buffered);
  }

 private:
  static StreamOptions bounded() {
    StreamOptions options;
    options.max_bytes = kBoundBytes;
    return options;
  }
  Stream stream_ = make_stream(bounded());
  Guard guard_ = stream_.reader.pin();
};

template <class Scheme, bool kStalled>
void other_stream(benchmark::State& state) {
  constexpr std::int64_t kBatch = 256;
  pin_this_thread(0);
  [[maybe_unused]] const typename Scheme::Thread thread;
  const std::atomic<std::int64_t>& alive = Large<Scheme>::alive;
  Scheme::settle();
  const std::int64_t before = alive.load(std::memory_order_relaxed);
  double seconds = 0;
  std::int64_t held = 0;
  {
    std::optional<StalledHolder<Scheme>> holder;
    if (kStalled) holder.emplace();
    typename Scheme::template Source<Large<Scheme>> source;
    std::uint64_t sum = source.read_and_replace();  // The first block comes from the system.
    for (auto _ : state) {
      const Clock::time_point begin = Clock::now();
      for (std::int64_t i = 0; i < kBatch; ++i) sum += source.read_and_replace();
      seconds += std::chrono::duration<double>(Clock::now() - begin).count();
      // Without the block that is in its place.
      const std::int64_t blocks = alive.load(std::memory_order_relaxed) - before - 1;
      held = std::max(held, blocks * static_cast<std::int64_t>(kBlockBytes) +
                                (holder ? holder->bytes_held() : 0));
    }
    benchmark::DoNotOptimize(sum);
  }
  Scheme::settle();
  report_ns(state, state.iterations() * kBatch, seconds);
  state.counters["bytes_held"] = static_cast<double>(held);
}

template <class Scheme>
void add_scheme(const std::string& peer) {
  using benchmark::RegisterBenchmark;
  const auto name = [&peer](const char* what) { return peer + "/" + what; };
  RegisterBenchmark(name("pin_drop").c_str(),
                    pin_drop<Scheme, typename Scheme::template Source<Small>>)
      ->Threads(1)
      ->Threads(2)
      ->UseRealTime();
  RegisterBenchmark(name("retire/unpinned").c_str(), retire<Scheme, false>)->UseRealTime();
  RegisterBenchmark(name("retire/pinned").c_str(), retire<Scheme, true>)->UseRealTime();
  // As many blocks for every peer, since most keep them all.
  constexpr std::int64_t kBatches = 32;
  RegisterBenchmark(name("other_stream/holder:none").c_str(), other_stream<Scheme, false>)
      ->Iterations(kBatches)
      ->UseRealTime();
  RegisterBenchmark(name("other_stream/holder:stalled").c_str(), other_stream<Scheme, true>)
      ->Iterations(kBatches)
      ->UseRealTime();
}

const bool g_added = [] {
  add_scheme<Epochs>("Forebay");
  add_scheme<BareLoad>("BareLoad");
  add_scheme<XeniumEpochs>("XeniumEpochs");
  add_scheme<XeniumDebra>("XeniumDebra");
  add_scheme<XeniumHazardPointers>("XeniumHazardPointers");
  add_scheme<XeniumHazardEras>("XeniumHazardEras");
  add_scheme<UrcuMemb>("UrcuMemb");
  add_scheme<UrcuQsbr>("UrcuQsbr");
  add_scheme<UrcuBp>("UrcuBp");
  add_scheme<SharedPtr>("SharedPtr");
  add_scheme<AtomicSharedPtr>("AtomicSharedPtr");
  benchmark::RegisterBenchmark("ForebayStream/pin_drop", pin_drop<Epochs, StreamSource>)
      ->Threads(1)
      ->Threads(2)
      ->UseRealTime();
  // The other schemes cannot drop where they did not pin.
  benchmark::RegisterBenchmark("Forebay/hand_over", hand_over<Epochs>)->UseRealTime();
  benchmark::RegisterBenchmark("BareLoad/hand_over", hand_over<BareLoad>)->UseRealTime();
  benchmark::RegisterBenchmark("SharedPtr/hand_over", hand_over<SharedPtr>)->UseRealTime();
  benchmark::RegisterBenchmark("AtomicSharedPtr/hand_over", hand_over<AtomicSharedPtr>)
      ->UseRealTime();
  return true;
}();

}  // namespace
}  // namespace forebay::bench
