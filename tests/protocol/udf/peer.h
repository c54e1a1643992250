// SPDX-License-Identifier: Apache-2.0
#pragma once

// Spark's side of a connection, made by hand, and a worker on the other.

#include <arrow/api.h>

#include <memory>
#include <string>
#include <vector>

#include "channel.h"
#include "forebay/udf/registry.h"
#include "protocol/spark_support.h"

namespace forebay::udf::test {

/// Makes the calls of recv(2) return one byte at a time, and a quarter of them EINTR, while alive.
class TrickleReads {
 public:
  TrickleReads();
  ~TrickleReads();
};

/// A schema and its batches, as an Arrow stream with its end marker.
std::string arrow_stream(const std::vector<Batch>& batches);
std::string arrow_stream(const std::shared_ptr<::arrow::Schema>& schema,
                         const std::vector<Batch>& batches);

/// A batch of one or more int64 columns; the columns are named a, b, c ..
Batch int_batch(const std::vector<std::vector<std::int64_t>>& columns);
/// The batch as one struct column.
Batch in_struct(const Batch& batch);

/// The init message of a task with one function, of that name and payload, with these arguments.
std::string init_for(std::int32_t eval_type, const std::string& name, const std::string& payload,
                     const std::vector<std::int32_t>& arguments);
/// The end of a task's input.
std::string end_word();

/// What a worker answered to one task.
struct Answer {
  std::vector<Batch> batches;
  std::string error;      // of a -2
  bool reported = false;  // figures and accumulators came
  std::int32_t farewell = 0;
};

/// Splits what a worker sent into the answers of its tasks. Throws for bytes that are no answer.
std::vector<Answer> read_answers(const std::string& bytes);

struct Served {
  std::string bytes;  // what the worker sent
  bool good = false;  // whether no task failed
  std::vector<Answer> answers() const { return read_answers(bytes); }
};

/// Sends the bytes to a worker with these functions and the built-in ones, closes that direction,
/// and reads what comes back until the worker is through.
Served serve(const std::string& bytes, Registry registry = {}, const ChannelOptions& options = {});

}  // namespace forebay::udf::test
