// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace forebay::deterministic {

/// Plants each known fault in a process of its own, and runs seeds until it is found. The status is
/// 0 when all were found, 1 when one was not.
int run_controls();

}  // namespace forebay::deterministic
