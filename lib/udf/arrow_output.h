// SPDX-License-Identifier: Apache-2.0
#pragma once

// One task's Arrow stream to Spark: batches are sent from where they lie.

#include <arrow/ipc/options.h>
#include <arrow/record_batch.h>

#include <vector>

#include "forebay/spark/gather_writer.h"
#include "forebay/spark/task.h"

namespace forebay::udf {

// Where a task's batches go.
class BatchOutput {
 public:
  virtual ~BatchOutput() = default;
  // Sends the batch. All batches have the schema of the first. Errors: those of the channel;
  // UserError for what Arrow cannot send.
  virtual void write(const ::arrow::RecordBatch& batch) = 0;
};

class ArrowOutput final : public BatchOutput {
 public:
  ArrowOutput(spark::GatherWriter& writer, spark::TaskOutput& frames);

  // The first one with what begins the stream and its schema.
  void write(const ::arrow::RecordBatch& batch) override;

 private:
  void add_message(const ::arrow::Buffer& metadata);
  void add(const void* data, std::int64_t size);
  void add_padding(std::int64_t size);

  spark::GatherWriter& writer_;
  spark::TaskOutput& frames_;
  const ::arrow::ipc::IpcWriteOptions options_;
  // Of the batch that is being sent.
  std::vector<std::span<const std::byte>> pieces_;
  std::vector<std::byte> prefixes_;
};

}  // namespace forebay::udf
