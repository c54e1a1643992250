// SPDX-License-Identifier: Apache-2.0
#include "function_call.h"

#include <arrow/array/array_nested.h>

#include <utility>

#include "types.h"

namespace forebay::udf {

namespace {

std::string known_names(const Registry& registry, Kind kind) {
  std::string names;
  for (const Function* function : registry.functions()) {
    if (function->kind() != kind) continue;
    names += names.empty() ? "" : ", ";
    names += function->name;
  }
  return names.empty() ? "none" : names;
}

void check_column(int column, int columns) {
  if (column >= 0 && column < columns) return;
  throw ProtocolError(
      "an argument in column " + std::to_string(column) + " of " + std::to_string(columns), 0);
}

}  // namespace

BoundFunction find_function(const Registry& registry, Kind kind, const std::string& command) {
  BoundFunction bound{nullptr, read_command(command), ""};
  bound.function = registry.find(kind, bound.command.name);
  bound.what = std::string(kind_name(kind)) + " function '" + bound.command.name + "'";
  if (bound.function == nullptr) {
    throw UserError("this worker has no " + bound.what + "; it has " + known_names(registry, kind));
  }
  return bound;
}

BoundFunction find_only_function(const Registry& registry, Kind kind,
                                 const spark::InitMessage& init) {
  if (init.udfs.size() != 1 || init.udfs.front().commands.size() != 1) {
    throw Unsupported("more than one " + std::string(kind_name(kind)) + " function in one task");
  }
  return find_function(registry, kind, init.udfs.front().commands.front());
}

void check_input(const BoundFunction& bound, const ::arrow::Schema& schema) {
  const auto& wanted = bound.function->signature.input;
  if (wanted == nullptr || same_columns(*wanted, schema)) return;
  throw UserError(bound.what + " takes " + types_of(*wanted) + " and is called with " +
                  types_of(schema));
}

std::shared_ptr<::arrow::Schema> output_of(const BoundFunction& bound,
                                           const std::shared_ptr<::arrow::Schema>& input) {
  const auto& output = bound.function->signature.output;
  return output != nullptr ? output : input;
}

void check_output(const ::arrow::Schema& schema, const ::arrow::Schema& promised) {
  if (same_columns(schema, promised)) return;
  throw UserError("it gave " + types_of(schema) + " instead of " + types_of(promised));
}

std::shared_ptr<::arrow::Schema> unwrap_struct(const ::arrow::Schema& schema) {
  if (schema.num_fields() != 1 || schema.field(0)->type()->id() != ::arrow::Type::STRUCT) {
    throw ProtocolError("rows that are not one struct column, but " + types_of(schema), 0);
  }
  return ::arrow::schema(schema.field(0)->type()->fields());
}

Batch unwrap_struct(const Batch& batch) {
  const auto schema = unwrap_struct(*batch->schema());
  const auto& rows = static_cast<const ::arrow::StructArray&>(*batch->column(0));
  return ::arrow::RecordBatch::Make(schema, batch->num_rows(), rows.fields());
}

Batch wrap_struct(const ::arrow::RecordBatch& batch) {
  auto type = ::arrow::struct_(batch.schema()->fields());
  auto rows = std::make_shared<::arrow::StructArray>(type, batch.num_rows(), batch.columns());
  return ::arrow::RecordBatch::Make(
      ::arrow::schema({::arrow::field("struct", std::move(type), false)}), batch.num_rows(),
      {std::move(rows)});
}

Batch select(const ::arrow::RecordBatch& batch, const std::vector<int>& columns) {
  auto schema = select(*batch.schema(), columns);
  ::arrow::ArrayVector selected;
  for (const int column : columns) selected.push_back(batch.column(column));
  return ::arrow::RecordBatch::Make(std::move(schema), batch.num_rows(), std::move(selected));
}

std::shared_ptr<::arrow::Schema> select(const ::arrow::Schema& schema,
                                        const std::vector<int>& columns) {
  ::arrow::FieldVector fields;
  for (const int column : columns) {
    check_column(column, schema.num_fields());
    fields.push_back(schema.field(column));
  }
  return ::arrow::schema(std::move(fields));
}

std::vector<int> argument_columns(const BoundFunction& bound,
                                  const std::vector<spark::UdfArgument>& arguments) {
  std::vector<int> columns;
  for (const auto& argument : arguments) {
    if (!argument.name) columns.push_back(argument.offset);
  }
  const std::size_t by_position = columns.size();
  columns.resize(arguments.size(), -1);
  for (const auto& argument : arguments) {
    if (!argument.name) continue;
    const auto& takes = bound.function->signature.input;
    const int place = takes == nullptr ? -1 : takes->GetFieldIndex(*argument.name);
    if (place < static_cast<int>(by_position) || place >= static_cast<int>(columns.size()) ||
        columns[static_cast<std::size_t>(place)] != -1) {
      throw UserError(bound.what + " takes no argument '" + *argument.name + "' here");
    }
    columns[static_cast<std::size_t>(place)] = argument.offset;
  }
  return columns;
}

}  // namespace forebay::udf
