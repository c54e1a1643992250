// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the kinds have in common: finding the functions of a task, and holding them to their
// signatures.

#include <memory>
#include <string>
#include <vector>

#include "task.h"

namespace forebay::udf {

// One function as a task uses it.
struct BoundFunction {
  const Function* function = nullptr;
  Command command;
  std::string what;  // "map function 'x'", for errors
};

// Finds the function that the command names. Errors: ProtocolError for bytes that name none;
// UserError for a name that is not registered, with those that are.
BoundFunction find_function(const Registry& registry, Kind kind, const std::string& command);

// The only function of a task whose kind cannot be chained or put beside others.
BoundFunction find_only_function(const Registry& registry, Kind kind,
                                 const spark::InitMessage& init);

// Throws UserError when the columns are not what the function takes.
void check_input(const BoundFunction& bound, const ::arrow::Schema& schema);

// The columns that the function gives for such an input, named by themselves.
std::shared_ptr<::arrow::Schema> output_of(const BoundFunction& bound,
                                           const std::shared_ptr<::arrow::Schema>& input);

// Throws UserError when the columns are not what was promised.
void check_output(const ::arrow::Schema& schema, const ::arrow::Schema& promised);

// The columns of one non-null struct column, as Spark sends rows.
Batch unwrap_struct(const Batch& batch);
std::shared_ptr<::arrow::Schema> unwrap_struct(const ::arrow::Schema& schema);
// The other way.
Batch wrap_struct(const ::arrow::RecordBatch& batch);

// Some columns of a batch or a schema. Errors: ProtocolError for an index that is none.
Batch select(const ::arrow::RecordBatch& batch, const std::vector<int>& columns);
std::shared_ptr<::arrow::Schema> select(const ::arrow::Schema& schema,
                                        const std::vector<int>& columns);

// The columns that are the function's arguments, in the function's order: named arguments stand
// where the signature has their names.
std::vector<int> argument_columns(const BoundFunction& bound,
                                  const std::vector<spark::UdfArgument>& arguments);

}  // namespace forebay::udf
