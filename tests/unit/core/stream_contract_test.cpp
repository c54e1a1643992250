// SPDX-License-Identifier: Apache-2.0

// Mistakes of the application: checked builds end with the name of the rule that was broken. Each
// of them is a data race as well, and ThreadSanitizer ends the program for that first.

#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "forebay/detail/assert.h"
#include "forebay/detail/atomic.h"
#include "unit/core/support.h"

#if FOREBAY_CHECKED && !FOREBAY_THREAD_SANITIZER
namespace forebay {
namespace {

using test::chunk;

// A stream whose writer has filled it, and whose reader has read it empty.
struct Full {
  Stream stream = make_stream(test::small(10));
  Full() { stream.writer.add_next_chunk(chunk("0123456789")); }
};
struct Empty {
  Stream stream = make_stream(test::small(10));
};

void wait_in_writer(std::optional<Full>& full) {
  std::thread([&] { full->stream.writer.add_next_chunk(chunk("x")); }).detach();
  test::await_parked_writer(full->stream.reader);
}
void wait_in_reader(std::optional<Empty>& empty) {
  std::thread([&] { (void)empty->stream.reader.read(1); }).detach();
  test::await_parked_reader(empty->stream.writer);
}

TEST(StreamContractDeathTest, TwoThreadsInOneWriter) {
  EXPECT_DEATH(
      {
        std::optional<Full> full(std::in_place);
        wait_in_writer(full);
        (void)test::try_add(full->stream.writer, "y");
      },
      "two threads used one StreamWriter at once");
}

TEST(StreamContractDeathTest, TwoThreadsInOneReader) {
  EXPECT_DEATH(
      {
        std::optional<Empty> empty(std::in_place);
        wait_in_reader(empty);
        (void)empty->stream.reader.try_read(1);
      },
      "two threads used one StreamReader at once");
}

TEST(StreamContractDeathTest, WriterDestroyedUnderAWaiter) {
  EXPECT_DEATH(
      {
        std::optional<Full> full(std::in_place);
        wait_in_writer(full);
        { const StreamWriter gone = std::move(full->stream.writer); }
      },
      "a StreamWriter was destroyed while a thread was inside it");
}

TEST(StreamContractDeathTest, ReaderDestroyedUnderAWaiter) {
  EXPECT_DEATH(
      {
        std::optional<Empty> empty(std::in_place);
        wait_in_reader(empty);
        { const StreamReader gone = std::move(empty->stream.reader); }
      },
      "a StreamReader was destroyed while a thread was inside it");
}

}  // namespace
}  // namespace forebay
#endif
