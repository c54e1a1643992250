// SPDX-License-Identifier: Apache-2.0

// TaskInput and TaskOutput: the order of a task's parts, and the bytes around them.

#include <gtest/gtest.h>

#include "forebay/error.h"
#include "forebay/spark/task.h"
#include "spark_support.h"

namespace forebay::test {
namespace {

using spark::InputShape;
using spark::TaskInput;
using spark::TaskOutput;
using Next = TaskInput::Next;

const std::string kArrowEnd("\xFF\xFF\xFF\xFF\0\0\0\0", 8);

TEST(SparkTaskInput, PlainInputIsOneStreamAndItsEnd) {
  TaskInput input(InputShape::plain);
  EXPECT_EQ(input.next(), Next::arrow_stream);
  input.stream_ended();
  EXPECT_EQ(input.next(), Next::end_word);
  input.word(-4, 0);
  EXPECT_EQ(input.next(), Next::done);
}

TEST(SparkTaskInput, GroupsComeUntilZero) {
  TaskInput input(InputShape::groups);
  for (int group = 0; group < 3; ++group) {
    EXPECT_EQ(input.next(), Next::group_word);
    input.word(1, 0);
    EXPECT_EQ(input.next(), Next::arrow_stream);
    input.stream_ended();
  }
  input.word(0, 0);
  EXPECT_EQ(input.next(), Next::end_word);
  input.word(-4, 0);
  EXPECT_EQ(input.next(), Next::done);
}

TEST(SparkTaskInput, PairsHaveTwoStreams) {
  TaskInput input(InputShape::pairs);
  input.word(2, 0);
  input.stream_ended();
  EXPECT_EQ(input.next(), Next::arrow_stream);
  input.stream_ended();
  EXPECT_EQ(input.next(), Next::group_word);
  input.word(0, 0);
  EXPECT_EQ(input.next(), Next::end_word);
}

TEST(SparkTaskInput, WrongWordsAreNamed) {
  TaskInput plain(InputShape::plain);
  plain.stream_ended();
  for (const std::int32_t word : {-8, -1, 0, 17, INT32_MIN}) {
    EXPECT_THROW(plain.word(word, 5), ProtocolError) << word;
  }
  try {
    plain.word(-7, 5);
  } catch (const ProtocolError& error) {
    EXPECT_STREQ(error.what(),
                 "ProtocolError: instead of END_OF_STREAM (-4) came END_OF_MICRO_BATCH (-7), "
                 "at offset 5");
  }
  TaskInput groups(InputShape::groups);
  for (const std::int32_t word : {2, 3, -4, -1}) EXPECT_THROW(groups.word(word, 0), ProtocolError);
  TaskInput pairs(InputShape::pairs);
  for (const std::int32_t word : {1, 3, -4, -1}) EXPECT_THROW(pairs.word(word, 0), ProtocolError);
}

std::string report_of(TaskOutput& output) {
  return spark_text(
      output.report({.boot_ms = 1, .initialized_ms = 2, .finished_ms = 3, .processing_ms = 4}));
}

std::string expected_report() {
  return SparkBytes().i32(-3).i64(1).i64(2).i64(3).i64(4).i64(0).i64(0).i32(-1).i32(0).str();
}

TEST(SparkTaskOutput, AnswerWithoutOutputIsTheReport) {
  TaskOutput output;
  EXPECT_EQ(report_of(output), expected_report());
  EXPECT_FALSE(output.can_fail());
  EXPECT_EQ(spark_text(output.farewell(true)), SparkBytes().i32(-4).str());
}

TEST(SparkTaskOutput, OpenStreamIsEndedBeforeTheReport) {
  TaskOutput output;
  EXPECT_EQ(spark_text(output.begin_arrow()), SparkBytes().i32(-6).str());
  EXPECT_TRUE(output.in_arrow());
  EXPECT_EQ(report_of(output), kArrowEnd + expected_report());
  EXPECT_EQ(spark_text(output.farewell(false)), SparkBytes().i32(-1).str());
}

TEST(SparkTaskOutput, OpenStreamIsEndedBeforeAnError) {
  TaskOutput output;
  EXPECT_EQ(spark_text(output.failure("UserError: x")),
            SparkBytes().i32(-2).text("UserError: x").str());
  EXPECT_FALSE(output.can_fail());

  TaskOutput open;
  (void)open.begin_arrow();
  EXPECT_EQ(spark_text(open.failure("UserError: x")),
            kArrowEnd + SparkBytes().i32(-2).text("UserError: x").str());
}

TEST(SparkTaskOutput, LongErrorIsCutBetweenCharacters) {
  std::string text(TaskOutput::kErrorBytesMax - 1, 'x');
  text += "\xC3\xA4";
  TaskOutput output;
  EXPECT_EQ(spark_text(output.failure(text)).size(), 8 + TaskOutput::kErrorBytesMax - 1);
}

}  // namespace
}  // namespace forebay::test
