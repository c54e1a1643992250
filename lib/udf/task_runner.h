// SPDX-License-Identifier: Apache-2.0
#pragma once

// Serves the tasks of one connection.

#include <chrono>
#include <cstdint>

#include "channel.h"
#include "forebay/spark/task.h"
#include "forebay/udf/registry.h"

namespace forebay::udf {

class TaskRunner {
 public:
  // Both must outlive this.
  TaskRunner(const Registry& registry, Channel& channel);

  // Serves tasks until Spark closes the connection, or one of them fails: then what is still coming
  // was read and thrown away. Returns whether no task failed.
  bool run();

 private:
  enum class Outcome : std::uint8_t { again, closed, failed };
  Outcome run_one();
  void serve(const spark::InitMessage& init, spark::TaskOutput& frames);
  void send(const spark::TaskOutput::Bytes& bytes);
  void fail(spark::TaskOutput& frames, const std::exception& error);

  const Registry& registry_;
  Channel& channel_;
  Broadcasts broadcasts_;
  std::int64_t began_ms_;
};

}  // namespace forebay::udf
