// SPDX-License-Identifier: Apache-2.0

// Functions for the tests, in a shared library: what a function sees of its task.

#include <arrow/builder.h>
#include <forebay/udf/registry.h>

#include <map>
#include <memory>
#include <string>

namespace {

using forebay::udf::BatchSink;
using forebay::udf::BatchSource;
using forebay::udf::Call;

std::shared_ptr<arrow::Schema> broadcast_schema() {
  return arrow::schema(
      {arrow::field("id", arrow::int64()), arrow::field("bytes", arrow::binary())});
}

void pass_over(BatchSource& source) {
  while (source.next() != nullptr) {
  }
}

void send(BatchSink& sink, const std::shared_ptr<arrow::Schema>& schema, arrow::ArrayBuilder& first,
          arrow::ArrayBuilder& second) {
  const std::int64_t rows = first.length();
  sink.write(arrow::RecordBatch::Make(schema, rows,
                                      {first.Finish().ValueOrDie(), second.Finish().ValueOrDie()}));
}

// One row for each broadcast.
void broadcasts(const Call& call, BatchSource& source, BatchSink& sink) {
  pass_over(source);
  arrow::Int64Builder ids;
  arrow::BinaryBuilder bytes;
  for (const auto& [id, broadcast] : call.task.broadcasts) {
    forebay::udf::throw_if_error(ids.Append(id));
    forebay::udf::throw_if_error(bytes.Append(*broadcast));
  }
  send(sink, broadcast_schema(), ids, bytes);
}

std::shared_ptr<arrow::Schema> context_schema() {
  return arrow::schema({arrow::field("name", arrow::utf8()), arrow::field("value", arrow::utf8())});
}

// One row for each thing that a function may ask for.
void context(const Call& call, BatchSource& source, BatchSink& sink) {
  pass_over(source);
  const auto& task = call.task;
  std::map<std::string, std::string> told = {
      {"partition", std::to_string(task.partition)},
      {"attempt", std::to_string(task.attempt)},
      {"task attempt", std::to_string(task.task_attempt)},
      {"stage", std::to_string(task.stage)},
      {"cpus", std::to_string(task.cpus)},
      {"time zone", task.time_zone},
      {"files", task.files_directory},
  };
  for (const auto& [name, value] : task.local_properties) told["property " + name] = value;
  arrow::StringBuilder names;
  arrow::StringBuilder values;
  for (const auto& [name, value] : told) {
    forebay::udf::throw_if_error(names.Append(name));
    forebay::udf::throw_if_error(values.Append(value));
  }
  send(sink, context_schema(), names, values);
}

}  // namespace

FOREBAY_FUNCTIONS(registry) {
  registry.map("broadcasts", {nullptr, broadcast_schema()}, broadcasts);
  registry.map("context", {nullptr, context_schema()}, context);
}
