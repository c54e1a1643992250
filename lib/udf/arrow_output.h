// SPDX-License-Identifier: Apache-2.0
#pragma once

// One task's Arrow stream to Spark: batches are sent from where they lie.

#include <arrow/ipc/options.h>
#include <arrow/record_batch.h>

#include <vector>

#include "forebay/spark/gather_writer.h"
#include "forebay/spark/task.h"

namespace forebay::udf {

class ArrowOutput {
 public:
  ArrowOutput(spark::GatherWriter& writer, spark::TaskOutput& frames);

  // Sends the batch, the first one with what begins the stream and its schema. All batches have the
  // schema of the first. Errors: those of GatherWriter; UserError for what Arrow cannot send.
  void write(const ::arrow::RecordBatch& batch);

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
