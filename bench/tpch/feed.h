// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where record batches come from. The job is the same for every feed; only the feeds differ.

#include <arrow/record_batch.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "forebay/epoch.h"
#include "forebay/event_count.h"
#include "forebay/socket/receiver.h"
#include "tpch/wire.h"

namespace tpch {

/// What one task works on.
struct Batch {
  std::shared_ptr<arrow::RecordBatch> records;
  forebay::Guard guard;  ///< none where the feed has no epochs
};

/// What a feed says of itself when it has run dry.
struct FeedFigures {
  std::uint64_t bytes = 0;                 ///< taken out
  std::uint64_t payload_bytes_copied = 0;  ///< of message bodies, copied after they were received
  std::uint64_t other_bytes_copied = 0;    ///< of framing and metadata
  forebay::WaitStats reader = {};
  forebay::WaitStats writer = {};
  std::uint64_t stream_bytes_peak = 0;  ///< most that was buffered and retained at once
  std::uint64_t system_calls = 0;       ///< calls that received
  std::uint64_t bodies_straight = 0;    ///< bodies received into one block of their own
  std::uint64_t lends = 0;              ///< times that a thread began to receive ahead
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
  [[nodiscard]] virtual FeedFigures figures() = 0;
};

/// Forebay, receiving; the options are told that it is Arrow that comes.
[[nodiscard]] std::unique_ptr<Feed> make_forebay_feed(Descriptor socket,
                                                      forebay::socket::ReceiverOptions options);
/// Forebay, over a stream that is in memory already and stays there.
[[nodiscard]] std::unique_ptr<Feed> make_memory_feed(std::span<const std::byte> bytes);
/// The mutex-and-condition-variable port of Spark's class, and Arrow's own reader.
[[nodiscard]] std::unique_ptr<Feed> make_mutex_feed(Descriptor socket);

/// Forebay, over a session of Spark's gRPC channel that has been opened; it ends with the feed.
[[nodiscard]] std::unique_ptr<Feed> make_grpc_feed(class GrpcWorker& worker);

}  // namespace tpch
