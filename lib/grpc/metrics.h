// SPDX-License-Identifier: Apache-2.0
#pragma once

// Figures of a session, for both kinds of engine.
//
// Spark 4.3.0 declares field 1 of both terminators as map<string, string>; later engines declare it
// as a message of numbers. Nothing says which engine is there, so the field is written for both: an
// entry of the map for each figure, and one occurrence more that has the figures as varints, under
// the numbers that later engines have for them. That one is an entry as well, of the first figure
// again: a reader of the map may take it (Java's does) or pass it over for what it does not know in
// it (upb's, which Python and C have, does). A reader of the message passes over what is a text.
// What cannot be known: whether an engine looks at any of it; and names outside the list reach only
// engines with the map.

#include <string>
#include <string_view>
#include <vector>

#include "forebay/grpc/messages.h"

namespace forebay::grpc {

// The names, in the order of their numbers from 1 in later engines.
inline constexpr std::string_view kMetricNames[] = {
    "bytes_in",           "bytes_out",       "rows_in",         "rows_out",
    "batches_in",         "batches_out",     "init_wall_nanos", "processing_wall_nanos",
    "receive_wall_nanos", "send_wall_nanos", "work_wall_nanos", "work_cpu_nanos"};

// What each occurrence of the field holds.
std::vector<std::string> encode_metrics(const Settings& metrics);

// The metrics in a UdfResponse, whoever wrote it, of the terminator that has this number.
Settings read_metrics(std::string_view response, int terminator);

}  // namespace forebay::grpc
