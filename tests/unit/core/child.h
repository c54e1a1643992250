// SPDX-License-Identifier: Apache-2.0
#pragma once

// Runs checks in a forked child.

#include <sys/wait.h>
#include <unistd.h>

namespace forebay::test {

/// Whether `check()` returned true in a child of fork(). The child ends at once after it: without
/// destructors of what it inherited, and without the reports of what it cannot see.
template <class Check>
[[nodiscard]] bool holds_in_child(Check&& check) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);  // Not inherited; a child that hangs ends.
    bool holds = false;
    try {
      holds = check();
    } catch (...) {
      holds = false;
    }
    ::_exit(holds ? 0 : 1);
  }
  int status = 0;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

}  // namespace forebay::test
