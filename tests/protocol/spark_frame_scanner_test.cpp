// SPDX-License-Identifier: Apache-2.0

// ChannelFrameScanner: init messages, words and Arrow messages in their places, however the bytes
// come, and nothing followed that cannot be.

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "forebay/spark/frame_scanner.h"
#include "spark_support.h"

namespace forebay::test {
namespace {

using spark::ChannelFrameScanner;
using spark::ChannelVersion;
using Part = FrameScanner::Part;

constexpr auto k42 = ChannelVersion::spark_4_2;
constexpr auto k43 = ChannelVersion::spark_4_3;

void append_le(std::string& to, std::uint64_t value, int size) {
  for (int i = 0; i < size; ++i) to += static_cast<char>(value >> (8 * i));
}

// A message with a flatbuffer that says nothing but the length of the body.
std::string arrow_message(std::uint64_t body_bytes) {
  std::string metadata;
  append_le(metadata, 16, 4);  // Where the table is.
  append_le(metadata, 12, 2);  // Its vtable: 12 bytes; the table has 20; four fields,
  append_le(metadata, 20, 2);
  for (const int field : {0, 0, 0, 8}) append_le(metadata, static_cast<std::uint64_t>(field), 2);
  append_le(metadata, 12, 4);  // The table: its vtable lies 12 bytes before it.
  append_le(metadata, 0, 4);
  append_le(metadata, body_bytes, 8);
  append_le(metadata, 0, 8);
  std::string message;
  append_le(message, 0xFFFFFFFF, 4);
  append_le(message, metadata.size(), 4);
  return message + metadata + std::string(body_bytes, 'b');
}

std::string arrow_stream(const std::vector<std::uint64_t>& bodies) {
  std::string stream = arrow_message(0);
  for (const std::uint64_t body : bodies) stream += arrow_message(body);
  append_le(stream, 0xFFFFFFFF, 4);
  append_le(stream, 0, 4);
  return stream;
}

std::string init_of(ChannelVersion version) {
  return version == k43 ? InitFields().framed() : InitFields().body();
}

struct Stretch {
  Part part;
  bool init;
  std::string bytes;
  bool operator==(const Stretch&) const = default;
};

// Neighbouring bytes of one part, cut by `sizes` again and again.
std::vector<Stretch> runs_of(std::string_view bytes, ChannelVersion version,
                             const std::vector<std::size_t>& sizes) {
  ChannelFrameScanner scanner(version);
  std::vector<Stretch> runs;
  for (std::size_t i = 0; !bytes.empty(); ++i) {
    std::string_view part = bytes.substr(0, sizes[i % sizes.size()]);
    bytes.remove_prefix(part.size());
    while (!part.empty()) {
      if (runs.empty() || runs.back().part != scanner.part() ||
          runs.back().init != scanner.in_init()) {
        runs.push_back({scanner.part(), scanner.in_init(), ""});
      }
      EXPECT_NE(scanner.left(), 0u);
      EXPECT_GE(scanner.exact_bytes(), scanner.left());
      const std::size_t done = scanner.consume(spark_span(part));
      if (done == 0) {
        ADD_FAILURE() << "no progress";
        return runs;
      }
      runs.back().bytes += part.substr(0, done);
      part.remove_prefix(done);
    }
  }
  return runs;
}

// What the parts hold that is neither an init message nor a body.
std::string texts(const std::vector<Stretch>& runs, Part part, bool init) {
  std::string text;
  for (const Stretch& run : runs) {
    if (run.part == part && run.init == init) text += "[" + run.bytes + "]";
  }
  return text;
}

std::string session(ChannelVersion version) {
  const std::string first = arrow_stream({5, 16});
  const std::string second = arrow_stream({});
  SparkBytes bytes;
  bytes.raw(init_of(version)).raw(first).i32(-4);
  bytes.raw(init_of(version)).i32(1).raw(first).i32(1).raw(second).i32(0).i32(-4);
  bytes.raw(init_of(version)).i32(2).raw(second).raw(first).i32(2).raw(first).raw(first);
  bytes.i32(0).i32(-4);
  bytes.raw(init_of(version)).i32(0).i32(-4);  // No group at all.
  return bytes.raw(init_of(version)).raw(second).i32(-4).str();
}

class ChannelFrames : public ::testing::TestWithParam<ChannelVersion> {};

TEST_P(ChannelFrames, InitMessagesWordsAndBodiesAreFound) {
  const auto runs = runs_of(session(GetParam()), GetParam(), {SIZE_MAX});
  std::string inits;
  for (int i = 0; i < 5; ++i) inits += "[" + InitFields().body() + "]";
  EXPECT_EQ(texts(runs, Part::other, true), inits);
  std::string bodies;
  for (int i = 0; i < 5; ++i) bodies += "[bbbbb][bbbbbbbbbbbbbbbb]";
  EXPECT_EQ(texts(runs, Part::body, false), bodies);
  EXPECT_EQ(texts(runs, Part::opaque, false), "");
}

TEST_P(ChannelFrames, AnyChunkingGivesTheSameParts) {
  const std::string bytes = session(GetParam());
  const auto expected = runs_of(bytes, GetParam(), {SIZE_MAX});
  for (std::size_t size = 1; size < 64; ++size) {
    EXPECT_EQ(runs_of(bytes, GetParam(), {size}), expected) << size;
  }
  EXPECT_EQ(runs_of(bytes, GetParam(), {1, 100, 3, 7, 1000}), expected);
}

// Receiving that much at once never brings a byte of the next body with it.
TEST_P(ChannelFrames, ExactBytesNeverGoBeyondTheNextBody) {
  const std::string bytes = session(GetParam());
  std::vector<std::size_t> begins;
  std::size_t at = 0;
  const auto runs = runs_of(bytes, GetParam(), {SIZE_MAX});
  for (const Stretch& run : runs) {
    if (run.part == Part::body) begins.push_back(at);
    at += run.bytes.size();
  }
  ChannelFrameScanner scanner(GetParam());
  for (at = 0; at < bytes.size(); ++at) {
    const auto next = std::upper_bound(begins.begin(), begins.end(), at);
    if (scanner.part() != Part::body && next != begins.end()) {
      ASSERT_LE(at + scanner.exact_bytes(), *next) << at;
    }
    ASSERT_EQ(scanner.consume(spark_span(std::string_view(bytes).substr(at, 1))), 1u);
  }
}

TEST_P(ChannelFrames, EachTaskSaysAnewHowLargeItsBodiesAre) {
  ChannelFrameScanner scanner(GetParam());
  const std::string task =
      SparkBytes().raw(init_of(GetParam())).raw(arrow_stream({40})).i32(-4).str();
  std::string_view left = task;
  std::uint64_t seen = 0;
  while (!left.empty()) {
    left.remove_prefix(scanner.consume(spark_span(left)));
    seen = std::max(seen, scanner.expected_body_bytes());
  }
  EXPECT_EQ(seen, 40u);
  EXPECT_EQ(scanner.expected_body_bytes(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Spark, ChannelFrames, ::testing::Values(k42, k43), [](const auto& test) {
  return test.param == k42 ? "Spark42" : "Spark43";
});

TEST(ChannelFrameScanner, BodiesMayBeReceivedElsewhere) {
  ChannelFrameScanner scanner(k43);
  const std::string bytes =
      SparkBytes().raw(init_of(k43)).raw(arrow_stream({1000})).i32(-4).raw(init_of(k43)).str();
  std::string_view left = bytes;
  while (scanner.part() != Part::body) left.remove_prefix(scanner.consume(spark_span(left)));
  EXPECT_TRUE(scanner.at_body());
  EXPECT_EQ(scanner.left(), 1000u);
  scanner.consume_body(400);
  EXPECT_FALSE(scanner.at_body());
  scanner.consume_body(600);
  left.remove_prefix(1000);
  while (!left.empty()) left.remove_prefix(scanner.consume(spark_span(left)));
  EXPECT_EQ(scanner.part(), Part::other);
}

TEST(ChannelFrameScanner, WhatCannotBeFollowedIsOpaqueFromThereOn) {
  const std::string init = init_of(k43);
  const std::string stream = arrow_stream({8});
  for (const std::string& bytes :
       {SparkBytes().i32(-42).str(), SparkBytes().i32(-8).i32(-1).str(),
        SparkBytes().raw(init).i32(3).str(), SparkBytes().raw(init).raw(stream).i32(-7).str(),
        SparkBytes().raw(init).raw(stream.substr(0, stream.size() - 4)).i32(-1).str()}) {
    ChannelFrameScanner scanner(k43);
    std::string_view left = bytes;
    while (!left.empty()) left.remove_prefix(scanner.consume(spark_span(left)));
    EXPECT_EQ(scanner.part(), Part::opaque);
    EXPECT_EQ(scanner.consume(spark_span("anything")), 8u);
    EXPECT_EQ(scanner.exact_bytes(), UINT64_MAX);
  }
  ChannelFrameScanner before(k42);
  const std::string wrong = SparkBytes().i32(0).i32(-1).str();
  std::string_view left = wrong;
  while (!left.empty()) left.remove_prefix(before.consume(spark_span(left)));
  EXPECT_EQ(before.part(), Part::opaque);
}

TEST(ChannelFrameScanner, EmptyInitMessageIsPassed) {
  ChannelFrameScanner scanner(k43);
  (void)scanner.consume(spark_span(SparkBytes().i32(-8).str()));
  (void)scanner.consume(spark_span(SparkBytes().i32(0).str()));
  EXPECT_EQ(scanner.part(), Part::other);
  EXPECT_FALSE(scanner.in_init());
}

}  // namespace
}  // namespace forebay::test
