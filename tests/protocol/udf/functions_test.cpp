// SPDX-License-Identifier: Apache-2.0

// Functions as people write them: what they are held to, and what the user hears when they fail.

#include <arrow/builder.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "describe.h"
#include "forebay/error.h"
#include "peer.h"

namespace forebay::udf::test {
namespace {

using forebay::test::SparkBytes;

template <class Builder, class T>
std::shared_ptr<::arrow::Array> column(const std::vector<std::optional<T>>& values) {
  Builder builder;
  for (const auto& value : values) {
    EXPECT_TRUE((value ? builder.Append(*value) : builder.AppendNull()).ok());
  }
  return *builder.Finish();
}

Batch batch_of(const ::arrow::ArrayVector& columns) {
  ::arrow::FieldVector fields;
  for (const auto& array : columns) {
    fields.push_back(::arrow::field("_" + std::to_string(fields.size()), array->type()));
  }
  return ::arrow::RecordBatch::Make(::arrow::schema(fields), columns.front()->length(), columns);
}

std::string scalar_task(const std::string& name, const ::arrow::ArrayVector& columns,
                        const std::string& payload = "") {
  std::vector<std::int32_t> arguments(columns.size());
  std::iota(arguments.begin(), arguments.end(), 0);
  return init_for(250, name, payload, arguments) + arrow_stream({batch_of(columns)}) + end_word();
}

// The one column of the one batch, or a failure with the error's text.
std::shared_ptr<::arrow::Array> result_of(const std::string& task, Registry registry) {
  const auto answers = serve(task, std::move(registry)).answers();
  EXPECT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].error, "");
  EXPECT_EQ(answers[0].batches.size(), 1u);
  return answers[0].batches.empty() ? nullptr : answers[0].batches[0]->column(0);
}

std::string error_of(const std::string& task, Registry registry) {
  const auto answers = serve(task, std::move(registry)).answers();
  EXPECT_EQ(answers.size(), 1u);
  return answers.empty() ? "no answer" : answers[0].error;
}

using Doubles = ::arrow::DoubleBuilder;
using Longs = ::arrow::Int64Builder;
using Strings = ::arrow::StringBuilder;

TEST(SparkFunctions, PlainFunctionIsCalledForEachRow) {
  Registry registry;
  registry.scalar("hypotenuse", [](double a, double b) { return std::sqrt(a * a + b * b); });
  const auto result = result_of(scalar_task("hypotenuse", {column<Doubles, double>({3, 5}),
                                                           column<Doubles, double>({4, 12})}),
                                std::move(registry));
  EXPECT_TRUE(result->Equals(*column<Doubles, double>({5, 13})));
}

TEST(SparkFunctions, NullsInAreNullsOutAndTheFunctionIsNotCalled) {
  Registry registry;
  registry.scalar("half", [](std::int64_t value) {
    if (value == 0) throw std::runtime_error("called for a null");
    return static_cast<double>(value) / 2;
  });
  const auto result =
      result_of(scalar_task("half", {column<Longs, std::int64_t>({4, std::nullopt, 6})}),
                std::move(registry));
  EXPECT_TRUE(result->Equals(*column<Doubles, double>({2, std::nullopt, 3})));
}

TEST(SparkFunctions, OptionalArgumentsSeeNullsAndOptionalResultsMakeThem) {
  Registry registry;
  registry.scalar(
      "or_text",
      [](std::optional<std::int64_t> value, std::string_view text) -> std::optional<std::string> {
        if (text == "nothing") return std::nullopt;
        return value ? std::to_string(*value) : std::string(text);
      });
  const auto result = result_of(
      scalar_task("or_text", {column<Longs, std::int64_t>({1, std::nullopt, 3, std::nullopt}),
                              column<Strings, std::string>({"a", "b", "nothing", std::nullopt})}),
      std::move(registry));
  EXPECT_TRUE(
      result->Equals(*column<Strings, std::string>({"1", "b", std::nullopt, std::nullopt})));
}

TEST(SparkFunctions, BooleansAndSmallIntegers) {
  Registry registry;
  registry.scalar("both", [](bool a, std::int8_t b) -> bool { return a && b > 0; });
  const auto result =
      result_of(scalar_task("both", {column<::arrow::BooleanBuilder, bool>({true, true, false}),
                                     column<::arrow::Int8Builder, std::int8_t>({1, -1, 1})}),
                std::move(registry));
  EXPECT_TRUE(result->Equals(*column<::arrow::BooleanBuilder, bool>({true, false, false})));
}

TEST(SparkFunctions, RowParallelKeepsTheOrder) {
  constexpr std::int64_t kRows = 100'000;
  std::vector<std::optional<std::int64_t>> values(kRows);
  std::vector<std::optional<std::string>> texts(kRows);
  for (std::int64_t i = 0; i < kRows; ++i) {
    if (i % 7 != 0) values[static_cast<std::size_t>(i)] = i;
    if (i % 7 != 0) texts[static_cast<std::size_t>(i)] = std::to_string(i);
  }
  Registry registry;
  registry.scalar(
      "text", [](std::int64_t value) { return std::to_string(value); }, true);
  const auto result =
      result_of(scalar_task("text", {column<Longs, std::int64_t>(values)}), std::move(registry));
  EXPECT_TRUE(result->Equals(*column<Strings, std::string>(texts)));
}

