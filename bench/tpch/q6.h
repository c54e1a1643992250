// SPDX-License-Identifier: Apache-2.0
#pragma once

// TPC-H query 6 over Arrow record batches, exactly:
//
//     select sum(l_extendedprice * l_discount) from lineitem
//     where l_shipdate >= date '1994-01-01' and l_shipdate < date '1995-01-01'
//       and l_discount between 0.05 and 0.07 and l_quantity < 24
//
// Money is decimal128(15, 2), so a product has four decimals. Sums are kept in integers of 1/10000.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace arrow {
class RecordBatch;
class Schema;
}  // namespace arrow

namespace tpch {

/// A revenue in units of 1/10000.
__extension__ using Units = __int128;

/// The query, bound to where its columns are in a schema. Copy it freely; any thread may run it.
class Query6 {
 public:
  static constexpr std::int32_t kShipdateMin =
      std::chrono::sys_days(std::chrono::year(1994) / 1 / 1).time_since_epoch().count();
  static constexpr std::int32_t kShipdateEnd =
      std::chrono::sys_days(std::chrono::year(1995) / 1 / 1).time_since_epoch().count();
  static constexpr std::int64_t kDiscountMin = 5;     // hundredths
  static constexpr std::int64_t kDiscountMax = 7;     // hundredths
  static constexpr std::int64_t kQuantityEnd = 2400;  // hundredths

  /// Throws std::runtime_error when a column is missing or is not of the type that is expected.
  explicit Query6(const arrow::Schema& schema);

  /// The revenue of one batch. The answer is worked out `repeats` times, all of which must agree,
  /// so that a query can be made as heavy as one likes. Throws std::runtime_error for null values.
  [[nodiscard]] Units run(const arrow::RecordBatch& batch, std::uint32_t repeats) const;

 private:
  int shipdate_;
  int discount_;
  int quantity_;
  int extendedprice_;
};

/// With four decimals: "123141078.2283".
[[nodiscard]] std::string to_string(Units revenue);

}  // namespace tpch
