// SPDX-License-Identifier: Apache-2.0

// Functions over groups: each is read whole before the function is called.

#include <arrow/array/util.h>
#include <arrow/table.h>

#include "function_call.h"
#include "types.h"

namespace forebay::udf {

namespace {

// The columns of one side of a group, as Spark numbers them: how many numbers follow, how many of
// these are keys, the keys, the values.
struct Columns {
  std::vector<int> key;
  std::vector<int> values;
};

std::vector<Columns> read_columns(const std::vector<spark::UdfArgument>& arguments,
                                  std::size_t sides) {
  std::vector<Columns> all;
  auto at = arguments.begin();
  const auto take = [&] {
    if (at == arguments.end()) throw ProtocolError("a group whose columns are not all named", 0);
    return (at++)->offset;
  };
  while (at != arguments.end()) {
    const int count = take();
    const int keys = take();
    Columns columns;
    for (int i = 1; i < count; ++i) {
      (i <= keys ? columns.key : columns.values).push_back(take());
    }
    all.push_back(std::move(columns));
  }
  if (all.size() != sides) {
    throw ProtocolError("the columns of " + std::to_string(all.size()) + " groups instead of " +
                            std::to_string(sides),
                        0);
  }
  return all;
}

// All batches of the present stream; they outlive it.
std::vector<Batch> read_all(Task& task) {
  std::vector<Batch> batches;
  while (Batch batch = task.next_batch()) batches.push_back(std::move(batch));
  return batches;
}

std::shared_ptr<::arrow::Table> table_of(const std::shared_ptr<::arrow::Schema>& schema,
                                         const std::vector<Batch>& batches) {
  auto table = ::arrow::Table::FromRecordBatches(schema, batches);
  throw_if_error(table.status());
  return *std::move(table);
}

// One side of a group. `flat`: the columns are not inside of a struct.
Group make_group(const std::shared_ptr<::arrow::Schema>& schema, std::vector<Batch> batches,
                 const Columns& columns, bool flat) {
  const auto rows = flat ? schema : unwrap_struct(*schema);
  std::vector<Batch> values;
  Group group;
  for (const Batch& batch : batches) {
    const Batch whole = flat ? batch : unwrap_struct(batch);
    if (group.key == nullptr && whole->num_rows() != 0) {
      group.key = select(*whole->Slice(0, 1), columns.key);
    }
    values.push_back(select(*whole, columns.values));
  }
  group.values = table_of(select(*rows, columns.values), values);
  return group;
}

// Sends a function's table in the batches that it has.
void send_table(Task& task, const std::string& what, const ::arrow::Table* table,
                const ::arrow::Schema& promised) {
  if (table == nullptr) return;
  task.call(what, [&] { check_output(*table->schema(), promised); });
  ::arrow::TableBatchReader reader(*table);
  for (;;) {
    Batch batch;
    task.call(what, [&] { throw_if_error(reader.ReadNext(&batch)); });
    if (batch == nullptr) return;
    task.send(*wrap_struct(*batch));
  }
}

}  // namespace

void run_grouped_map(Task& task, const Registry& registry) {
  const BoundFunction bound = find_only_function(registry, Kind::grouped_map, task.init());
  const auto columns = read_columns(task.init().udfs.front().arguments, 1);
  while (const auto stream = task.next_stream(true)) {
    const Group group = make_group(stream->schema(), read_all(task), columns.front(), false);
    const auto input = group.values->schema();
    check_input(bound, *input);
    const Call call{task.context(), bound.command.name, bound.command.payload, input};
    const auto result = task.call(bound.what, [&] {
      return std::get<GroupedMapFunction>(bound.function->body)(call, group);
    });
    send_table(task, bound.what, result.get(), *output_of(bound, input));
  }
}

void run_cogrouped_map(Task& task, const Registry& registry) {
  const BoundFunction bound = find_only_function(registry, Kind::cogrouped_map, task.init());
  const auto columns = read_columns(task.init().udfs.front().arguments, 2);
  while (const auto first = task.next_stream(true)) {
    const Group left = make_group(first->schema(), read_all(task), columns[0], true);
    const auto second = task.next_stream(true);
    const Group right = make_group(second->schema(), read_all(task), columns[1], true);
    const auto input = left.values->schema();
    check_input(bound, *input);
    const Call call{task.context(), bound.command.name, bound.command.payload, input};
    const auto result = task.call(bound.what, [&] {
      return std::get<CogroupedMapFunction>(bound.function->body)(call, left, right);
    });
    send_table(task, bound.what, result.get(), *output_of(bound, input));
  }
}

void run_grouped_aggregates(Task& task, const Registry& registry) {
  std::vector<BoundFunction> functions;
  std::vector<std::vector<int>> columns;
  for (const auto& udf : task.init().udfs) {
    if (udf.commands.size() != 1) throw Unsupported("a chain of grouped aggregates");
    functions.push_back(find_function(registry, Kind::grouped_aggregate, udf.commands.front()));
    columns.push_back(argument_columns(functions.back(), udf.arguments));
  }
  while (const auto stream = task.next_stream(true)) {
    const auto table = table_of(stream->schema(), read_all(task));
    ::arrow::FieldVector fields;
    ::arrow::ArrayVector results;
    for (std::size_t i = 0; i < functions.size(); ++i) {
      const BoundFunction& bound = functions[i];
      const auto input = select(*table->schema(), columns[i]);
      check_input(bound, *input);
      const Call call{task.context(), bound.command.name, bound.command.payload, input};
      ::arrow::ChunkedArrayVector arguments;
      for (const int column : columns[i]) arguments.push_back(table->column(column));
      task.call(bound.what, [&] {
        const auto value =
            std::get<GroupedAggregateFunction>(bound.function->body)(call, arguments);
        if (value == nullptr) throw UserError("it gave no value");
        const auto field = ::arrow::field("_" + std::to_string(i), value->type);
        check_output(*::arrow::schema({field}), *output_of(bound, select(*input, {0})));
        auto column = ::arrow::MakeArrayFromScalar(*value, 1);
        throw_if_error(column.status());
        fields.push_back(field);
        results.push_back(*std::move(column));
      });
    }
    task.send(
        *::arrow::RecordBatch::Make(::arrow::schema(std::move(fields)), 1, std::move(results)));
  }
}

}  // namespace forebay::udf
