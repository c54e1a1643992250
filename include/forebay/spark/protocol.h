// SPDX-License-Identifier: Apache-2.0
#pragma once

// The words of Spark's worker channel: special lengths and evaluation types. All integers on the
// channel are big-endian.

#include <cstdint>
#include <string>

namespace forebay::spark {

/// Negative words that stand where a length is expected.
enum class Marker : std::int32_t {
  end_of_data_section = -1,    ///< the answer is complete; as a farewell: not to be used again
  exception_thrown = -2,       ///< a text follows, the task has failed
  timing_data = -3,            ///< six 64-bit figures follow
  end_of_stream = -4,          ///< the task's input is complete; as a farewell: to be used again
  null = -5,                   ///< no value
  start_arrow_stream = -6,     ///< an Arrow IPC stream follows
  end_of_micro_batch = -7,     ///< streaming state, from Spark only
  start_of_init_message = -8,  ///< a task begins: its length and its init message follow
};

/// What Spark wants done with a function: PythonEvalType.
enum class EvalType : std::int32_t {
  map_arrow_iter = 207,
  grouped_map_arrow = 209,
  cogrouped_map_arrow = 210,
  scalar_arrow = 250,
  scalar_arrow_iter = 251,
  grouped_agg_arrow = 252,
};

/// As people know it: "END_OF_STREAM (-4)", and the number alone for a word that is no marker.
[[nodiscard]] std::string marker_name(std::int32_t word);

/// As people know it: "MAP_ARROW_ITER (207)", and the number alone for an unknown type.
[[nodiscard]] std::string eval_type_name(std::int32_t eval_type);

/// The versions of the channel that are spoken. A worker is told which one; it does not guess.
enum class ChannelVersion : std::uint8_t {
  spark_4_2,  ///< the init message has neither a marker nor a length
  spark_4_3,  ///< the init message has both
};

/// The version of a text such as "4.3.0", as SparkContext.version has it. Later versions are taken
/// to speak as the last that is known. Throws Unsupported for earlier ones and for other text.
[[nodiscard]] ChannelVersion channel_version(const std::string& spark_version);

}  // namespace forebay::spark
