// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "forebay/spark/rendezvous.h"

namespace forebay::udf {

namespace {

void use(std::shared_ptr<spdlog::logger> logger) {
  spdlog::set_default_logger(std::move(logger));
  spdlog::set_pattern("%Y-%m-%d %H:%M:%S.%e forebay %P %l: %v");
  const auto level = spark::Environment::get("FOREBAY_LOG_LEVEL");
  spdlog::set_level(level ? spdlog::level::from_str(*level) : spdlog::level::warn);
}

}  // namespace

void set_up_log() {
  // Without a thread of its own, and without a lock: a worker forks before it has threads.
  use(spdlog::stderr_logger_st("forebay"));
}

void log_from_threads() { use(spdlog::stderr_logger_mt("forebay threads")); }

}  // namespace forebay::udf
