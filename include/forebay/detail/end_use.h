// SPDX-License-Identifier: Apache-2.0
#pragma once

// Finds two threads inside one end of a stream at once, and streams used after fork, in checked
// builds; nothing otherwise.

#include "forebay/detail/assert.h"
#include "forebay/detail/atomic.h"
#include "forebay/detail/process.h"
#include "forebay/error.h"

namespace forebay::detail {

#if FOREBAY_CHECKED
using EndFlag = SystemPolicy::atomic<bool>;

class EndUse {
 public:
  /// Throws ForkedChild in a child of the process in which the end was made.
  EndUse(Birthplace birthplace, EndFlag& flag, const char* rule) : flag_(flag) {
    if (birthplace.left()) throw ForkedChild();
    // Relaxed: detects, and orders nothing, so that it hides no race from the sanitizers.
    FOREBAY_ASSERT(!flag_.exchange(true, relaxed), rule);
    (void)rule;
  }
  EndUse(const EndUse&) = delete;
  EndUse& operator=(const EndUse&) = delete;
  ~EndUse() { flag_.store(false, relaxed); }

 private:
  EndFlag& flag_;
};
#else
struct EndFlag {
  constexpr EndFlag(bool) noexcept {}
};
class EndUse {
 public:
  EndUse(Birthplace, EndFlag&, const char*) noexcept {}
};
#endif

}  // namespace forebay::detail
