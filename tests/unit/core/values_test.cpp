// SPDX-License-Identifier: Apache-2.0

// The small values of the interface: views, deadlines, errors, limits.

#include <gtest/gtest.h>

#include <compare>
#include <span>
#include <string>
#include <string_view>

#include "unit/core/support.h"

namespace forebay {
namespace {

using namespace std::chrono_literals;
using test::bytes_of;

TEST(ByteView, DefaultIsEmpty) {
  constexpr ByteView none;

  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.data(), nullptr);
  EXPECT_EQ(std::string_view(none), "");
}

TEST(ByteView, ConvertsToSpanAndText) {
  const ByteView view(bytes_of("abc").data(), 3);

  EXPECT_EQ(std::string_view(view), "abc");
  EXPECT_EQ(std::span<const std::byte>(view).size(), 3u);
  EXPECT_EQ(view[1], std::byte{'b'});
  EXPECT_EQ(view.end() - view.begin(), 3);
}

TEST(ByteView, SubviewIsClamped) {
  const ByteView view(bytes_of("abcdef").data(), 6);

  EXPECT_EQ(std::string_view(view.subview(2)), "cdef");
  EXPECT_EQ(std::string_view(view.subview(2, 3)), "cde");
  EXPECT_EQ(std::string_view(view.subview(4, 100)), "ef");
  EXPECT_TRUE(view.subview(6).empty());
  EXPECT_TRUE(view.subview(SIZE_MAX, SIZE_MAX).empty());
  EXPECT_EQ(view.subview(1).data(), view.data() + 1);
}

TEST(Deadline, NeverDoesNotPass) {
  EXPECT_TRUE(Deadline::never().is_never());
  EXPECT_FALSE(Deadline::never().passed());
}

TEST(Deadline, ZeroAndPastHavePassed) {
  EXPECT_TRUE(Deadline::after(0s).passed());
  EXPECT_TRUE(Deadline::after(-1h).passed());
  EXPECT_TRUE(Deadline::after(std::chrono::hours::min()).passed());
  EXPECT_TRUE(Deadline::at(Deadline::time_point::min()).passed());
  EXPECT_FALSE(Deadline::after(1h).passed());
}

TEST(Deadline, AreOrderedByTheirMoments) {
  const Deadline::time_point now = Deadline::clock::now();
  EXPECT_EQ(Deadline::at(now) <=> Deadline::at(now), std::strong_ordering::equal);
  EXPECT_LT(Deadline::at(now), Deadline::at(now + 1ns));
  EXPECT_LT(Deadline::at(now), Deadline::never());
}

TEST(Deadline, DurationsTooLongForTheClockAreNever) {
  EXPECT_TRUE(Deadline::after(std::chrono::nanoseconds::max()).is_never());
  EXPECT_TRUE(Deadline::after(std::chrono::hours::max()).is_never());
  EXPECT_TRUE(Deadline::after(std::chrono::duration<double>(1e300)).is_never());
  EXPECT_TRUE(Deadline::at(Deadline::time_point::max()).is_never());
}

TEST(Deadline, IsOrdered) {
  const auto now = Deadline::clock::now();

  EXPECT_LT(Deadline::at(now), Deadline::at(now + 1ns));
  EXPECT_LT(Deadline::at(now), Deadline::never());
  EXPECT_EQ(Deadline::at(now), Deadline::at(now));
}

TEST(Errors, TextBeginsWithTheTypesName) {
  const auto expect = [](const Error& error, std::string_view name) {
    EXPECT_EQ(std::string_view(error.what()).substr(0, name.size()), name);
    EXPECT_EQ(error.what()[name.size()], ':');
  };
  expect(EndOfStream(2, 1), "EndOfStream");
  expect(StreamFinished(), "StreamFinished");
  expect(Cancelled(), "Cancelled");
  expect(DeadlineExceeded("x"), "DeadlineExceeded");
  expect(RetainedBudgetExhausted(1, 2), "RetainedBudgetExhausted");
  expect(Truncated("x", 1, 2, 3), "Truncated");
  expect(ProtocolError("x", 1), "ProtocolError");
  expect(LimitExceeded("x", 1, 2), "LimitExceeded");
  expect(InvalidConnection("x"), "InvalidConnection");
  expect(AddressInUse("x"), "AddressInUse");
  expect(PermissionDenied("x"), "PermissionDenied");
  expect(Unsupported("x"), "Unsupported");
  expect(Abandoned(), "Abandoned");
  expect(UserError("x"), "UserError");
  expect(ForkedChild(), "ForkedChild");
}

TEST(Errors, TextNamesTheNumbers) {
  const Truncated truncated("body", 10, 4, 77);
  EXPECT_EQ(truncated.expected(), 10u);
  EXPECT_EQ(truncated.got(), 4u);
  EXPECT_EQ(truncated.offset(), 77u);
  EXPECT_STREQ(truncated.what(), "Truncated: body: expected 10 bytes, got 4, at offset 77");

  const LimitExceeded limit("bytes", 5, 6);
  EXPECT_EQ(limit.limit(), 5u);
  EXPECT_EQ(limit.asked(), 6u);
  EXPECT_EQ(ProtocolError("x", 9).offset(), 9u);
}

TEST(StreamOptions, ZeroLimitsAreRefused) {
  const auto refused = [](auto StreamOptions::*limit) {
    StreamOptions options;
    options.*limit = 0;
    try {
      (void)make_stream(options);
      FAIL() << "a limit of zero was taken";
    } catch (const std::invalid_argument& error) {
      // It names what was called, not a part that the caller has never heard of.
      EXPECT_NE(std::string(error.what()).find("make_stream"), std::string::npos) << error.what();
    }
  };
  refused(&StreamOptions::max_bytes);
  refused(&StreamOptions::max_items);
  refused(&StreamOptions::gather_bytes_max);
  refused(&StreamOptions::guards_max);
}

TEST(StreamOptions, LargestLimitsWork) {
  StreamOptions options;
  options.max_bytes = SIZE_MAX;
  options.gather_bytes_max = SIZE_MAX;
  options.guards_max = SIZE_MAX;
  auto [writer, reader] = make_stream(options);
  writer.add_next_chunk(test::chunk("abc"));
  writer.add_next_chunk(test::chunk("def"));

  const Guard guard = reader.pin();
  EXPECT_EQ(reader.try_read(SIZE_MAX).status, ReadStatus::would_block);
  EXPECT_EQ(test::text(reader.read(6)), "abcdef");
}

TEST(StreamOptions, TooManyItemsAreRefused) {
  StreamOptions options;
  options.max_items = SIZE_MAX;

  EXPECT_THROW((void)make_stream(options), std::invalid_argument);
}

}  // namespace
}  // namespace forebay
