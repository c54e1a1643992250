// SPDX-License-Identifier: Apache-2.0
#include "forebay/udf/registry.h"

#include <stdexcept>

#include "forebay/error.h"

namespace forebay::udf {

const char* kind_name(Kind kind) noexcept {
  switch (kind) {
    case Kind::map:
      return "map";
    case Kind::scalar:
      return "scalar";
    case Kind::scalar_iterator:
      return "scalar_iterator";
    case Kind::grouped_map:
      return "grouped_map";
    case Kind::cogrouped_map:
      return "cogrouped_map";
    case Kind::grouped_aggregate:
      break;
  }
  return "grouped_aggregate";
}

void throw_if_error(const ::arrow::Status& status) {
  if (!status.ok()) throw UserError("Arrow: " + status.message());
}

void Registry::add(Function function) {
  if (function.name.empty()) throw std::invalid_argument("Registry: a function without a name");
  if (function.name.find('\0') != std::string::npos) {
    throw std::invalid_argument("Registry: the name of a function holds a zero byte");
  }
  const auto key = std::make_pair(function.name, function.kind());
  const auto [place, added] = functions_.emplace(key, std::move(function));
  if (!added) {
    throw std::invalid_argument("Registry: there is a " + std::string(kind_name(key.second)) +
                                " function '" + key.first + "' already");
  }
}

void Registry::map(std::string name, Signature signature, MapFunction function) {
  add({std::move(name), std::move(signature), std::move(function)});
}

void Registry::scalar(std::string name, Signature signature, ScalarFunction function) {
  add({std::move(name), std::move(signature), std::move(function)});
}

void Registry::scalar_iterator(std::string name, Signature signature,
                               ScalarIteratorFunction function) {
  add({std::move(name), std::move(signature), std::move(function)});
}

void Registry::grouped_map(std::string name, Signature signature, GroupedMapFunction function) {
  add({std::move(name), std::move(signature), std::move(function)});
}

void Registry::cogrouped_map(std::string name, Signature signature, CogroupedMapFunction function) {
  add({std::move(name), std::move(signature), std::move(function)});
}

void Registry::grouped_aggregate(std::string name, Signature signature,
                                 GroupedAggregateFunction function) {
  add({std::move(name), std::move(signature), std::move(function)});
}

const Function* Registry::find(Kind kind, std::string_view name) const noexcept {
  const auto found = functions_.find(std::make_pair(std::string(name), kind));
  return found == functions_.end() ? nullptr : &found->second;
}

std::vector<const Function*> Registry::functions() const {
  std::vector<const Function*> all;
  for (const auto& [key, function] : functions_) all.push_back(&function);
  return all;
}

}  // namespace forebay::udf
