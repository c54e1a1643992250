// SPDX-License-Identifier: Apache-2.0
#pragma once

// Finds two threads inside one end of a stream at once, and streams used after fork, in checked
// builds; nothing otherwise.

#include "forebay/detail/assert.h"
#include "forebay/detail/atomic.h"

namespace forebay::detail {

#if FOREBAY_CHECKED
using EndFlag = SystemPolicy::atomic<bool>;

class EndUse {
 public:
  EndUse(EndFlag& flag, const char* rule) noexcept : flag_(flag) {
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
  EndUse(EndFlag&, const char*) noexcept {}
};
#endif

}  // namespace forebay::detail
