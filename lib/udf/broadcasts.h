// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "forebay/spark/init_message.h"
#include "forebay/udf/call.h"

namespace forebay::udf {

// Forgets the broadcasts that the message says are gone, and fetches those that are new, from their
// files or, when those are encrypted, from the server that Spark names; `bytes_max` in all, those
// that were there included. Blocking: until they are here, or the server has said nothing for a
// minute. Errors: LimitExceeded; std::system_error for a file that cannot be read and a server that
// cannot be reached; InvalidConnection, PermissionDenied, ProtocolError, Truncated and
// DeadlineExceeded, of the server.
void update_broadcasts(const spark::InitMessage& init, std::size_t bytes_max,
                       Broadcasts& broadcasts);

}  // namespace forebay::udf
