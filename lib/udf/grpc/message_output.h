// SPDX-License-Identifier: Apache-2.0
#pragma once

// A session's batches to the engine: each is one message, sent from the buffers that it lies in.

#include <arrow/ipc/options.h>

#include <memory>
#include <string>

#include "arrow_output.h"
#include "forebay/grpc/server.h"

namespace forebay::udf {

class MessageOutput final : public BatchOutput {
 public:
  // Throws UserError for a batch that does not have the columns of `promised`, when that is given.
  MessageOutput(grpc::Execution& execution, std::shared_ptr<::arrow::Schema> promised);
  void write(const ::arrow::RecordBatch& batch) override;

  std::int64_t rows() const { return rows_; }

 private:
  grpc::Execution& execution_;
  const std::shared_ptr<::arrow::Schema> promised_;
  const ::arrow::ipc::IpcWriteOptions options_;
  std::int64_t rows_ = 0;
};

}  // namespace forebay::udf
