// SPDX-License-Identifier: Apache-2.0
#pragma once

// Figures of a session, for both kinds of engine.
//
// Spark 4.3.0 declares field 1 of both terminators as map<string, string>; later engines declare it
// as a message of numbers. Nothing says which engine is there. Each occurrence of the field that is
// written here is both: a map's entry, whose key and value are texts in fields 1 and 2, and beside
// them, under the number that the later engines have for that name, the value as a varint. Either
// reader takes what is of its type and passes over the rest. What cannot be known: whether an
// engine looks at any of it; and names outside the list reach only engines with the map.

#include <string>
#include <string_view>

#include "forebay/grpc/messages.h"

namespace forebay::grpc {

// The names, in the order of their numbers from 1 in later engines.
inline constexpr std::string_view kMetricNames[] = {
    "bytes_in",           "bytes_out",       "rows_in",         "rows_out",
    "batches_in",         "batches_out",     "init_wall_nanos", "processing_wall_nanos",
    "receive_wall_nanos", "send_wall_nanos", "work_wall_nanos", "work_cpu_nanos"};

// What one occurrence of the field holds.
std::string encode_metric(const std::string& name, const std::string& value);

// The metrics in a UdfResponse, whoever wrote it, of the terminator that has this number.
Settings read_metrics(std::string_view response, int terminator);

}  // namespace forebay::grpc
