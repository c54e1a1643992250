// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "python.h"

namespace forebay::python {

/// Adds ZeroCopyByteStream and StreamStats to the module.
void declare_byte_stream(nb::module_& module);

/// Adds connect(), listen() and Listener to the module.
void declare_connections(nb::module_& module);

}  // namespace forebay::python
