// SPDX-License-Identifier: Apache-2.0
#include "tpch/q6.h"

#include <arrow/array/data.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <stdexcept>

namespace tpch {
namespace {

constexpr int kPrecisionMax = 15;

int column(const arrow::Schema& schema, const char* name, bool decimal) {
  const int index = schema.GetFieldIndex(name);
  if (index < 0) throw std::runtime_error(std::string("no column ") + name);
  const arrow::DataType& type = *schema.field(index)->type();
  bool fits = type.id() == arrow::Type::DATE32;
  if (decimal) {
    // Up to this precision a value is its low 64 bits.
    const auto* money = dynamic_cast<const arrow::Decimal128Type*>(&type);
    fits = money != nullptr && money->scale() == 2 && money->precision() <= kPrecisionMax;
  }
  if (!fits) throw std::runtime_error(std::string(name) + " is " + type.ToString());
  return index;
}

// Values of one column as they lie in memory, which need not be aligned.
class Values {
 public:
  Values(const arrow::RecordBatch& batch, int index, std::size_t stride_bytes)
      : stride_bytes_(stride_bytes) {
    const arrow::ArrayData& data = *batch.column_data(index);
    if (data.GetNullCount() != 0) throw std::runtime_error("a column of query 6 has null values");
    first_ = data.buffers[1]->data() + static_cast<std::size_t>(data.offset) * stride_bytes;
  }
  template <class T>
  [[nodiscard]] T at(std::size_t row) const noexcept {
    T value;
    std::memcpy(&value, first_ + row * stride_bytes_, sizeof(T));
    return value;
  }

 private:
  const std::uint8_t* first_;
  std::size_t stride_bytes_;
};

constexpr std::size_t kDateBytes = 4;
constexpr std::size_t kDecimalBytes = 16;

struct Columns {
  Values shipdate;
  Values discount;
  Values quantity;
  Values extendedprice;
};

// So many rows that their sum cannot leave 64 bits: 1024 * 7 * 10^15 < 2^63.
constexpr std::size_t kRowsPerSum = 1024;

[[gnu::noinline]] Units revenue(const Columns& columns, std::size_t rows) {
  Units total = 0;
  for (std::size_t begin = 0; begin < rows; begin += kRowsPerSum) {
    const std::size_t end = std::min(rows, begin + kRowsPerSum);
    std::int64_t sum = 0;
    for (std::size_t row = begin; row < end; ++row) {
      const auto shipdate = columns.shipdate.at<std::int32_t>(row);
      const auto discount = columns.discount.at<std::int64_t>(row);
      const auto quantity = columns.quantity.at<std::int64_t>(row);
      const auto price = columns.extendedprice.at<std::int64_t>(row);
      // Without branches: which rows match cannot be predicted.
      const bool matches = (shipdate >= Query6::kShipdateMin) & (shipdate < Query6::kShipdateEnd) &
                           (discount >= Query6::kDiscountMin) & (discount <= Query6::kDiscountMax) &
                           (quantity < Query6::kQuantityEnd);
      sum += matches ? price * discount : 0;
    }
    total += sum;
  }
  return total;
}

}  // namespace

Query6::Query6(const arrow::Schema& schema)
    : shipdate_(column(schema, "l_shipdate", false)),
      discount_(column(schema, "l_discount", true)),
      quantity_(column(schema, "l_quantity", true)),
      extendedprice_(column(schema, "l_extendedprice", true)) {}

Units Query6::run(const arrow::RecordBatch& batch, std::uint32_t repeats) const {
  const Columns columns{
      Values(batch, shipdate_, kDateBytes), Values(batch, discount_, kDecimalBytes),
      Values(batch, quantity_, kDecimalBytes), Values(batch, extendedprice_, kDecimalBytes)};
  const auto rows = static_cast<std::size_t>(batch.num_rows());
  const Units answer = revenue(columns, rows);
  for (std::uint32_t repeat = 1; repeat < repeats; ++repeat) {
    // The compiler must take it that the columns have changed, and work the answer out again.
    asm volatile("" : : "r"(&columns) : "memory");
    if (revenue(columns, rows) != answer)
      throw std::runtime_error("a batch changed under the query");
  }
  return answer;
}

std::string to_string(Units revenue) {
  const bool negative = revenue < 0;
  if (negative) revenue = -revenue;
  std::string digits;
  while (revenue > 0 || digits.size() < 5) {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(revenue % 10)));
    revenue /= 10;
  }
  digits.insert(digits.end() - 4, '.');
  if (negative) digits.insert(digits.begin(), '-');
  return digits;
}

}  // namespace tpch
