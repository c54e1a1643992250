// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "forebay/udf/registry.h"

namespace forebay::udf {

// Adds the functions of a shared library, which stays loaded: see FOREBAY_FUNCTIONS. Errors:
// Unsupported for a file that is no such library; what the library throws.
void load_library(const std::string& path, Registry& registry);

}  // namespace forebay::udf
