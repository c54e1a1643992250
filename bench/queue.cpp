// SPDX-License-Identifier: Apache-2.0

// Handing items from one thread to another: Forebay's ring against the queues that people would
// take instead, and against the floor that the cache sets.
//
//   <Peer>/throughput/bytes:B/ring:R   ns for an item, one thread pushing, the other popping
//   <Peer>/bulk:16/bytes:B/ring:R      the same, 16 items with a call, where the peer has such
//   calls <Peer>/round_trip/bytes:B/ring:R   ns for an item to go over one queue and back over
//   another;
//                                      PingPong, the floor, hands over one word whatever B is
//
// One iteration is a round of at most some 50 ms. `./dev bench queue` alternates the peers and
// compares the first quartiles of `ns_per_item`.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>

#include "harness/hand_off.h"
#include "peers/forebay_queue.h"
#include "peers/moodycamel_queues.h"
#include "peers/mutex_queue.h"
#include "peers/optional_queues.h"
#include "peers/packaged_queues.h"
#include "peers/ping_pong.h"

namespace forebay::bench {
namespace {

constexpr std::size_t kBatch = 16;
constexpr std::size_t kRoundTripRing = 1024;

void add(const std::string& peer, const std::string& what, std::size_t bytes, std::size_t ring,
         void (*run)(benchmark::State&, std::size_t)) {
  const std::string name =
      peer + "/" + what + "/bytes:" + std::to_string(bytes) + "/ring:" + std::to_string(ring);
  benchmark::RegisterBenchmark(name.c_str(), run, ring)
      ->UseManualTime()
      ->Iterations(1)
      ->Unit(benchmark::kMillisecond);
}

template <template <class> class Peer, std::size_t kBytes>
void add_size() {
  using Queue = Peer<Item<kBytes>>;
  for (const std::size_t ring : {std::size_t{256}, std::size_t{1024}, std::size_t{65536}}) {
    add(Queue::kName, "throughput", kBytes, ring, throughput<Queue, kBytes>);
    if constexpr (requires(Queue queue, Item<kBytes> * items) {
                    queue.try_push_n(items, kBatch);
                  }) {
      add(Queue::kName, "bulk:" + std::to_string(kBatch), kBytes, ring,
          bulk<Queue, kBytes, kBatch>);
    }
  }
  add(Queue::kName, "round_trip", kBytes, kRoundTripRing, round_trip<Queue, kBytes>);
}

template <template <class> class Peer>
void add_peer() {
  add_size<Peer, 8>();
  add_size<Peer, 32>();
  add_size<Peer, 64>();
}

[[maybe_unused]] const bool kAdded = [] {
  add_peer<peers::ForebayQueue>();
  add_peer<peers::MoodycamelReaderWriterQueue>();
  add_peer<peers::MoodycamelBlockingReaderWriterQueue>();
  add_peer<peers::MoodycamelBlockingReaderWriterCircularBuffer>();
  add_peer<peers::MoodycamelConcurrentQueue>();
  add_peer<peers::BoostSpscQueue>();
  add_peer<peers::AtomicQueue>();
  add_size<peers::AtomicQueueReservedValue, 8>();
  add_peer<peers::TbbConcurrentBoundedQueue>();
  add_peer<peers::MutexQueue>();
#ifdef FOREBAY_BENCH_HAS_RIGTORP
  add_peer<peers::RigtorpSpscQueue>();
#endif
#ifdef FOREBAY_BENCH_HAS_DROGALIS
  add_peer<peers::DrogalisSpscQueue>();
#endif
  for (const std::size_t bytes : {std::size_t{8}, std::size_t{32}, std::size_t{64}}) {
    using Floor = peers::PingPong<Item<8>>;
    add(Floor::kName, "round_trip", bytes, kRoundTripRing, round_trip<Floor, 8>);
  }
  return true;
}();

}  // namespace
}  // namespace forebay::bench
