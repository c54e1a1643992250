// SPDX-License-Identifier: Apache-2.0

// Every allocation of a session fails once, on whichever thread: std::bad_alloc or a typed error,
// nothing leaks, and the next session works (D9).

#include "unit/core/allocation.h"

#include <gtest/gtest.h>

#include <new>

#include "faults/socket/sessions.h"

namespace forebay::test {
namespace {

class Allocations : public EachSession {};

TEST_P(Allocations, FailOnceEach) {
  for (int i = 0; i < 2; ++i) {
    prepare();
    ASSERT_NO_FATAL_FAILURE(run());
  }
  const std::size_t descriptors = open_descriptors();
  std::uint64_t failures = 0;
  for (bool failed = true; failed; ++failures) {
    SCOPED_TRACE("allocation " + std::to_string(failures));
    prepare();
    const std::int64_t alive = allocations_alive();
    {
      const FailingAllocationAnywhere failing(failures);
      try {
        run();
      } catch (const std::bad_alloc&) {
        EXPECT_TRUE(failing.failed());
      } catch (const Error&) {
        EXPECT_TRUE(failing.failed());
      } catch (const std::system_error& error) {
        // A peer that could not go on is gone.
        EXPECT_TRUE(failing.failed()) << error.what();
      }
      failed = failing.failed();
    }
    if (HasFailure()) return;
    EXPECT_FALSE(socket_file_left());
    ASSERT_EQ(allocations_alive(), alive);
    ASSERT_EQ(open_descriptors(), descriptors);
    ASSERT_LT(failures, 10'000u);
  }
  EXPECT_GT(failures, 1u);
  report(failures - 1, "allocations failed");
}

FOREBAY_INSTANTIATE_SESSIONS(Allocations);

}  // namespace
}  // namespace forebay::test
