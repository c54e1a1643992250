// SPDX-License-Identifier: Apache-2.0
#include <arrow/ipc/reader.h>

#include <exception>
#include <thread>
#include <vector>

#include "forebay/stream.h"
#include "tpch/arrow_input.h"
#include "tpch/feed.h"

namespace tpch {
namespace {

// Stands in for forebay::arrow.
class StreamFeed : public Feed {
 public:
  explicit StreamFeed(forebay::StreamReader reader) : stream_(std::move(reader)) {}

  std::shared_ptr<arrow::Schema> schema() override { return open().schema(); }
  bool next(Batch& batch) override {
    batch.guard = stream_.pin();
    batch.records = value_of(open().Next());
    return batch.records != nullptr;
  }
  std::uint64_t bytes() const override { return stream_.stats().bytes_out; }
  FeedFigures figures() const override {
    const forebay::StreamStats stats = stream_.stats();
    FeedFigures figures;
    figures.bytes = stats.bytes_in;
    figures.bytes_copied = stats.bytes_copied;
    figures.reader_waits = stats.reader.waits;
    figures.reader_parks = stats.reader.parks;
    figures.writer_waits = stats.writer.waits;
    figures.writer_parks = stats.writer.parks;
    figures.stream_bytes_peak = stats.bytes_peak;
    figures.note = "stand-in";
    return figures;
  }

 private:
  arrow::ipc::RecordBatchStreamReader& open() {
    if (reader_ != nullptr) return *reader_;
    const auto read = [this](std::size_t size) -> std::shared_ptr<arrow::Buffer> {
      forebay::SharedBytes bytes = stream_.share(stream_.read(size));
      const std::byte* const data = bytes.data();
      return std::make_shared<OwningBuffer<forebay::SharedBytes>>(data, size, std::move(bytes));
    };
    reader_ = value_of(arrow::ipc::RecordBatchStreamReader::Open(
        std::make_shared<ArrowInput<decltype(read)>>(read)));
    return *reader_;
  }

  forebay::StreamReader stream_;
  std::shared_ptr<arrow::ipc::RecordBatchStreamReader> reader_;
};

// Stands in for forebay::socket.
class ReceivingFeed : public StreamFeed {
 public:
  ReceivingFeed(Descriptor socket, forebay::Stream stream)
      : StreamFeed(std::move(stream.reader)),
        receiver_([socket = std::move(socket), writer = std::move(stream.writer)]() mutable {
          receive(socket, writer);
        }) {}
  ~ReceivingFeed() override { receiver_.join(); }

 private:
  static constexpr std::size_t kChunkBytes = std::size_t{1} << 20;

  static void receive(const Descriptor& socket, forebay::StreamWriter& writer) {
    try {
      for (;;) {
        std::vector<std::byte> memory(kChunkBytes);
        memory.resize(receive_some(socket, memory));
        if (memory.empty()) break;
        writer.add_next_chunk(forebay::Chunk::adopt(std::move(memory)));
      }
      writer.finish();
    } catch (...) {
      writer.fail(std::current_exception());
    }
  }

  std::thread receiver_;
};

}  // namespace

std::unique_ptr<Feed> make_forebay_feed(Descriptor socket, Receive, std::size_t budget_bytes) {
  forebay::StreamOptions options;
  options.max_bytes = budget_bytes;
  return std::make_unique<ReceivingFeed>(std::move(socket), forebay::make_stream(options));
}

std::unique_ptr<Feed> make_memory_feed(std::span<const std::byte> bytes) {
  forebay::Stream stream = forebay::make_stream();
  stream.writer.add_next_chunk(
      forebay::Chunk::borrow(bytes, forebay::Release{[](void*) noexcept {}, nullptr}));
  stream.writer.finish();
  return std::make_unique<StreamFeed>(std::move(stream.reader));
}

}  // namespace tpch
