// SPDX-License-Identifier: Apache-2.0

// Waiting: what it costs to be able to block, and how soon who blocked is awake.
//
//   <Peer>/able_to_block/bytes:32/ring:1024   ns for an item, one thread pushing as fast as it can
//   to
//                                             one that pops and may sleep; ForebaySpinning may not
//   <Peer>/wake/gap_us:G                      ns from the signal to the waiter's next step, when it
//                                             has waited for so long
//   <Peer>/burst/items:16                     ns for a signal of 16 to a thread that slept
//   <Peer>/idle/ms:40                         ns of CPU burnt in 40 ms of waiting; `cpu_share` of
//   it
//
// One iteration is a round of at most some 50 ms. `./dev bench waiting` alternates the peers.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "harness/hand_off.h"
#include "harness/wake.h"
#include "peers/blocking_queues.h"
#include "peers/moodycamel_queues.h"
#include "peers/mutex_queue.h"
#include "peers/signals.h"

namespace forebay::bench {
namespace {

constexpr std::size_t kBytes = 32;
constexpr std::size_t kRing = 1024;

template <class... Arguments>
void add(const std::string& peer, const std::string& what, Arguments... arguments) {
  benchmark::RegisterBenchmark((peer + "/" + what).c_str(), arguments...)
      ->UseManualTime()
      ->Iterations(1)
      ->Unit(benchmark::kMicrosecond);
}

template <template <class> class Peer>
void add_queue() {
  using Queue = Peer<Item<kBytes>>;
  add(Queue::kName,
      "able_to_block/bytes:" + std::to_string(kBytes) + "/ring:" + std::to_string(kRing),
      throughput<Queue, kBytes>, kRing);
}

template <class Signal>
void add_signal() {
  for (const int gap_us : {5, 20, 200}) {
    add(Signal::kName, "wake/gap_us:" + std::to_string(gap_us), wake<Signal>,
        std::chrono::microseconds(gap_us));
  }
  add(Signal::kName, "burst/items:16", burst<Signal>);
  add(Signal::kName, "idle/ms:40", idle<Signal>);
}

[[maybe_unused]] const bool kAdded = [] {
  add_queue<peers::ForebayBlocking>();
  add_queue<peers::ForebaySpinning>();
  add_queue<peers::FenceBlocking>();
  add_queue<peers::ReadModifyWriteBlocking>();
  add_queue<peers::MoodycamelBlockingReaderWriterQueue>();
  add_queue<peers::MoodycamelBlockingReaderWriterCircularBuffer>();
  add_queue<peers::MutexQueue>();

  add_signal<peers::ForebaySignal>();
  add_signal<peers::RawFutexSignal>();
  add_signal<peers::StdAtomicSignal>();
  add_signal<peers::ConditionVariableSignal>();
  add_signal<peers::EventfdSignal>();
  add_signal<peers::FenceSignal>();
  add_signal<peers::ReadModifyWriteSignal>();
  using Word = std::uint32_t;
  add_signal<peers::QueueSignal<peers::MoodycamelBlockingReaderWriterQueue<Word>>>();
  add_signal<peers::QueueSignal<peers::MoodycamelBlockingReaderWriterCircularBuffer<Word>>>();
  return true;
}();

}  // namespace
}  // namespace forebay::bench
