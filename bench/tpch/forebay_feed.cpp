// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <utility>

#include "forebay/arrow/record_batch_reader.h"
#include "forebay/socket/receiver.h"
#include "forebay/stream.h"
#include "tpch/feed.h"

namespace tpch {
namespace {

using forebay::socket::ReceiverOptions;

// Batches of a stream; who fills it is another's business.
class StreamFeed : public Feed {
 public:
  std::shared_ptr<arrow::Schema> schema() override { return batches().schema(); }
  bool next(Batch& batch) override {
    batch.records = batches().next();
    // What the batch looks at is valid until the next read, and with this as long as its task
    // wants. Pinned before the read, it would also keep the block of the batch before.
    batch.guard = stream().pin();
    return batch.records != nullptr;
  }
  std::uint64_t bytes() const override { return batches_ == nullptr ? 0 : batches_->position(); }
  FeedFigures figures() override {
    const forebay::StreamStats stats = stream().stats();
    const forebay::arrow::ReadStats read = batches().stats();
    FeedFigures figures;
    figures.bytes = bytes();
    figures.payload_bytes_copied = read.bytes_copied();
    figures.other_bytes_copied = stats.bytes_copied - read.bytes_gathered;
    figures.reader = stats.reader;
    figures.writer = stats.writer;
    figures.stream_bytes_peak = stats.bytes_peak;
    return figures;
  }

 protected:
  virtual forebay::StreamReader& stream() = 0;
  forebay::arrow::RecordBatchReader& batches() {
    if (batches_ == nullptr) batches_ = forebay::arrow::RecordBatchReader::open(stream());
    return *batches_;
  }

 private:
  std::shared_ptr<forebay::arrow::RecordBatchReader> batches_;
};

class SocketFeed final : public StreamFeed {
 public:
  SocketFeed(Descriptor socket, const ReceiverOptions& options)
      : receiver_(std::move(socket), options) {}

  FeedFigures figures() override {
    FeedFigures figures = StreamFeed::figures();
    const forebay::socket::ReceiverStats stats = receiver_.stats();
    figures.system_calls = stats.system_calls;
    figures.bodies_straight = stats.bodies_straight;
    figures.lends = stats.lends;
    return figures;
  }

 private:
  forebay::StreamReader& stream() override { return receiver_.reader(); }
  forebay::socket::SocketReceiver receiver_;
};

class MemoryFeed final : public StreamFeed {
 public:
  explicit MemoryFeed(std::span<const std::byte> bytes) : ends_(forebay::make_stream()) {
    // The bytes outlive the feed: there is nothing to release.
    const forebay::Release nothing{[](void*) noexcept {}, nullptr};
    ends_.writer.add_next_chunk(forebay::Chunk::borrow(bytes, nothing));
    ends_.writer.finish();
  }

 private:
  forebay::StreamReader& stream() override { return ends_.reader; }
  forebay::Stream ends_;
};

}  // namespace

std::unique_ptr<Feed> make_forebay_feed(Descriptor socket, ReceiverOptions options) {
  options.framing = forebay::Framing::arrow_ipc;
  return std::make_unique<SocketFeed>(std::move(socket), options);
}

std::unique_ptr<Feed> make_memory_feed(std::span<const std::byte> bytes) {
  return std::make_unique<MemoryFeed>(bytes);
}

}  // namespace tpch
