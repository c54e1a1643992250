// SPDX-License-Identifier: Apache-2.0
#include <arrow/ipc/reader.h>
#include <sys/socket.h>

#include <exception>
#include <thread>

#include "peers/mutex_byte_stream.h"
#include "tpch/arrow_input.h"
#include "tpch/feed.h"

namespace tpch {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{64} << 10;

// A thread receives into chunks of its own, as many as come: the queue has no bound.
class MutexFeed : public Feed {
 public:
  explicit MutexFeed(Descriptor socket)
      : socket_(std::move(socket)), receiver_([this] { receive(); }) {}
  ~MutexFeed() override {
    shutdown(socket_.get(), SHUT_RDWR);  // in case the job failed and the sender goes on
    receiver_.join();
  }

  std::shared_ptr<arrow::Schema> schema() override { return reader().schema(); }
  bool next(Batch& batch) override {
    batch.records = value_of(reader().Next());
    if (batch.records == nullptr && error_) std::rethrow_exception(error_);
    return batch.records != nullptr;
  }
  std::uint64_t bytes() const override { return bytes_; }
  FeedFigures figures() override {
    const peers::MutexByteStream::Stats stats = stream_.stats();
    FeedFigures figures;
    figures.bytes = bytes_;
    // Next to nothing of it is metadata.
    figures.payload_bytes_copied = stats.bytes_copied;
    figures.reader.waits = figures.reader.parks = stats.waits;
    return figures;
  }

 private:
  arrow::ipc::RecordBatchStreamReader& reader() {
    if (reader_ == nullptr) {
      const auto read = [this](std::size_t size) -> std::shared_ptr<arrow::Buffer> {
        peers::MutexView view = stream_.read(size);
        bytes_ += size;
        const std::byte* const data = view.bytes.data();
        return std::make_shared<OwningBuffer<peers::MutexView>>(data, size, std::move(view));
      };
      reader_ = value_of(arrow::ipc::RecordBatchStreamReader::Open(
          std::make_shared<ArrowInput<decltype(read)>>(read)));
    }
    return *reader_;
  }

  void receive() {
    try {
      for (;;) {
        auto memory = std::make_shared_for_overwrite<std::byte[]>(kChunkBytes);
        const std::size_t got = receive_some(socket_, {memory.get(), kChunkBytes});
        if (got == 0) break;
        std::byte* const first = memory.get();
        stream_.add_next_chunk({std::move(memory), {first, got}});
      }
    } catch (...) {
      error_ = std::current_exception();
    }
    stream_.finish();
  }

  Descriptor socket_;
  peers::MutexByteStream stream_;
  std::exception_ptr error_;  // written before finish(), read after the end was seen
  std::uint64_t bytes_ = 0;
  std::thread receiver_;
  std::shared_ptr<arrow::ipc::RecordBatchStreamReader> reader_;
};

}  // namespace

std::unique_ptr<Feed> make_mutex_feed(Descriptor socket) {
  return std::make_unique<MutexFeed>(std::move(socket));
}

}  // namespace tpch
