// SPDX-License-Identifier: Apache-2.0
#include "function_session.h"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/reader.h>

#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "channel.h"
#include "forebay/error.h"
#include "function_call.h"
#include "log.h"
#include "message_output.h"
#include "task.h"

namespace forebay::udf {

namespace {

using spark::EvalType;

// Bytes of one Arrow batch.
constexpr std::size_t kBatchBytesMax = std::size_t{128} << 20;

constexpr std::string_view kPropertyPrefix = "localProperties.";

class SessionInput final : public ByteInput {
 public:
  explicit SessionInput(StreamReader& reader) : ByteInput(kBatchBytesMax), reader_(reader) {}
  StreamReader& reader() noexcept override { return reader_; }

 private:
  StreamReader& reader_;
};

// The schema in one encapsulated message; null for none.
std::shared_ptr<::arrow::Schema> schema_of(const std::optional<std::string>& message,
                                           const char* what) {
  if (!message) return nullptr;
  ::arrow::io::BufferReader bytes(::arrow::Buffer::FromString(*message));
  ::arrow::ipc::DictionaryMemo memo;
  auto schema = ::arrow::ipc::ReadSchema(&bytes, &memo);
  if (!schema.ok()) {
    throw ProtocolError(
        std::string(what) + " that is no Arrow schema: " + schema.status().message(), 0);
  }
  return *std::move(schema);
}

struct Served {
  EvalType type;
  Kind kind;
  void (*run)(Task&, const Registry&);
};

constexpr Served kServed[] = {
    {EvalType::map_arrow_iter, Kind::map, run_map},
    {EvalType::scalar_arrow, Kind::scalar, run_scalars},
    {EvalType::scalar_arrow_iter, Kind::scalar_iterator, run_scalar_iterator},
};

// "250", "SCALAR_ARROW" and Spark's own "SQL_SCALAR_ARROW_UDF" are one.
const Served& find_served(const std::optional<std::string>& eval_type) {
  if (!eval_type || eval_type->empty()) return kServed[0];
  for (const Served& served : kServed) {
    const std::string number = std::to_string(static_cast<std::int32_t>(served.type));
    const std::string full = spark::eval_type_name(static_cast<std::int32_t>(served.type));
    const std::string name = full.substr(0, full.find(' '));
    if (*eval_type == number || *eval_type == name || *eval_type == "SQL_" + name + "_UDF") {
      return served;
    }
  }
  throw Unsupported("the evaluation type " + *eval_type + " is not served on the gRPC channel");
}

template <class T>
T number_in(const grpc::Settings& settings, const char* name, T otherwise) {
  const auto found = settings.find(name);
  if (found == settings.end()) return otherwise;
  T value = otherwise;
  const char* const end = found->second.data() + found->second.size();
  const auto [rest, error] = std::from_chars(found->second.data(), end, value);
  return error == std::errc() && rest == end ? value : otherwise;
}

// The names are those of the classic channel's context, with one entry for each local property.
TaskContext context_of(const grpc::Init& init) {
  TaskContext task;
  task.partition = number_in(init.task_context, "partitionId", 0);
  task.stage = number_in(init.task_context, "stageId", 0);
  task.attempt = number_in(init.task_context, "attemptNumber", 0);
  task.task_attempt = number_in(init.task_context, "taskAttemptId", std::int64_t{0});
  task.cpus = std::max(1, number_in(init.task_context, "cpus", 1));
  for (const auto& [name, value] : init.task_context) {
    if (name == "filesDirectory") task.files_directory = value;
    if (name.starts_with(kPropertyPrefix)) {
      task.local_properties[name.substr(kPropertyPrefix.size())] = value;
    }
  }
  task.time_zone = init.time_zone.value_or("");
  task.settings = init.session_conf;
  return task;
}

// What the classic channel would have said of the same task.
spark::InitMessage message_of(const grpc::Init& init, const Served& served,
                              const ::arrow::Schema* input) {
  spark::InitMessage message;
  message.eval_type = static_cast<std::int32_t>(served.type);
  spark::UdfCall call;
  call.commands.push_back(init.udf.bytes);
  for (int i = 0; input != nullptr && i < input->num_fields(); ++i) {
    call.arguments.push_back({i, std::nullopt});
  }
  message.udfs.push_back(std::move(call));
  return message;
}

}  // namespace

void FunctionSession::serve(grpc::Execution& execution) {
  const grpc::Init& init = execution.init();
  if (init.udf.format != kPayloadFormat) {
    throw Unsupported("a payload of the format '" + init.udf.format + "'; this worker takes '" +
                      kPayloadFormat + "'");
  }
  const Served& served = find_served(init.udf.eval_type);
  const auto input_schema = schema_of(init.input_schema, "an input schema");
  const auto output_schema = schema_of(init.output_schema, "an output schema");
  const spark::InitMessage message = message_of(init, served, input_schema.get());
  // Before the engine is told that data may come.
  (void)find_function(registry_, served.kind, init.udf.bytes);
  execution.ready();
  SessionInput input(execution.input());
  MessageOutput output(execution, output_schema);
  Task task(input, output, message, context_of(init), spark::InputShape::plain, Task::Rows::flat);
  served.run(task, registry_);
  // What the function left unread is read, so that a broken input is told and not passed over.
  task.finish_stream();
  rows_out_ = output.rows();
  counted_ = true;
  log_debug("session of {}: {} rows given", init.udf.name.value_or("a function"), rows_out_);
}

grpc::Farewell FunctionSession::end(bool) {
  grpc::Farewell farewell;
  if (counted_) farewell.metrics["rows_out"] = std::to_string(rows_out_);
  return farewell;
}

}  // namespace forebay::udf
