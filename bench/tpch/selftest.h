// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace tpch {

/// Checks query 6 against a few rows worked out by hand. Says what fails; 0 when nothing does.
[[nodiscard]] int selftest();

}  // namespace tpch
