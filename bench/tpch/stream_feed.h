// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "forebay/arrow/record_batch_reader.h"
#include "forebay/stream.h"
#include "tpch/feed.h"

namespace tpch {

/// Batches of a stream; who fills it is another's business.
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

}  // namespace tpch
