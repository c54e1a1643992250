// SPDX-License-Identifier: Apache-2.0
#include "support.h"

#include <arrow/io/memory.h>
#include <arrow/ipc/api.h>

#include <fstream>
#include <stdexcept>

namespace forebay::grpc::test {

namespace {

template <class T>
T value_of(::arrow::Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.status().ToString());
  return *std::move(result);
}

std::size_t entries_in(const std::string& folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

std::size_t status_bytes(pid_t pid, const std::string& name) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name)) return std::stoul(line.substr(name.size())) << 10;
  }
  throw std::runtime_error("no " + name);
}

}  // namespace

Batch int_batch(const std::vector<std::vector<std::int64_t>>& columns) {
  ::arrow::FieldVector fields;
  ::arrow::ArrayVector arrays;
  for (const auto& values : columns) {
    ::arrow::Int64Builder builder;
    if (!builder.AppendValues(values).ok()) throw std::bad_alloc();
    fields.push_back(::arrow::field("_" + std::to_string(fields.size()), ::arrow::int64()));
    arrays.push_back(value_of(builder.Finish()));
  }
  const std::int64_t rows = arrays.front()->length();
  return ::arrow::RecordBatch::Make(::arrow::schema(std::move(fields)), rows, std::move(arrays));
}

std::string schema_message(const ::arrow::Schema& schema) {
  return value_of(::arrow::ipc::SerializeSchema(schema))->ToString();
}

std::string batch_message(const ::arrow::RecordBatch& batch) {
  const auto options = ::arrow::ipc::IpcWriteOptions::Defaults();
  return value_of(::arrow::ipc::SerializeRecordBatch(batch, options))->ToString();
}

Batch read_batch(const std::string& message, const std::shared_ptr<::arrow::Schema>& schema) {
  ::arrow::io::BufferReader bytes(::arrow::Buffer::FromString(message));
  ::arrow::ipc::DictionaryMemo memo;
  return value_of(::arrow::ipc::ReadRecordBatch(schema, &memo,
                                                ::arrow::ipc::IpcReadOptions::Defaults(), &bytes));
}

Init init_of(const std::string& name, const std::string& payload, const ::arrow::Schema& schema) {
  Init init;
  init.udf.format = "forebay";
  init.udf.bytes = std::string("FOREBAY1\0", 9) + name + '\0' + payload;
  init.udf.name = name;
  init.input_schema = schema_message(schema);
  init.task_context["partitionId"] = "3";
  return init;
}

Result run(Client& client, const Init& init, const std::vector<Batch>& batches) {
  ClientSession session = client.open(init);
  Result result;
  const auto take = [&](Reply& reply) {
    Told one;
    add(one, reply);
    if (std::holds_alternative<DataReply>(reply)) result.batches.push_back(one.data);
    add(result.told, reply);
  };
  auto answer = session.receive();
  if (answer) take(*answer);
  if (result.told.words == "init") {
    for (const Batch& batch : batches) {
      if (!send(session, batch_message(*batch))) break;
    }
    session.finish();
  } else {
    session.cancel();
  }
  while (auto reply = session.receive()) {
    const bool failed = std::holds_alternative<ErrorResponse>(*reply);
    take(*reply);
    if (failed) session.cancel();
  }
  return result;
}

std::size_t descriptors_of(pid_t pid) { return entries_in("/proc/" + std::to_string(pid) + "/fd"); }
std::size_t threads_of(pid_t pid) { return entries_in("/proc/" + std::to_string(pid) + "/task"); }
std::size_t peak_bytes_of(pid_t pid) { return status_bytes(pid, "VmHWM:"); }
std::size_t resident_bytes_of(pid_t pid) { return status_bytes(pid, "VmRSS:"); }

}  // namespace forebay::grpc::test
