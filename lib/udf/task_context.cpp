// SPDX-License-Identifier: Apache-2.0
#include "task_context.h"

#include <errno.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "broadcasts.h"
#include "forebay/error.h"

namespace forebay::udf {

namespace {

constexpr std::string_view kCommandMagic("FOREBAY1\0", 9);

template <class T>
T value(const nlohmann::json& context, const char* name, T otherwise) {
  const auto found = context.find(name);
  return found == context.end() || found->is_null() ? otherwise : found->get<T>();
}

void read_json(const std::string& text, TaskContext& task) {
  try {
    const auto context = nlohmann::json::parse(text);
    task.stage = value(context, "stageId", 0);
    task.attempt = value(context, "attemptNumber", 0);
    task.task_attempt = value(context, "taskAttemptId", std::int64_t{0});
    task.cpus = std::max(1, value(context, "cpus", 1));
    task.local_properties = value(context, "localProperties", task.local_properties);
  } catch (const nlohmann::json::exception& error) {
    throw ProtocolError(std::string("a task context that cannot be read: ") + error.what(), 0);
  }
}

}  // namespace

TaskContext read_context(const spark::InitMessage& init, std::size_t broadcast_bytes_max,
                         Broadcasts& broadcasts) {
  TaskContext task;
  task.partition = init.partition;
  task.files_directory = init.files_directory;
  read_json(init.context_json, task);
  for (const auto& [name, setting] : init.runner_conf) task.settings[name] = setting;
  const std::string* zone = spark::find_setting(init.runner_conf, "spark.sql.session.timeZone");
  if (zone != nullptr) task.time_zone = *zone;
  update_broadcasts(init, broadcast_bytes_max, broadcasts);
  task.broadcasts = broadcasts;
  return task;
}

Command read_command(const std::string& bytes) {
  const std::string_view view(bytes);
  if (!view.starts_with(kCommandMagic)) {
    throw ProtocolError(
        "a function of " + std::to_string(bytes.size()) +
            " bytes that does not name a C++ function: it does not begin with FOREBAY1",
        0);
  }
  const std::string_view rest = view.substr(kCommandMagic.size());
  const std::size_t end = rest.find('\0');
  if (end == std::string_view::npos || end == 0) {
    throw ProtocolError("a command without the name of a function", kCommandMagic.size());
  }
  return {std::string(rest.substr(0, end)), std::string(rest.substr(end + 1))};
}

}  // namespace forebay::udf
