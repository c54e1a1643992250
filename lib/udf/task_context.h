// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "forebay/spark/init_message.h"
#include "forebay/udf/call.h"

namespace forebay::udf {

// What the init message says of its task. Broadcasts are kept in `broadcasts` from task to task,
// `broadcast_bytes_max` in all, and those that are new are fetched. Errors: ProtocolError for a
// context that is not as Spark writes it; those of update_broadcasts().
TaskContext read_context(const spark::InitMessage& init, std::size_t broadcast_bytes_max,
                         Broadcasts& broadcasts);

// What a function's command bytes name: "FOREBAY1", 0, the name, 0, the payload.
struct Command {
  std::string name;
  std::string payload;
};

// Errors: ProtocolError for bytes that are no such command.
Command read_command(const std::string& bytes);

}  // namespace forebay::udf
