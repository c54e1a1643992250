// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "forebay/epoch.h"
#include "forebay/event_count.h"

namespace forebay {

class ChunkPool;

/// Limits of one stream. Each is checked when the stream is made: std::invalid_argument for zero.
struct StreamOptions {
  /// Bytes of memory that may be buffered or retained. Capacity counts, not only payload. A chunk
  /// larger than this is admitted alone, when nothing else is buffered or retained.
  std::size_t max_bytes = std::size_t{64} << 20;
  /// Where receivers take blocks from; none: a pool of the stream's own. Callers' chunks do not
  /// need one.
  std::shared_ptr<ChunkPool> pool = nullptr;
  /// Slices that may be buffered; the ring may take up to a quarter more.
  std::size_t max_items = 4096;
  /// Bytes that one read, peek or read_all may gather into contiguous memory.
  std::size_t gather_bytes_max = std::size_t{64} << 20;
  /// Guards that may live at once for one epoch; see EpochDomain.
  std::size_t guards_max = EpochDomain::kGuardsMaxDefault;
  /// How long a reader waits that is alone to blame for the writer's lack of memory: it waits for
  /// bytes, and guards or shares hold everything. Any drop restarts the clock. Zero: fail at once,
  /// which is right when one thread writes and reads.
  std::chrono::nanoseconds retention_grace = std::chrono::seconds(5);
  /// Longest time to spin before a wait parks; the window adapts below it. Zero: never spin.
  std::chrono::nanoseconds spin_max = std::chrono::nanoseconds(EventCount::kSpinNsMaxDefault);
};

/// What a stream says of itself: see StreamReader::stats(). Counters have one writer each
/// and may lag behind by what one call or one run of bytes changes.
struct StreamStats {
  std::uint64_t bytes_in = 0;        ///< payload bytes published by the writer
  std::uint64_t slices_in = 0;       ///< slices published
  std::uint64_t bytes_out = 0;       ///< payload bytes consumed by the reader
  std::uint64_t bytes_copied = 0;    ///< of these, bytes copied by gathering or read_into
  std::uint64_t gathers = 0;         ///< reads that did not lie in one run and were gathered
  std::uint64_t bytes_buffered = 0;  ///< charged for what the reader has not consumed yet
  std::uint64_t bytes_retained = 0;  ///< charged for what guards and bounded shares hold
  std::uint64_t bytes_detached = 0;  ///< held by detached shares alone, outside the bound
  std::uint64_t bytes_peak = 0;      ///< the most that was buffered and retained at once
  std::uint64_t shares = 0;          ///< SharedBytes alive
  std::uint64_t bound_hits = 0;      ///< times the writer found no room
  WaitStats reader;                  ///< the reader's waits for bytes
  WaitStats writer;                  ///< the writer's waits for room
};

}  // namespace forebay
