// SPDX-License-Identifier: Apache-2.0
#include "tpch/sample.h"

#include <arrow/array/builder_decimal.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/writer.h>
#include <arrow/type.h>
#include <arrow/util/decimal.h>

#include "tpch/arrow_input.h"

namespace tpch {
namespace {

void check(const arrow::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

std::shared_ptr<arrow::Array> decimals(const std::vector<Row>& rows, std::int64_t Row::*value) {
  arrow::Decimal128Builder builder(arrow::decimal128(15, 2));
  for (const Row& row : rows) check(builder.Append(arrow::Decimal128(row.*value)));
  return value_of(builder.Finish());
}

}  // namespace

std::shared_ptr<arrow::RecordBatch> batch_of(const std::vector<Row>& rows) {
  arrow::Date32Builder dates;
  for (const Row& row : rows) check(dates.Append(row.shipdate));
  const auto money = arrow::decimal128(15, 2);
  const auto schema = arrow::schema(
      {arrow::field("l_quantity", money), arrow::field("l_extendedprice", money),
       arrow::field("l_discount", money), arrow::field("l_shipdate", arrow::date32())});
  return arrow::RecordBatch::Make(
      schema, static_cast<std::int64_t>(rows.size()),
      {decimals(rows, &Row::quantity), decimals(rows, &Row::extendedprice),
       decimals(rows, &Row::discount), value_of(dates.Finish())});
}

std::shared_ptr<arrow::Buffer> stream_of(const arrow::RecordBatch& batch) {
  const auto out = value_of(arrow::io::BufferOutputStream::Create());
  const auto writer = value_of(arrow::ipc::MakeStreamWriter(out, batch.schema()));
  check(writer->WriteRecordBatch(batch));
  check(writer->Close());
  return value_of(out->Finish());
}

}  // namespace tpch
