// SPDX-License-Identifier: Apache-2.0

// Functions over columns: any number of them in a task, and each may be a chain of functions.

#include <arrow/array/concatenate.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>

#include "function_call.h"
#include "types.h"

namespace forebay::udf {

namespace {

// Fewer rows are not worth handing to another thread.
constexpr std::int64_t kRowsPerSliceMin = 1024;

std::shared_ptr<::arrow::Array> call_function(const BoundFunction& bound, const Call& call,
                                              const ::arrow::ArrayVector& columns) {
  return std::get<ScalarFunction>(bound.function->body)(call, columns);
}

// Slices of the rows on as many threads as the task has cores; the order is kept.
std::shared_ptr<::arrow::Array> call_parallel(const BoundFunction& bound, const Call& call,
                                              const ::arrow::ArrayVector& columns,
                                              std::int64_t rows) {
  const int threads = std::min(call.task.cpus, tbb::info::default_concurrency());
  const std::int64_t slices = std::min<std::int64_t>(4 * threads, rows / kRowsPerSliceMin);
  if (threads < 2 || slices < 2) return call_function(bound, call, columns);
  ::arrow::ArrayVector results(static_cast<std::size_t>(slices));
  tbb::task_arena arena(threads);
  arena.execute([&] {
    tbb::parallel_for(std::int64_t{0}, slices, [&](std::int64_t slice) {
      const std::int64_t begin = rows * slice / slices;
      const std::int64_t end = rows * (slice + 1) / slices;
      ::arrow::ArrayVector parts;
      for (const auto& column : columns) parts.push_back(column->Slice(begin, end - begin));
      results[static_cast<std::size_t>(slice)] = call_function(bound, call, parts);
    });
  });
  for (const auto& result : results) {
    if (result == nullptr) throw UserError("it gave no column");
  }
  auto joined = ::arrow::Concatenate(results);
  throw_if_error(joined.status());
  return *std::move(joined);
}

// One of a task's functions: a chain, the innermost first.
class Scalar {
 public:
  Scalar(const Registry& registry, const spark::UdfCall& udf) {
    for (const std::string& command : udf.commands) {
      chain_.push_back(find_function(registry, Kind::scalar, command));
    }
    if (chain_.empty()) throw ProtocolError("a function without a command", 0);
    columns_ = argument_columns(chain_.front(), udf.arguments);
  }

  std::shared_ptr<::arrow::Array> operator()(Task& task, const ::arrow::RecordBatch& batch) const {
    Batch input = select(batch, columns_);
    std::shared_ptr<::arrow::Array> result;
    for (const BoundFunction& bound : chain_) {
      check_input(bound, *input->schema());
      const Call call{task.context(), bound.command.name, bound.command.payload, input->schema()};
      result = task.call(bound.what, [&] { return checked(bound, call, *input); });
      input = ::arrow::RecordBatch::Make(::arrow::schema({::arrow::field("_0", result->type())}),
                                         batch.num_rows(), {result});
    }
    return result;
  }

 private:
  static std::shared_ptr<::arrow::Array> checked(const BoundFunction& bound, const Call& call,
                                                 const ::arrow::RecordBatch& input) {
    const std::int64_t rows = input.num_rows();
    auto result = bound.function->signature.row_parallel
                      ? call_parallel(bound, call, input.columns(), rows)
                      : call_function(bound, call, input.columns());
    if (result == nullptr) throw UserError("it gave no column");
    if (result->length() != rows) {
      throw UserError("it gave " + std::to_string(result->length()) + " rows for " +
                      std::to_string(rows));
    }
    const auto& promised = bound.function->signature.output;
    if (promised == nullptr && input.num_columns() == 0) return result;
    const auto& type = promised != nullptr ? promised->field(0)->type() : input.column(0)->type();
    if (!same_type(*result->type(), *type)) {
      throw UserError("it gave " + result->type()->ToString() + " instead of " + type->ToString());
    }
    return result;
  }

  std::vector<BoundFunction> chain_;
  std::vector<int> columns_;
};

}  // namespace

void run_scalars(Task& task, const Registry& registry) {
  std::vector<Scalar> scalars;
  for (const auto& udf : task.init().udfs) scalars.emplace_back(registry, udf);
  (void)task.next_stream(false);
  while (const Batch batch = task.next_batch()) {
    ::arrow::FieldVector fields;
    ::arrow::ArrayVector results;
    for (const Scalar& scalar : scalars) {
      results.push_back(scalar(task, *batch));
      fields.push_back(::arrow::field("_" + std::to_string(fields.size()), results.back()->type()));
    }
    task.send(*::arrow::RecordBatch::Make(::arrow::schema(std::move(fields)), batch->num_rows(),
                                          std::move(results)));
  }
}

}  // namespace forebay::udf
