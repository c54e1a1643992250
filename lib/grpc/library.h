// SPDX-License-Identifier: Apache-2.0
#pragma once

// gRPC as a whole.

#include <grpc/grpc.h>

namespace forebay::grpc {

// Begins its use, for as long as the process lives. The last end of its use waits for gRPC's own
// poller, which may sit in its poll for ten seconds: no server and no client ends so late.
inline void keep_library() { [[maybe_unused]] static const bool once = (::grpc_init(), true); }

}  // namespace forebay::grpc
