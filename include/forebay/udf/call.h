// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a function sees of the task that it is called for.

#include <arrow/type_fwd.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace forebay::udf {

/// Broadcasts by their ids. Of Python's bytes, bytearray and str: those bytes, of a str in UTF-8;
/// of every other value its pickle.
using Broadcasts = std::map<std::int64_t, std::shared_ptr<const std::string>>;

/// The Spark task that calls. Lifetime: that of the task.
struct TaskContext {
  std::int32_t partition = 0;     ///< index of the partition
  std::int32_t stage = 0;         ///< id of the stage
  std::int32_t attempt = 0;       ///< 0 for the first attempt at this partition
  std::int64_t task_attempt = 0;  ///< id of the attempt, unique in the application
  std::int32_t cpus = 1;          ///< cores that the task may use
  std::string time_zone;          ///< of the session; empty when Spark did not say
  std::string files_directory;    ///< where SparkFiles are
  std::map<std::string, std::string> local_properties;  ///< of the thread that started the job
  std::map<std::string, std::string> settings;          ///< of the session, those that Spark sends
  Broadcasts broadcasts;                                ///< those that the function was given
};

/// One use of a function in a task.
struct Call {
  const TaskContext& task;                        ///< the task
  const std::string& name;                        ///< the function's name
  const std::string& payload;                     ///< what the query gave for the function alone
  std::shared_ptr<::arrow::Schema> input_schema;  ///< of the columns that the function gets
};

}  // namespace forebay::udf
