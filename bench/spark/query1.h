// SPDX-License-Identifier: Apache-2.0
#pragma once

// The arithmetic of TPC-H query 1 over batches of lineitem, exactly: for each return flag and line
// status of a task its rows and the sums of quantity, price, discounted price, charge and discount.
// Money is decimal128(15, 2); sums are kept in integers of 128 bits.

#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_decimal.h>
#include <arrow/array/builder_primitive.h>
#include <forebay/udf/registry.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace query1 {

__extension__ using Wide = __int128;

/// What is known of one return flag and line status.
struct Sums {
  std::string flag;
  std::string status;
  /// Quantity, price, discounted price, charge, discount.
  std::array<Wide, 5> totals{};
  std::int64_t rows = 0;
};

/// The decimals of each total.
constexpr std::array<int, 5> kScales = {2, 2, 4, 6, 2};

inline forebay::udf::Signature signature() {
  const auto money = arrow::decimal128(15, 2);
  const auto text = arrow::utf8();
  const auto total = [](const char* name, std::size_t i) {
    return arrow::field(name, arrow::decimal128(38, kScales[i]));
  };
  return {
      arrow::schema({arrow::field("flag", text), arrow::field("status", text),
                     arrow::field("quantity", money), arrow::field("price", money),
                     arrow::field("discount", money), arrow::field("tax", money)}),
      arrow::schema({arrow::field("flag", text), arrow::field("status", text), total("quantity", 0),
                     total("price", 1), total("discounted", 2), total("charge", 3),
                     total("discount", 4), arrow::field("rows", arrow::int64())})};
}

/// The text of each row, with offsets of either width.
class TextColumn {
 public:
  explicit TextColumn(const arrow::Array& column)
      : narrow_(dynamic_cast<const arrow::StringArray*>(&column)),
        wide_(dynamic_cast<const arrow::LargeStringArray*>(&column)) {}
  std::string_view operator[](std::int64_t row) const {
    return narrow_ != nullptr ? narrow_->GetView(row) : wide_->GetView(row);
  }

 private:
  const arrow::StringArray* narrow_;
  const arrow::LargeStringArray* wide_;
};

/// The hundredths of each row: fifteen digits, which 64 bits hold.
class MoneyColumn {
 public:
  explicit MoneyColumn(const arrow::Array& column)
      : values_(static_cast<const arrow::Decimal128Array&>(column).raw_values()) {}
  std::int64_t operator[](std::int64_t row) const {
    std::int64_t low = 0;
    std::memcpy(&low, values_ + row * 16, sizeof low);
    return low;
  }

 private:
  const std::uint8_t* values_;
};

/// All sums of a task.
class Query {
 public:
  void add(const arrow::RecordBatch& batch) {
    for (const auto& column : batch.columns()) {
      if (column->null_count() != 0) throw std::invalid_argument("lineitem holds no nulls");
    }
    const TextColumn flags(*batch.column(0));
    const TextColumn states(*batch.column(1));
    const MoneyColumn quantity(*batch.column(2));
    const MoneyColumn price(*batch.column(3));
    const MoneyColumn discount(*batch.column(4));
    const MoneyColumn tax(*batch.column(5));
    for (std::int64_t row = 0; row < batch.num_rows(); ++row) {
      Sums& sums = of(flags[row], states[row]);
      const Wide discounted = Wide{price[row]} * (100 - discount[row]);
      sums.totals[0] += quantity[row];
      sums.totals[1] += price[row];
      sums.totals[2] += discounted;
      sums.totals[3] += discounted * (100 + tax[row]);
      sums.totals[4] += discount[row];
      ++sums.rows;
    }
  }

  /// One row for each flag and status.
  [[nodiscard]] forebay::udf::Batch result() const {
    arrow::StringBuilder flags;
    arrow::StringBuilder states;
    arrow::Int64Builder rows;
    arrow::ArrayVector columns(8);
    for (const Sums& sums : all_) {
      forebay::udf::throw_if_error(flags.Append(sums.flag));
      forebay::udf::throw_if_error(states.Append(sums.status));
      forebay::udf::throw_if_error(rows.Append(sums.rows));
    }
    forebay::udf::throw_if_error(flags.Finish(&columns[0]));
    forebay::udf::throw_if_error(states.Finish(&columns[1]));
    forebay::udf::throw_if_error(rows.Finish(&columns[7]));
    for (std::size_t i = 0; i < kScales.size(); ++i) {
      arrow::Decimal128Builder totals(arrow::decimal128(38, kScales[i]));
      for (const Sums& sums : all_) {
        const Wide total = sums.totals[i];
        const arrow::Decimal128 value(static_cast<std::int64_t>(total >> 64),
                                      static_cast<std::uint64_t>(total));
        forebay::udf::throw_if_error(totals.Append(value));
      }
      forebay::udf::throw_if_error(totals.Finish(&columns[2 + i]));
    }
    return arrow::RecordBatch::Make(signature().output, static_cast<std::int64_t>(all_.size()),
                                    columns);
  }

 private:
  // There are four of them.
  Sums& of(std::string_view flag, std::string_view status) {
    for (Sums& sums : all_) {
      if (sums.flag == flag && sums.status == status) return sums;
    }
    all_.push_back({std::string(flag), std::string(status)});
    return all_.back();
  }

  std::vector<Sums> all_;
};

/// The map function.
inline void run(const forebay::udf::Call&, forebay::udf::BatchSource& source,
                forebay::udf::BatchSink& sink) {
  Query query;
  while (const forebay::udf::Batch batch = source.next()) query.add(*batch);
  sink.write(query.result());
}

}  // namespace query1
