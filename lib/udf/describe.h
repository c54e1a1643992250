// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "forebay/udf/registry.h"

namespace forebay::udf {

// The functions as JSON: {"forebay": version, "functions": [{"name", "kind", "input", "output"}]},
// schemas as Spark writes them, null where the function takes what comes and gives what it took.
std::string describe(const Registry& registry);

}  // namespace forebay::udf
