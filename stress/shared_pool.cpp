// SPDX-License-Identifier: Apache-2.0

// Many streams that take their blocks from one pool, which holds little more than what they have
// reserved: each has to come to its end, and a block that went from one stream to another must not
// show the bytes of the first.

#include <memory>
#include <optional>
#include <thread>

#include "scenario.h"

namespace forebay::stress {

namespace {

constexpr std::size_t kBlockBytes = 4096;
constexpr std::size_t kLargeBytes = 4 * kBlockBytes;
// A stream is sure of the block that is read, of that of a share that the reader keeps, and of the
// next one, whatever their size: it needs no other to go on.
const std::size_t kReservedBytes = 3 * PoolLease::charge_for(kLargeBytes);

// Receives into blocks of the pool as a socket would, and publishes them.
void write(StreamWriter& writer, PoolLease& lease, Random random, std::uint64_t stream,
           std::uint64_t total) {
  for (std::uint64_t at = 0; at < total;) {
    const std::size_t most = pick(random, 8) == 0 ? kLargeBytes : kBlockBytes;
    // At least half a block, so that what a read needs lies in two of them.
    const std::size_t size = std::min<std::uint64_t>(
        kBlockBytes / 2 + pick(random, most - kBlockBytes / 2 + 1), total - at);
    std::optional<PoolBlock> block = lease.acquire(size, true);
    require(block.has_value(), "the wait for a block ended without one");
    fill(std::span(block->data(), size), stream, at);
    writer.add_next_chunk(std::move(*block).to_chunk(size));
    at += size;
  }
}

void one_stream(Run& run, const ChunkPool& pool, PoolLease& lease, Random& random) {
  StreamOptions options;
  options.max_bytes = kReservedBytes << pick(random, 3);
  if (pick(random, 2) == 0) options.spin_max = std::chrono::nanoseconds(0);
  const std::uint64_t stream = random();
  const std::uint64_t total = pick(random, 1 << 18);
  auto [writer, reader] = make_stream(options);
  const Run::Watched watched(run, reader);
  std::jthread writing([&, &own = writer, seed = random()] {
    write_with(std::move(own),
               [&](StreamWriter& to) { write(to, lease, Random(seed), stream, total); });
  });
  struct Held {
    SharedBytes bytes;
    std::uint64_t at;
  };
  std::optional<Held> held;
  const auto drop_held = [&] {
    if (held) require_bytes(held->bytes, stream, held->at);
    held.reset();
  };
  try {
    for (std::uint64_t at = 0; at < total; run.checked()) {
      const std::size_t n = std::min<std::uint64_t>(1 + pick(random, kBlockBytes / 2), total - at);
      const ByteView view = pick(random, 4) == 0 ? reader.read(n) : reader.read_some(n);
      require_bytes(view, stream, at);
      if (pick(random, 8) == 0) {
        drop_held();
        const auto retention = pick(random, 2) == 0 ? Retention::bounded : Retention::detached;
        held = Held{reader.share(view, retention), at};
      }
      at += view.size();
    }
    require(reader.at_end(), "there is more than was sent");
    require(pool.allocated_bytes() <= pool.options().budget_bytes,
            "the pool took more than its budget");
    // What a read gathered and a share keeps counts, and cannot be waited for.
    require(reader.stats().bytes_peak <= options.max_bytes + 2 * kBlockBytes,
            "more memory was used than the bound");
  } catch (...) {
    reader.cancel();  // The writer must not wait for a reader that gave up.
    throw;
  }
  drop_held();
}

}  // namespace

void many_streams(Run& run) {
  const int streams = 4 * run.threads();
  PoolOptions limits;
  limits.block_bytes = kBlockBytes;
  limits.large_block_bytes = kLargeBytes;
  // What is reserved, and beyond it two large blocks for all.
  limits.budget_bytes =
      static_cast<std::size_t>(streams) * kReservedBytes + 2 * PoolLease::charge_for(kLargeBytes);
  const ChunkPool pool(limits);
  const Run::Watched watched(run, [&pool] {
    return "pool: available " + std::to_string(pool.available_bytes()) + ", allocated " +
           std::to_string(pool.allocated_bytes()) + " of " +
           std::to_string(pool.options().budget_bytes);
  });
  // A stream keeps its reserve; one that begins while others use the rest may find none.
  std::vector<std::unique_ptr<PoolLease>> leases;
  for (int i = 0; i < streams; ++i) {
    leases.push_back(std::make_unique<PoolLease>(pool, kReservedBytes));
  }
  run.on_threads(streams, [&](int thread) {
    const auto own = static_cast<std::size_t>(thread);
    Random random = run.random(own);
    while (!run.expired()) one_stream(run, pool, *leases[own], random);
  });
  leases.clear();
  require(pool.available_bytes() == limits.budget_bytes, "a block did not come back to its pool");
}

}  // namespace forebay::stress
