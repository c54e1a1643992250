// SPDX-License-Identifier: Apache-2.0
#include "describe.h"

#include <nlohmann/json.hpp>

#include "forebay/version.h"
#include "types.h"

namespace forebay::udf {

namespace {

nlohmann::json schema_of(const std::shared_ptr<::arrow::Schema>& schema) {
  return schema == nullptr ? nlohmann::json() : spark_schema(*schema);
}

}  // namespace

std::string describe(const Registry& registry) {
  auto functions = nlohmann::json::array();
  for (const Function* function : registry.functions()) {
    functions.push_back({{"name", function->name},
                         {"kind", kind_name(function->kind())},
                         {"input", schema_of(function->signature.input)},
                         {"output", schema_of(function->signature.output)}});
  }
  const std::string version = std::to_string(FOREBAY_VERSION_MAJOR) + "." +
                              std::to_string(FOREBAY_VERSION_MINOR) + "." +
                              std::to_string(FOREBAY_VERSION_PATCH);
  return nlohmann::json{{"forebay", version}, {"functions", std::move(functions)}}.dump(2);
}

}  // namespace forebay::udf
