// SPDX-License-Identifier: Apache-2.0

// The worker of ./dev run --spark and of the Spark benchmark: TPC-H query 1, and what
// examples/spark has, the distance also without branches.

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <forebay/udf/worker.h>

#include <memory>
#include <string_view>
#include <utility>

#include "../../examples/spark/edit_distance.h"
#include "../../examples/spark/haversine.h"
#include "query1.h"

namespace {

std::shared_ptr<arrow::Array> distances(const forebay::udf::Call&,
                                        const arrow::ArrayVector& columns) {
  const std::int64_t rows = columns.front()->length();
  const auto values = [&](std::size_t i) { return columns[i]->data()->GetValues<double>(1); };
  for (const auto& column : columns) {
    if (column->null_count() != 0) throw std::invalid_argument("a place without a number");
  }
  auto buffer = arrow::AllocateBuffer(rows * static_cast<std::int64_t>(sizeof(double)));
  forebay::udf::throw_if_error(buffer.status());
  examples::haversine_km(values(0), values(1), values(2), values(3),
                         reinterpret_cast<double*>((*buffer)->mutable_data()), rows);
  return std::make_shared<arrow::DoubleArray>(rows,
                                              std::shared_ptr<arrow::Buffer>(std::move(*buffer)));
}

}  // namespace

int main(int argc, char** argv) {
  forebay::udf::Registry registry;
  registry.map("query1", query1::signature(), query1::run);
  registry.scalar("haversine",
                  [](double latitude1, double longitude1, double latitude2, double longitude2) {
                    return examples::haversine_km(latitude1, longitude1, latitude2, longitude2);
                  });
  const auto number = [](const char* name) { return arrow::field(name, arrow::float64()); };
  registry.scalar("haversine_vectorised",
                  {arrow::schema({number("_0"), number("_1"), number("_2"), number("_3")}),
                   arrow::schema({number("_0")})},
                  forebay::udf::ScalarFunction(distances));
  registry.scalar("edit_distance", [distance = examples::EditDistance()](
                                       std::string_view one, std::string_view other) mutable {
    return distance(one, other);
  });
  return forebay::udf::worker_main(argc, argv, std::move(registry));
}
