// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "forebay/spark/init_message.h"
#include "forebay/udf/call.h"

namespace forebay::udf {

// Forgets the broadcasts that the message says are gone, and fetches those that are new.
// Errors: Unsupported for encrypted ones, std::system_error for a file that cannot be read.
void update_broadcasts(const spark::InitMessage& init, Broadcasts& broadcasts);

}  // namespace forebay::udf
