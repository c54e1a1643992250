// SPDX-License-Identifier: Apache-2.0
#pragma once

// A worker program: what Spark starts, and what describes its functions.

#include "forebay/udf/registry.h"

namespace forebay::udf {

/// The whole of a worker program: `int main(int argc, char** argv) { .. return worker_main(argc,
/// argv, std::move(registry)); }`. Adds the built-in functions. Started by Spark, it serves Spark's
/// tasks; `--help` says what else it does. Must be called before the process starts a thread.
/// Returns the exit status: 0, 1 after an error, 2 for wrong arguments.
[[nodiscard]] int worker_main(int argc, char** argv, Registry registry);

}  // namespace forebay::udf
