// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace forebay::udf {

// Makes this process, when it dies of a fault, leave a backtrace: on stderr, and where
// PYTHON_FAULTHANDLER_DIR says, in a file named by the process id, which Spark shows to the user.
// To be called once in each worker process.
void report_crashes();

// Where the process is, for the backtrace's first line; null for nowhere. Must outlive its use.
void set_crash_note(const char* note) noexcept;

}  // namespace forebay::udf
