// SPDX-License-Identifier: Apache-2.0
#pragma once

// What one would write without Forebay: Arrow's classes on a descriptor, in one thread.

#include <memory>

#include "tpch/feed.h"

namespace forebay::bench {

/// The best that one thread can do: each body is received straight into the same aligned memory,
/// and decoded there. A batch is good only until the next one.
[[nodiscard]] std::unique_ptr<tpch::Feed> make_one_thread_feed(socket::Descriptor socket);

/// Arrow's own stream reader over a descriptor: each buffer is received into memory of its own.
[[nodiscard]] std::unique_ptr<tpch::Feed> make_arrow_feed(socket::Descriptor socket);

}  // namespace forebay::bench