TEST(SparkFunctions, WrongArgumentsAreRefusedBeforeTheFunctionSeesThem) {
  Registry registry;
  registry.scalar("half", [](double value) { return value / 2; });
  EXPECT_EQ(error_of(scalar_task("half", {column<Longs, std::int64_t>({4})}), registry),
            "UserError: scalar function 'half' takes double and is called with int64");
  EXPECT_EQ(error_of(scalar_task("halves", {column<Longs, std::int64_t>({4})}), registry),
            "UserError: this worker has no scalar function 'halves'; it has add, fail, half, "
            "identity, sleep_ms");
}

TEST(SparkFunctions, WrongResultsAreNotSent) {
  const auto task = scalar_task("bad", {column<Longs, std::int64_t>({4, 5})});
  const auto give = [&task](std::shared_ptr<::arrow::Array> result) {
    Registry registry;
    registry.scalar("bad",
                    Signature{nullptr, ::arrow::schema({::arrow::field("x", ::arrow::int64())})},
                    [result](const Call&, const ::arrow::ArrayVector&) { return result; });
    const Served served = serve(task, std::move(registry));
    const auto answers = served.answers();
    EXPECT_EQ(answers.size(), 1u);
    EXPECT_TRUE(answers[0].batches.empty());
    EXPECT_EQ(served.bytes.substr(0, 4), SparkBytes().i32(-2).str());
    return answers[0].error;
  };
  const std::string where = "UserError: scalar function 'bad' failed in partition 0, batch 0: ";
  EXPECT_EQ(give(column<Doubles, double>({1, 2})), where + "it gave double instead of int64");
  EXPECT_EQ(give(column<Longs, std::int64_t>({1})), where + "it gave 1 rows for 2");
  EXPECT_EQ(give(nullptr), where + "it gave no column");
}

TEST(SparkFunctions, WhatAFunctionThrowsReachesTheUserAfterItsOutput) {
  Registry registry;
  registry.map("third", {}, [](const Call& call, BatchSource& source, BatchSink& sink) {
    for (int i = 0; const Batch batch = source.next(); ++i) {
      if (i == 2 && call.payload == "int") throw 3;
      if (i == 2) throw std::out_of_range("no third batch");
      sink.write(batch);
    }
  });
  const Batch batch = in_struct(int_batch({{1}}));
  const auto task = [&batch](const std::string& payload) {
    return init_for(207, "third", payload, {0}) + arrow_stream({batch, batch, batch, batch}) +
           end_word();
  };
  auto answers = serve(task(""), registry).answers();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].batches.size(), 2u);
  EXPECT_EQ(answers[0].error,
            "UserError: map function 'third' failed in partition 0, batch 2: no third batch");
  answers = serve(task("int"), registry).answers();
  EXPECT_EQ(answers[0].error,
            "UserError: map function 'third' failed in partition 0, batch 2: it threw something "
            "that is no std::exception");
}

TEST(SparkFunctions, InputThatNobodyTookIsPassedOver) {
  Registry registry;
  registry.map("nothing", {}, [](const Call&, BatchSource&, BatchSink&) {});
  const Batch batch = in_struct(int_batch({{1}}));
  const std::string task =
      init_for(207, "nothing", "", {0}) + arrow_stream({batch, batch}) + end_word();
  const auto answers = serve(task + task, std::move(registry)).answers();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[1].farewell, -4);
}

TEST(SparkFunctions, OtherEvaluationTypesAreNamed) {
  EXPECT_EQ(error_of(init_for(101, "identity", "", {0}) + end_word(), {}),
            "Unsupported: the evaluation type SQL_ARROW_BATCHED_UDF (101) is not served by C++ "
            "workers");
  EXPECT_EQ(error_of(init_for(253, "identity", "", {0}) + end_word(), {}).find("Unsupported: "),
            0u);
}

TEST(SparkFunctions, NamesAreTakenOnce) {
  Registry registry;
  const auto half = [](double value) { return value / 2; };
  registry.scalar("half", half);
  EXPECT_THROW(registry.scalar("half", half), std::invalid_argument);
  EXPECT_THROW(registry.scalar("", half), std::invalid_argument);
  EXPECT_THROW(registry.scalar(std::string("a\0b", 3), half), std::invalid_argument);
  registry.map("half", {}, [](const Call&, BatchSource&, BatchSink&) {});
  EXPECT_NE(registry.find(Kind::map, "half"), nullptr);
  EXPECT_EQ(registry.find(Kind::grouped_map, "half"), nullptr);
}

TEST(SparkFunctions, DescriptionHasTypesAsSparkWritesThem) {
  Registry registry;
  registry.scalar("f", [](std::string_view, std::int64_t, bool) { return 1.5F; });
  const std::string text = describe(registry);
  for (const char* part : {R"("name": "f")", R"("kind": "scalar")", R"("type": "string")",
                           R"("type": "long")", R"("type": "boolean")", R"("type": "float")"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
}

}  // namespace
}  // namespace forebay::udf::test
