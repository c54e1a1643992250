// SPDX-License-Identifier: Apache-2.0
#include "forebay/spark/protocol.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <utility>

#include "forebay/error.h"

namespace forebay::spark {

namespace {

using Name = std::pair<std::int32_t, const char*>;

constexpr Name kMarkers[] = {
    {-1, "END_OF_DATA_SECTION"},
    {-2, "PYTHON_EXCEPTION_THROWN"},
    {-3, "TIMING_DATA"},
    {-4, "END_OF_STREAM"},
    {-5, "NULL"},
    {-6, "START_ARROW_STREAM"},
    {-7, "END_OF_MICRO_BATCH"},
    {-8, "START_OF_INIT_MESSAGE"},
};

constexpr Name kEvalTypes[] = {
    {0, "NON_UDF"},
    {100, "SQL_BATCHED_UDF"},
    {101, "SQL_ARROW_BATCHED_UDF"},
    {200, "SCALAR_PANDAS"},
    {201, "GROUPED_MAP_PANDAS"},
    {202, "GROUPED_AGG_PANDAS"},
    {203, "WINDOW_AGG_PANDAS"},
    {204, "SCALAR_PANDAS_ITER"},
    {205, "MAP_PANDAS_ITER"},
    {206, "COGROUPED_MAP_PANDAS"},
    {207, "MAP_ARROW_ITER"},
    {208, "GROUPED_MAP_PANDAS_WITH_STATE"},
    {209, "GROUPED_MAP_ARROW"},
    {210, "COGROUPED_MAP_ARROW"},
    {211, "TRANSFORM_WITH_STATE_PANDAS"},
    {212, "TRANSFORM_WITH_STATE_PANDAS_INIT_STATE"},
    {213, "TRANSFORM_WITH_STATE_PYTHON_ROW"},
    {214, "TRANSFORM_WITH_STATE_PYTHON_ROW_INIT_STATE"},
    {215, "GROUPED_MAP_ARROW_ITER"},
    {216, "GROUPED_MAP_PANDAS_ITER"},
    {217, "GROUPED_AGG_PANDAS_ITER"},
    {250, "SCALAR_ARROW"},
    {251, "SCALAR_ARROW_ITER"},
    {252, "GROUPED_AGG_ARROW"},
    {253, "WINDOW_AGG_ARROW"},
    {254, "GROUPED_AGG_ARROW_ITER"},
    {300, "SQL_TABLE_UDF"},
    {301, "SQL_ARROW_TABLE_UDF"},
    {302, "SQL_ARROW_UDTF"},
};

template <std::size_t N>
std::string named(const Name (&names)[N], std::int32_t value) {
  const auto* const found = std::find_if(std::begin(names), std::end(names),
                                         [value](const Name& name) { return name.first == value; });
  const std::string number = std::to_string(value);
  return found == std::end(names) ? number : std::string(found->second) + " (" + number + ")";
}

}  // namespace

std::string marker_name(std::int32_t word) { return named(kMarkers, word); }

std::string eval_type_name(std::int32_t eval_type) { return named(kEvalTypes, eval_type); }

ChannelVersion channel_version(const std::string& spark_version) {
  std::array<int, 2> parts{};
  const char* at = spark_version.data();
  const char* const end = at + spark_version.size();
  for (int& part : parts) {
    const auto [rest, error] = std::from_chars(at, end, part);
    if (error != std::errc() || part < 0) throw Unsupported("Spark '" + spark_version + "'");
    at = rest != end ? rest + 1 : end;
  }
  if (parts >= std::array{4, 3}) return ChannelVersion::spark_4_3;
  if (parts == std::array{4, 2}) return ChannelVersion::spark_4_2;
  throw Unsupported("Spark " + spark_version + ": its worker channel is not spoken, 4.2 is");
}

}  // namespace forebay::spark
