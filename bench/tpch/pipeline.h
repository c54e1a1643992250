// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "tpch/feed.h"
#include "tpch/q6.h"

namespace tpch {

struct PipelineOptions {
  std::uint32_t work = 1;  ///< times that a batch's answer is worked out; none: decode only
  int workers = 1;         ///< threads, the caller's among them
};

struct Answer {
  Units revenue = 0;
  std::uint64_t rows = 0;
  std::uint64_t batches = 0;
};

/// Takes every batch out of the feed and runs query 6 on it, in oneTBB tasks: each holds the guard
/// of its batch, and at most two batches a worker are in flight. With one worker the caller's
/// thread does it all. Throws what the feed or the query throws.
[[nodiscard]] Answer run_query(Feed& feed, const PipelineOptions& options);

}  // namespace tpch
