// SPDX-License-Identifier: Apache-2.0
#include "tpch/selftest.h"

#include <arrow/record_batch.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "tpch/q6.h"
#include "tpch/sample.h"

namespace tpch {
namespace {

constexpr int kIn = Query6::kShipdateMin;  // the first day that counts
constexpr std::int64_t kLargest = 999'999'999'999'999;

std::string answer(const arrow::RecordBatch& batch, std::uint32_t repeats = 1) {
  return to_string(Query6(*batch.schema()).run(batch, repeats));
}

int failures = 0;

void expect(const char* what, const std::string& expected, const std::string& got) {
  if (expected == got) return;
  std::fprintf(stderr, "%s: expected %s, got %s\n", what, expected.c_str(), got.c_str());
  ++failures;
}

}  // namespace

int selftest() {
  static_assert(Query6::kShipdateMin == 8766 && Query6::kShipdateEnd == 9131);
  const auto one = [](std::int32_t shipdate, std::int64_t discount, std::int64_t quantity) {
    return answer(*batch_of({{shipdate, discount, quantity, 10'000}}));
  };
  expect("a row within every bound", "6.0000", one(kIn + 100, 6, 1000));
  expect("the first day of 1994", "6.0000", one(kIn, 6, 1000));
  expect("the day before it", "0.0000", one(kIn - 1, 6, 1000));
  expect("the last day of 1994", "6.0000", one(Query6::kShipdateEnd - 1, 6, 1000));
  expect("the first day of 1995", "0.0000", one(Query6::kShipdateEnd, 6, 1000));
  expect("the least discount", "5.0000", one(kIn, 5, 1000));
  expect("less than it", "0.0000", one(kIn, 4, 1000));
  expect("the greatest discount", "7.0000", one(kIn, 7, 1000));
  expect("more than it", "0.0000", one(kIn, 8, 1000));
  expect("a quantity just below 24", "6.0000", one(kIn, 6, 2399));
  expect("a quantity of 24", "0.0000", one(kIn, 6, 2400));
  expect("four decimals", "0.0005", answer(*batch_of({{kIn, 5, 0, 1}})));
  expect("no rows", "0.0000", answer(*batch_of({})));

  // 5000 of the largest amounts do not fit into 64 bits.
  const auto large = batch_of(std::vector<Row>(5000, {kIn, 7, 0, kLargest}));
  expect("the largest amounts", "3499999999999996.5000", answer(*large));
  expect("the same, thrice", "3499999999999996.5000", answer(*large, 3));
  // Rows 1 to 3 of 5, so that no column begins where its buffer does.
  const auto slice =
      batch_of({{kIn, 7, 0, 1}, {kIn, 5, 0, 2}, {kIn, 6, 0, 300}, {0, 6, 0, 7}, {kIn, 7, 0, 9}})
          ->Slice(1, 3);
  expect("a slice", "0.1810", answer(*slice));
  if (failures == 0) std::puts("query 6: every check passed");
  return failures == 0 ? 0 : 1;
}

}  // namespace tpch
