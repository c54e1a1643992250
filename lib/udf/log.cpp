// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include "forebay/spark/rendezvous.h"

namespace forebay::udf {

void set_up_log() {
  // Without a thread of its own, and without a lock: a worker forks before it has threads.
  spdlog::set_default_logger(spdlog::stderr_logger_st("forebay"));
  spdlog::set_pattern("%Y-%m-%d %H:%M:%S.%e forebay %P %l: %v");
  const auto level = spark::Environment::get("FOREBAY_LOG_LEVEL");
  spdlog::set_level(level ? spdlog::level::from_str(*level) : spdlog::level::warn);
}

}  // namespace forebay::udf
