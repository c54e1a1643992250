// SPDX-License-Identifier: Apache-2.0
#pragma once

// A few rows of lineitem, made here: to check the query with, and to warm the libraries up.

#include <arrow/buffer.h>
#include <arrow/record_batch.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace tpch {

/// The columns of query 6: a day since 1970, and hundredths.
struct Row {
  std::int32_t shipdate;
  std::int64_t discount;
  std::int64_t quantity;
  std::int64_t extendedprice;
};

/// Throws std::runtime_error.
[[nodiscard]] std::shared_ptr<arrow::RecordBatch> batch_of(const std::vector<Row>& rows);

/// The batch as an Arrow stream. Throws std::runtime_error.
[[nodiscard]] std::shared_ptr<arrow::Buffer> stream_of(const arrow::RecordBatch& batch);

}  // namespace tpch
