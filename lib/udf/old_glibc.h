// SPDX-License-Identifier: Apache-2.0
#pragma once

// What gcc 12's run-time libraries ask of glibc 2.35 and 2.36, for hosts that have an older one.
//
// libgcc_s looks up the frames of an exception with _dl_find_object, and libstdc++ takes random
// numbers from arc4random. A worker program defines both, so that these libraries, shipped with the
// program, start where glibc has neither. Where glibc has them, its own are called.

struct dl_find_object;

namespace forebay::udf {

/// Makes what this program defines hand over to glibc where glibc can do it. Thread role: before a
/// second thread starts; until then the work is done here.
void prefer_glibc() noexcept;

/// Does what _dl_find_object does, by the program headers of everything that is loaded: 0, or -1
/// where no object holds the address.
int find_object_by_headers(void* address, dl_find_object* result) noexcept;

}  // namespace forebay::udf
