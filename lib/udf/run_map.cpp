// SPDX-License-Identifier: Apache-2.0

// Functions over batches: map, and scalars over an iterator.

#include <arrow/table.h>

#include "function_call.h"

namespace forebay::udf {

namespace {

// The batches of a task's one Arrow stream, as the function wants them.
template <class Shape>
class StreamSource final : public BatchSource {
 public:
  StreamSource(Task& task, std::shared_ptr<::arrow::Schema> schema, Shape shape)
      : task_(task), schema_(std::move(schema)), shape_(std::move(shape)) {}

  Batch next() override {
    Batch batch = task_.next_batch();
    if (batch == nullptr) return nullptr;
    rows_ += batch->num_rows();
    return shape_(batch);
  }
  const std::shared_ptr<::arrow::Schema>& schema() const override { return schema_; }
  std::int64_t rows() const { return rows_; }

 private:
  Task& task_;
  const std::shared_ptr<::arrow::Schema> schema_;
  const Shape shape_;
  std::int64_t rows_ = 0;
};

class MapSink final : public BatchSink {
 public:
  MapSink(Task& task, std::shared_ptr<::arrow::Schema> promised)
      : task_(task), promised_(std::move(promised)) {}

  void write(const Batch& batch) override {
    if (batch == nullptr) throw UserError("it gave a null batch");
    check_output(*batch->schema(), *promised_);
    task_.send(task_.flat_rows() ? *batch : *wrap_struct(*batch));
  }

 private:
  Task& task_;
  const std::shared_ptr<::arrow::Schema> promised_;
};

class ColumnSink final : public BatchSink {
 public:
  ColumnSink(Task& task, std::shared_ptr<::arrow::Schema> promised)
      : task_(task), promised_(std::move(promised)) {}

  void write(const Batch& batch) override {
    if (batch == nullptr) throw UserError("it gave a null batch");
    check_output(*batch->schema(), *promised_);
    rows_ += batch->num_rows();
    const auto field = ::arrow::field("_0", batch->schema()->field(0)->type());
    task_.send(*::arrow::RecordBatch::Make(::arrow::schema({field}), batch->num_rows(),
                                           {batch->column(0)}));
  }
  std::int64_t rows() const { return rows_; }

 private:
  Task& task_;
  const std::shared_ptr<::arrow::Schema> promised_;
  std::int64_t rows_ = 0;
};

std::shared_ptr<::arrow::Schema> first_column(const ::arrow::Schema& schema) {
  if (schema.num_fields() == 0) throw UserError("it is called without a column");
  return ::arrow::schema({schema.field(0)});
}

}  // namespace

void run_map(Task& task, const Registry& registry) {
  const BoundFunction bound = find_only_function(registry, Kind::map, task.init());
  const auto stream = task.next_stream(false);
  const bool flat = task.flat_rows();
  auto input = flat ? stream->schema() : unwrap_struct(*stream->schema());
  check_input(bound, *input);
  const Call call{task.context(), bound.command.name, bound.command.payload, input};
  StreamSource source(task, input,
                      [flat](const Batch& batch) { return flat ? batch : unwrap_struct(batch); });
  MapSink sink(task, output_of(bound, input));
  task.call(bound.what, [&] { std::get<MapFunction>(bound.function->body)(call, source, sink); });
}

void run_scalar_iterator(Task& task, const Registry& registry) {
  const BoundFunction bound = find_only_function(registry, Kind::scalar_iterator, task.init());
  const auto columns = argument_columns(bound, task.init().udfs.front().arguments);
  const auto stream = task.next_stream(false);
  auto input = select(*stream->schema(), columns);
  check_input(bound, *input);
  const Call call{task.context(), bound.command.name, bound.command.payload, input};
  StreamSource source(task, input,
                      [&columns](const Batch& batch) { return select(*batch, columns); });
  const auto& promised = bound.function->signature.output;
  task.call(bound.what, [&] {
    ColumnSink sink(task, promised != nullptr ? promised : first_column(*input));
    std::get<ScalarIteratorFunction>(bound.function->body).body(call, source, sink);
    while (source.next() != nullptr) {
    }
    if (sink.rows() != source.rows()) {
      throw UserError("it gave " + std::to_string(sink.rows()) + " rows for " +
                      std::to_string(source.rows()));
    }
  });
}

}  // namespace forebay::udf
