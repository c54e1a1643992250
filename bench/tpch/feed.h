// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where record batches come from. The job is the same for every feed; only the feeds differ.

#include <arrow/record_batch.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "forebay/epoch.h"
#include "tpch/wire.h"

namespace tpch {

/// What one task works on.
struct Batch {
  std::shared_ptr<arrow::RecordBatch> records;
  forebay::Guard guard;  ///< none where the feed has no epochs
};

/// What a feed says of itself when it has run dry.
struct FeedFigures {
  std::uint64_t bytes = 0;         ///< received
  std::uint64_t bytes_copied = 0;  ///< of these, copied again after they were received
  std::uint64_t reader_waits = 0;  ///< times the reader found nothing
  std::uint64_t reader_parks = 0;  ///< of these, times it slept
  std::uint64_t writer_waits = 0;
  std::uint64_t writer_parks = 0;
  std::uint64_t stream_bytes_peak = 0;  ///< most that was buffered and retained at once
  std::string note;
};

/// One call at a time, each from any thread.
class Feed {
 public:
  Feed() = default;
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;
  virtual ~Feed() = default;

  [[nodiscard]] virtual std::shared_ptr<arrow::Schema> schema() = 0;
  /// False at the end. Throws what the stream or the decoder has to say.
  [[nodiscard]] virtual bool next(Batch& batch) = 0;
  /// Bytes taken out so far.
  [[nodiscard]] virtual std::uint64_t bytes() const = 0;
  [[nodiscard]] virtual FeedFigures figures() const = 0;
};

/// Forebay's receive modes.
enum class Receive { inlined, threaded, automatic };

/// Forebay, receiving.
[[nodiscard]] std::unique_ptr<Feed> make_forebay_feed(Descriptor socket, Receive mode,
                                                      std::size_t budget_bytes);
/// Forebay, over a stream that is in memory already and stays there.
[[nodiscard]] std::unique_ptr<Feed> make_memory_feed(std::span<const std::byte> bytes);
/// The mutex-and-condition-variable port of Spark's class, and Arrow's own reader.
[[nodiscard]] std::unique_ptr<Feed> make_mutex_feed(Descriptor socket);

}  // namespace tpch
