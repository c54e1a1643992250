// SPDX-License-Identifier: Apache-2.0

// The decisions of automatic mode, at times of the test's making.

#include "../../../lib/socket/mode_chooser.h"

#include <gtest/gtest.h>

#include <vector>

namespace forebay::socket {
namespace {

using namespace std::chrono_literals;

// A reader whose stream runs at given rates.
class Course {
 public:
  explicit Course(const ModeLimits& limits = {}) : limits_(limits), chooser_(limits) {
    EXPECT_FALSE(chooser_.choose(now_, 0, false));
  }

  // One stretch that took so long, of which the reader's thread received for `receiving`.
  bool stretch(ModeChooser::clock::duration time, ModeChooser::clock::duration receiving = 0ms) {
    now_ += time;
    bytes_ += limits_.stretch_bytes;
    chooser_.count_receiving(receiving);
    threaded_ = chooser_.choose(now_, bytes_, threaded_);
    return threaded_;
  }

  // Stretches of the times that the two ways take; how many of them a thread received.
  int threaded_of(int stretches, ModeChooser::clock::duration inline_time,
                  ModeChooser::clock::duration thread_time) {
    int count = 0;
    for (int i = 0; i < stretches; ++i) {
      count += threaded_ ? 1 : 0;
      stretch(threaded_ ? thread_time : inline_time, threaded_ ? 0ms : inline_time / 2);
    }
    return count;
  }

 private:
  const ModeLimits limits_;
  ModeChooser chooser_;
  ModeChooser::clock::time_point now_{1h};
  std::uint64_t bytes_ = 0;
  bool threaded_ = false;
};

TEST(ModeChooser, BeginsInlineAndStaysWhileLittleHasCome) {
  ModeChooser chooser;
  const ModeChooser::clock::time_point begin{1h};
  EXPECT_FALSE(chooser.choose(begin, 0, false));
  EXPECT_FALSE(chooser.choose(begin + 10s, ModeLimits().stretch_bytes - 1, false));
}

TEST(ModeChooser, StretchThatWasTooShortIsNotMeasured) {
  ModeChooser chooser;
  const ModeChooser::clock::time_point begin{1h};
  EXPECT_FALSE(chooser.choose(begin, 0, false));
  EXPECT_FALSE(chooser.choose(begin + 4ms, std::uint64_t{1} << 40, false));
}

TEST(ModeChooser, ReaderThatOnlyReceivesNeedsNoThread) {
  Course run;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(run.stretch(20ms, 18ms));
}

TEST(ModeChooser, ReaderThatWorksTriesAThread) {
  Course run;
  EXPECT_TRUE(run.stretch(20ms, 10ms));
}

TEST(ModeChooser, ThreadThatIsFasterIsKept) {
  Course run;
  EXPECT_GE(run.threaded_of(1000, 20ms, 11ms), 950);
}

TEST(ModeChooser, ThreadThatIsNotFasterIsGivenUp) {
  Course run;
  EXPECT_LE(run.threaded_of(1000, 20ms, 20ms), 50);
  Course slower;
  EXPECT_LE(slower.threaded_of(1000, 20ms, 40ms), 50);
}

TEST(ModeChooser, WorkThatChangesIsNoticed) {
  Course run;
  run.threaded_of(300, 20ms, 20ms);
  EXPECT_GE(run.threaded_of(400, 20ms, 11ms), 250);
  EXPECT_LE(run.threaded_of(400, 20ms, 30ms), 150);
}

}  // namespace
}  // namespace forebay::socket
