// SPDX-License-Identifier: Apache-2.0
#pragma once

// The gRPC channel, which stands in a module of its own: only a worker that is to serve it loads
// gRPC.

#include <string>

#include "forebay/udf/registry.h"

namespace forebay::udf {

// Serves the gRPC channel at the connection, a path or a port, until the engine or SIGTERM asks for
// the end and all sessions have ended; a second SIGTERM ends them. Must be called before this
// process has started a thread. Errors: Unsupported where the module cannot be loaded;
// InvalidConnection, and those of the listener.
void serve_grpc(const std::string& connection, const Registry& registry);

}  // namespace forebay::udf
