// SPDX-License-Identifier: Apache-2.0
#pragma once

// The median of the last n values, at each value of a series in the order of time: what Spark's own
// window functions cannot do.

#include <arrow/array.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/table.h>
#include <forebay/udf/registry.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace examples {

/// A window that slides over a series.
class RollingMedian {
 public:
  /// Of the last `length` values.
  explicit RollingMedian(std::size_t length) : length_(length) {}

  /// The median after one more value.
  double add(double value) {
    if (window_.size() == length_) {
      sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), window_[oldest_]));
      window_[oldest_] = value;
      oldest_ = (oldest_ + 1) % length_;
    } else {
      window_.push_back(value);
    }
    sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), value), value);
    const std::size_t middle = sorted_.size() / 2;
    return sorted_.size() % 2 == 1 ? sorted_[middle] : (sorted_[middle - 1] + sorted_[middle]) / 2;
  }

 private:
  std::size_t length_;
  std::size_t oldest_ = 0;
  std::vector<double> window_;
  std::vector<double> sorted_;
};

/// The columns that rolling_median() takes and gives.
inline forebay::udf::Signature rolling_median_signature() {
  const auto sensor = arrow::field("sensor", arrow::int64());
  const auto at = arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO));
  const auto value = arrow::field("value", arrow::float64());
  const auto median = arrow::field("median", arrow::float64());
  return {arrow::schema({sensor, at, value}), arrow::schema({sensor, at, value, median})};
}

/// A group, the readings of one sensor in any order, in their order and with the median of each and
/// those before it; the payload says of how many. Readings with a null are left out.
inline std::shared_ptr<arrow::Table> rolling_median(const forebay::udf::Call& call,
                                                    const forebay::udf::Group& group) {
  std::size_t length = 0;
  const char* const end = call.payload.data() + call.payload.size();
  const auto [rest, error] = std::from_chars(call.payload.data(), end, length);
  if (error != std::errc() || rest != end || length == 0) {
    throw std::invalid_argument("the payload is no number of readings: '" + call.payload + "'");
  }
  // Batches of columns, which lie in chunks of the same lengths.
  std::vector<std::pair<std::int64_t, double>> readings;
  std::int64_t sensor = 0;
  for (int chunk = 0; chunk < group.values->column(0)->num_chunks(); ++chunk) {
    const auto column = [&](int i) { return group.values->column(i)->chunk(chunk); };
    const auto sensors = std::static_pointer_cast<arrow::Int64Array>(column(0));
    const auto times = std::static_pointer_cast<arrow::TimestampArray>(column(1));
    const auto values = std::static_pointer_cast<arrow::DoubleArray>(column(2));
    for (std::int64_t row = 0; row < values->length(); ++row) {
      if (sensors->IsNull(row) || times->IsNull(row) || values->IsNull(row)) continue;
      sensor = sensors->Value(row);
      readings.emplace_back(times->Value(row), values->Value(row));
    }
  }
  std::sort(readings.begin(), readings.end());

  RollingMedian median(length);
  arrow::Int64Builder sensors;
  arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::MICRO),
                                arrow::default_memory_pool());
  arrow::DoubleBuilder values;
  arrow::DoubleBuilder medians;
  for (const auto& [time, value] : readings) {
    forebay::udf::throw_if_error(sensors.Append(sensor));
    forebay::udf::throw_if_error(times.Append(time));
    forebay::udf::throw_if_error(values.Append(value));
    forebay::udf::throw_if_error(medians.Append(median.add(value)));
  }
  arrow::ArrayVector columns;
  for (arrow::ArrayBuilder* builder :
       std::initializer_list<arrow::ArrayBuilder*>{&sensors, &times, &values, &medians}) {
    forebay::udf::throw_if_error(builder->Finish(&columns.emplace_back()));
  }
  return arrow::Table::Make(rolling_median_signature().output, columns);
}

}  // namespace examples
