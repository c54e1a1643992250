// SPDX-License-Identifier: Apache-2.0

// The ready-made worker: the built-in functions, and those of shared libraries.

#include <forebay/udf/worker.h>

int main(int argc, char** argv) { return forebay::udf::worker_main(argc, argv, {}); }
