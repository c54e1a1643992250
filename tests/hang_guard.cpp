// SPDX-License-Identifier: Apache-2.0

// A test of this program that hangs dies by its own deadline, and says which one it was.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "unit/core/support.h"

namespace {

char g_test_name[256];

void die_of_hanging(int) {
  const char text[] = "a test hangs: ";
  (void)!write(STDERR_FILENO, text, sizeof text - 1);
  (void)!write(STDERR_FILENO, g_test_name, std::strlen(g_test_name));
  (void)!write(STDERR_FILENO, "\n", 1);
  std::abort();
}

class HangGuard : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo& test) override {
    snprintf(g_test_name, sizeof g_test_name, "%s.%s", test.test_suite_name(), test.name());
    signal(SIGALRM, die_of_hanging);
    alarm(static_cast<unsigned>(forebay::test::from_environment("FOREBAY_TEST_SECONDS_MAX", 50)));
  }
  void OnTestEnd(const testing::TestInfo&) override { alarm(0); }
};

// GoogleTest owns its listeners.
const bool g_installed = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new HangGuard);
  return true;
}();

}  // namespace
