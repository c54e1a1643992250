// SPDX-License-Identifier: Apache-2.0
#pragma once

// A session of the gRPC channel that calls a function of the registry.
//
// The payload is the command that the classic channel's queries carry: "FOREBAY1", 0, the name, 0,
// what the function alone is given. Its format is kPayloadFormat. UdfPayload.eval_type says what is
// done with it, by Spark's numbers or names: MAP_ARROW_ITER (207), which is meant where nothing is
// said, SCALAR_ARROW (250), SCALAR_ARROW_ITER (251). Rows are not wrapped into a struct here: the
// fields of Init.input_schema are the columns. Functions over groups have no form on this channel.
// Init.task_context says what TaskContext has of the task: partitionId, stageId, attemptNumber,
// taskAttemptId, cpus, filesDirectory, and localProperties. before the name of each local property.

#include <memory>
#include <string>

#include "forebay/grpc/server.h"
#include "forebay/udf/registry.h"

namespace forebay::udf {

inline constexpr const char* kPayloadFormat = "forebay";

class FunctionSession final : public grpc::Handler {
 public:
  // The registry must outlive this.
  explicit FunctionSession(const Registry& registry) : registry_(registry) {}

  void serve(grpc::Execution& execution) override;
  grpc::Farewell end(bool cancelled) override;

 private:
  const Registry& registry_;
  std::int64_t rows_out_ = 0;
  bool counted_ = false;
};

}  // namespace forebay::udf
