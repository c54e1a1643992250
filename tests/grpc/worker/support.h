// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the worker's tests share: the program in a process, batches, and looking at the process.

#include <arrow/api.h>

#include <string>
#include <vector>

#include "forebay/grpc/worker_process.h"
#include "grpc/service/support.h"

namespace forebay::grpc::test {

using Batch = std::shared_ptr<::arrow::RecordBatch>;

// Int64 columns `_0`, `_1` ..
Batch int_batch(const std::vector<std::vector<std::int64_t>>& columns);

// As the engine writes them: one encapsulated message each.
std::string schema_message(const ::arrow::Schema& schema);
std::string batch_message(const ::arrow::RecordBatch& batch);
Batch read_batch(const std::string& message, const std::shared_ptr<::arrow::Schema>& schema);

// Opens a session of the function over batches of that schema.
Init init_of(const std::string& name, const std::string& payload, const ::arrow::Schema& schema);

// The program under test. Ends when it is told to, whatever it served.
struct Worker {
  explicit Worker(WorkerSpecification specification = {.command = {FOREBAY_WORKER}})
      : process(std::move(specification), folder.file("")), client(process.connection()) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() { EXPECT_EQ(process.terminate(), 0); }

  Folder folder;
  WorkerProcess process;
  Client client;
};

// One whole session: what came back, batch by batch.
struct Result {
  std::vector<std::string> batches;
  Told told;
};
Result run(Client& client, const Init& init, const std::vector<Batch>& batches);

// Figures of another process.
std::size_t descriptors_of(pid_t pid);
std::size_t threads_of(pid_t pid);
std::size_t peak_bytes_of(pid_t pid);
std::size_t resident_bytes_of(pid_t pid);

}  // namespace forebay::grpc::test
