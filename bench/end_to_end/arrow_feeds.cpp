// SPDX-License-Identifier: Apache-2.0
#include "end_to_end/arrow_feeds.h"

#include <arrow/buffer.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/message.h>
#include <arrow/ipc/reader.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "tpch/arrow_input.h"

namespace forebay::bench {
namespace {

using tpch::value_of;

// All of the bytes, with one system call where that is possible.
void receive_exactly(const socket::Descriptor& socket, void* to, std::size_t size) {
  auto* at = static_cast<std::byte*>(to);
  while (size > 0) {
    const ssize_t got = ::recv(socket.get(), at, size, MSG_WAITALL);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw std::system_error(errno, std::generic_category(), "recv");
    if (got == 0) throw std::runtime_error("the stream ended too early");
    at += got;
    size -= static_cast<std::size_t>(got);
  }
}

class DescriptorFeed : public tpch::Feed {
 public:
  explicit DescriptorFeed(socket::Descriptor socket) : socket_(std::move(socket)) {}
  [[nodiscard]] std::uint64_t bytes() const override { return bytes_; }
  [[nodiscard]] tpch::FeedFigures figures() override {
    tpch::FeedFigures figures;
    figures.bytes = bytes_;
    return figures;
  }

 protected:
  void receive(void* to, std::size_t size) {
    receive_exactly(socket_, to, size);
    bytes_ += size;
  }

 private:
  socket::Descriptor socket_;
  std::uint64_t bytes_ = 0;
};

class OneThreadFeed final : public DescriptorFeed {
 public:
  explicit OneThreadFeed(socket::Descriptor socket)
      : DescriptorFeed(std::move(socket)),
        metadata_(value_of(arrow::AllocateResizableBuffer(0))),
        body_(value_of(arrow::AllocateResizableBuffer(0))) {}

  [[nodiscard]] std::shared_ptr<arrow::Schema> schema() override {
    if (schema_ == nullptr) {
      next_message();
      schema_ = value_of(arrow::ipc::ReadSchema(*message_, &dictionaries_));
    }
    return schema_;
  }
  [[nodiscard]] bool next(tpch::Batch& batch) override {
    const auto columns = schema();
    if (!next_message()) return false;
    batch.records =
        value_of(arrow::ipc::ReadRecordBatch(*message_, columns, &dictionaries_, arrow_options()));
    return true;
  }

 private:
  static arrow::ipc::IpcReadOptions arrow_options() {
    auto options = arrow::ipc::IpcReadOptions::Defaults();
    options.use_threads = false;
    return options;
  }

  // False at the end marker.
  bool next_message() {
    struct Prefix {
      std::uint32_t continuation;
      std::int32_t metadata_bytes;
    } prefix;
    receive(&prefix, sizeof prefix);
    if (prefix.metadata_bytes == 0) return false;
    resize(*metadata_, prefix.metadata_bytes);
    receive(metadata_->mutable_data(), static_cast<std::size_t>(prefix.metadata_bytes));
    const auto head = value_of(arrow::ipc::Message::Open(metadata_, nullptr));
    resize(*body_, head->body_length());
    receive(body_->mutable_data(), static_cast<std::size_t>(body_->size()));
    message_ = value_of(arrow::ipc::Message::Open(metadata_, body_));
    return true;
  }
  static void resize(arrow::ResizableBuffer& buffer, std::int64_t size) {
    if (const auto status = buffer.Resize(size, false); !status.ok()) {
      throw std::runtime_error(status.ToString());
    }
  }

  std::shared_ptr<arrow::ResizableBuffer> metadata_;
  std::shared_ptr<arrow::ResizableBuffer> body_;
  std::unique_ptr<arrow::ipc::Message> message_;
  arrow::ipc::DictionaryMemo dictionaries_;
  std::shared_ptr<arrow::Schema> schema_;
};

class ArrowFeed final : public DescriptorFeed {
 public:
  using DescriptorFeed::DescriptorFeed;

  [[nodiscard]] std::shared_ptr<arrow::Schema> schema() override { return reader().schema(); }
  [[nodiscard]] bool next(tpch::Batch& batch) override {
    batch.records = value_of(reader().Next());
    return batch.records != nullptr;
  }

 private:
  arrow::ipc::RecordBatchStreamReader& reader() {
    if (reader_ == nullptr) {
      const auto read = [this](std::size_t size) {
        std::shared_ptr<arrow::Buffer> buffer =
            value_of(arrow::AllocateBuffer(static_cast<std::int64_t>(size)));
        receive(buffer->mutable_data(), size);
        return buffer;
      };
      reader_ = value_of(arrow::ipc::RecordBatchStreamReader::Open(
          std::make_shared<tpch::ArrowInput<decltype(read)>>(read)));
    }
    return *reader_;
  }

  std::shared_ptr<arrow::ipc::RecordBatchStreamReader> reader_;
};

}  // namespace

std::unique_ptr<tpch::Feed> make_one_thread_feed(socket::Descriptor socket) {
  return std::make_unique<OneThreadFeed>(std::move(socket));
}

std::unique_ptr<tpch::Feed> make_arrow_feed(socket::Descriptor socket) {
  return std::make_unique<ArrowFeed>(std::move(socket));
}

}  // namespace forebay::bench
