// SPDX-License-Identifier: Apache-2.0

// Each system call of a session fails once, with each error: what is transient is not noticed, the
// rest is a typed error with the code that came, and descriptors, threads and socket files are as
// before (D9 and E12 for calls, and the general law).

#include <gtest/gtest.h>

#include <cerrno>

#include "faults/socket/sessions.h"

namespace forebay::test {
namespace {

constexpr int kErrors[] = {EINTR, EAGAIN, ECONNRESET, EPIPE, ENOMEM, EMFILE};

// Whether the call has to be made again without anybody noticing.
bool is_transient(Call call, int error) {
  switch (call) {
    case Call::connect:
    case Call::flock:
    case Call::ppoll:
      return error == EINTR;
    case Call::accept4:
    case Call::send:
    case Call::recv:
    case Call::read:
      return error == EINTR || error == EAGAIN;
    case Call::write:
    case Call::shutdown:
    case Call::close:
    case Call::futex_wait:
      return true;
    case Call::membarrier:
      return error == ENOMEM;
    default:
      return false;
  }
}

// Errors that the kernel never gives, and whose sense the library could only guess.
bool is_nonsense(Call call, int error) { return call == Call::membarrier && error != ENOMEM; }

class SystemCalls : public EachSession {
 protected:
  // The error that the session met; empty: none.
  std::string outcome(int error) {
    try {
      run();
    } catch (const std::system_error& met) {
      EXPECT_EQ(met.code().value(), error) << met.what();
      return met.what();
    } catch (const Error& met) {
      return met.what();
    }
    return {};
  }
};

TEST_P(SystemCalls, FailOnceEach) {
  std::uint64_t failures = 0;
  std::array<std::uint64_t, kCallNames.size()> made{};
  for (std::size_t i = 0; i < made.size(); ++i) made[i] = calls_made(static_cast<Call>(i));
  prepare();
  ASSERT_EQ(outcome(0), "");
  for (std::size_t i = 0; i < made.size(); ++i) {
    made[i] = calls_made(static_cast<Call>(i)) - made[i];
  }
  const std::size_t descriptors = open_descriptors();
  const std::uint64_t most = static_cast<std::uint64_t>(times(4, 40));
  for (std::size_t i = 0; i < made.size(); ++i) {
    const auto call = static_cast<Call>(i);
    for (std::uint64_t nth = 0; nth < std::min(made[i], most); ++nth) {
      for (const int error : kErrors) {
        if (is_nonsense(call, error)) continue;
        SCOPED_TRACE(std::string(kCallNames[i]) + " " + std::to_string(nth) + ": " +
                     std::generic_category().message(error));
        prepare();
        const FailingCall failing(call, nth, error);
        const std::string met = outcome(error);
        // A file that cannot be looked at, or not be removed, when all is over has to stay.
        const bool may_stay = (call == Call::lstat || call == Call::unlink) && met.empty();
        if (!may_stay) {
          EXPECT_FALSE(socket_file_left());
        }
        failures += failing.failed();
        if (is_transient(call, error)) {
          EXPECT_EQ(met, "");
        }
        ASSERT_EQ(open_descriptors(), descriptors);
        if (HasFailure()) return;
      }
    }
  }
  prepare();
  EXPECT_EQ(outcome(0), "");
  EXPECT_GT(failures, 0u);
  report(failures, "system calls failed");
}

FOREBAY_INSTANTIATE_SESSIONS(SystemCalls);

}  // namespace
}  // namespace forebay::test
