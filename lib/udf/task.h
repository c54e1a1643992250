// SPDX-License-Identifier: Apache-2.0
#pragma once

// One task while it runs: its input and output, what is called, and how that is reported.

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>

#include "arrow_output.h"
#include "channel.h"
#include "forebay/arrow/record_batch_reader.h"
#include "forebay/error.h"
#include "forebay/spark/task.h"
#include "forebay/udf/registry.h"
#include "task_context.h"

namespace forebay::udf {

class Task {
 public:
  // Maps are given rows in one struct column, and give them so, unless they are flat.
  enum class Rows : std::uint8_t { in_struct, flat };

  // All but the context must outlive this.
  Task(ByteInput& channel, BatchOutput& output, const spark::InitMessage& init, TaskContext context,
       spark::InputShape shape, Rows rows = Rows::in_struct);

  const spark::InitMessage& init() const { return init_; }
  const TaskContext& context() const { return context_; }
  bool flat_rows() const { return rows_ == Rows::flat; }

  // The next Arrow stream of the input; null when there is none. The one before must be at its end.
  // `keep`: the batches are kept for longer than the stream could bear.
  std::shared_ptr<arrow::RecordBatchReader> next_stream(bool keep);
  // The next batch of that stream, null at its end.
  Batch next_batch();
  // Sends a batch, as it is.
  void send(const ::arrow::RecordBatch& batch);
  // Reads what is left of the present Arrow stream, if there is one.
  void finish_stream();
  // Reads what is left of the input, up to behind its END_OF_STREAM.
  void finish_input();

  // Calls into the function: what it throws becomes a UserError that says where; what the channel
  // threw meanwhile passes as it is. Counts the time.
  template <class Body>
  auto call(const std::string& what, Body body);

  // Milliseconds spent in call(), and not in the channel.
  std::int64_t processing_ms() const;

 private:
  using Clock = std::chrono::steady_clock;
  // Runs part of the channel's work inside of call().
  template <class Body>
  auto on_channel(Body body);
  Batch read_batch();
  [[noreturn]] void raise_user_error(const std::string& what);

  ByteInput& channel_;
  BatchOutput& output_;
  const spark::InitMessage& init_;
  const TaskContext context_;
  spark::TaskInput input_;
  const Rows rows_;
  std::shared_ptr<arrow::RecordBatchReader> stream_;
  std::exception_ptr channel_error_;
  std::int64_t batches_ = 0;
  std::int64_t groups_ = 0;
  Clock::duration called_{};
  Clock::duration channel_time_{};
};

template <class Body>
auto Task::call(const std::string& what, Body body) {
  struct Timer {
    Clock::duration& sum;
    Clock::time_point begin = Clock::now();
    ~Timer() { sum += Clock::now() - begin; }
  } const timer{called_};
  try {
    return body();
  } catch (...) {
    if (channel_error_ != nullptr) std::rethrow_exception(channel_error_);
    raise_user_error(what);
  }
}

// What serves each kind of function, from the first batch to the last.
void run_map(Task& task, const Registry& registry);
void run_scalars(Task& task, const Registry& registry);
void run_scalar_iterator(Task& task, const Registry& registry);
void run_grouped_map(Task& task, const Registry& registry);
void run_cogrouped_map(Task& task, const Registry& registry);
void run_grouped_aggregates(Task& task, const Registry& registry);

}  // namespace forebay::udf
