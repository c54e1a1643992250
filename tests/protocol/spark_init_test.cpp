// SPDX-License-Identifier: Apache-2.0

// parse_init: every field, however the bytes come; and nothing believed that is not there.

#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "forebay/error.h"
#include "forebay/spark/init_message.h"
#include "spark_support.h"
#include "unit/core/support.h"

namespace forebay::test {
namespace {

using spark::ChannelVersion;
using spark::find_setting;
using spark::InitLimits;
using spark::InitMessage;
using spark::InitParse;
using spark::parse_init;

constexpr auto k42 = ChannelVersion::spark_4_2;
constexpr auto k43 = ChannelVersion::spark_4_3;

// In memory that ends where the bytes end, so that a read beyond them is seen.
InitParse parse(std::string_view bytes, ChannelVersion version, const InitLimits& limits = {}) {
  const auto exact = std::make_unique<char[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), exact.get());
  return parse_init(spark_span({exact.get(), bytes.size()}), version, limits, 1000);
}

// Gives the parser what it asks for and no more; returns how often it asked.
int parse_by_asking(std::string_view bytes, ChannelVersion version, InitParse& result) {
  int asked = 0;
  std::size_t given = 0;
  for (;;) {
    result = parse(bytes.substr(0, given), version);
    if (result.message) return asked;
    EXPECT_GT(result.wanted_bytes, given);
    if (result.wanted_bytes > bytes.size()) return -1;
    given = result.wanted_bytes;
    ++asked;
  }
}

void expect_all_fields(const InitMessage& message) {
  EXPECT_FALSE(message.exit);
  EXPECT_EQ(message.partition, 3);
  EXPECT_EQ(message.python_version, "cpp");
  EXPECT_EQ(message.context_json, InitFields().context);
  EXPECT_EQ(message.files_directory, "/tmp/files");
  EXPECT_EQ(message.includes, std::vector<std::string>{"include.py"});
  EXPECT_FALSE(message.broadcast_server);
  ASSERT_EQ(message.broadcasts.size(), 2u);
  EXPECT_EQ(message.broadcasts[0].id, 5);
  EXPECT_EQ(message.broadcasts[0].path, "/tmp/broadcast5");
  EXPECT_EQ(message.broadcasts[1].id, -3);
  EXPECT_EQ(message.broadcasts[1].path, "");
  EXPECT_EQ(message.eval_type, 207);
  ASSERT_NE(find_setting(message.runner_conf, "spark.sql.session.timeZone"), nullptr);
  EXPECT_EQ(*find_setting(message.runner_conf, "spark.sql.session.timeZone"), "Europe/Berlin");
  EXPECT_EQ(find_setting(message.runner_conf, "key"), nullptr);
  EXPECT_EQ(message.eval_conf, (spark::Settings{{"key", "value"}}));
  ASSERT_EQ(message.udfs.size(), 1u);
  const spark::UdfCall& udf = message.udfs.front();
  ASSERT_EQ(udf.arguments.size(), 2u);
  EXPECT_EQ(udf.arguments[0].offset, 0);
  EXPECT_FALSE(udf.arguments[0].name);
  EXPECT_EQ(udf.arguments[1].offset, 1);
  EXPECT_EQ(udf.arguments[1].name, "rate");
  EXPECT_EQ(udf.commands, std::vector<std::string>{InitFields().command});
  EXPECT_EQ(udf.result_id, 99);
}

TEST(SparkInit, AllFieldsOf43) {
  const std::string bytes = InitFields().framed();
  const InitParse result = parse(bytes + "and what follows", k43);
  ASSERT_TRUE(result.message);
  EXPECT_EQ(result.consumed_bytes, bytes.size());
  expect_all_fields(*result.message);
}

TEST(SparkInit, AllFieldsOf42) {
  const std::string bytes = InitFields().body();
  const InitParse result = parse(bytes + "and what follows", k42);
  ASSERT_TRUE(result.message);
  EXPECT_EQ(result.consumed_bytes, bytes.size());
  expect_all_fields(*result.message);
}

TEST(SparkInit, AsksForNoByteThatBelongsToWhatFollows) {
  InitParse result;
  EXPECT_EQ(parse_by_asking(InitFields().framed(), k43, result), 3);
  expect_all_fields(*result.message);
  EXPECT_GT(parse_by_asking(InitFields().body(), k42, result), 20);
  expect_all_fields(*result.message);
}

TEST(SparkInit, EveryPrefixWantsMoreAndSaysForWhat) {
  for (const auto version : {k42, k43}) {
    const std::string bytes = version == k43 ? InitFields().framed() : InitFields().body();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const InitParse result = parse(std::string_view(bytes).substr(0, size), version);
      ASSERT_FALSE(result.message) << size;
      EXPECT_GT(result.wanted_bytes, size);
      EXPECT_LE(result.wanted_bytes, bytes.size());
      EXPECT_STRNE(result.wanted_for, "");
    }
  }
}

TEST(SparkInit, BroadcastServerOnAPortOrAPath) {
  SparkBytes to;
  to.i32(0).text("cpp").text("{}").text("/f").i32(0);
  to.flag(true).i32(1).i32(4711).text("secret").i64(8);
  to.i32(250).i32(0).i32(0).i32(0);
  const InitParse result = parse(SparkBytes().i32(-8).text(to.str()).str(), k43);
  ASSERT_TRUE(result.message);
  ASSERT_TRUE(result.message->broadcast_server);
  EXPECT_EQ(result.message->broadcast_server->port, 4711);
  EXPECT_EQ(result.message->broadcast_server->secret, "secret");
  ASSERT_EQ(result.message->broadcasts.size(), 1u);
  EXPECT_EQ(result.message->broadcasts[0].path, "");

  SparkBytes by_path;
  by_path.i32(0).text("cpp").text("{}").text("/f").i32(0);
  by_path.flag(true).i32(0).i32(-1).text("/tmp/s").i32(250).i32(0).i32(0).i32(0);
  const InitParse other = parse(by_path.str(), k42);
  ASSERT_TRUE(other.message);
  EXPECT_EQ(other.message->broadcast_server->socket_path, "/tmp/s");
}

TEST(SparkInit, PartitionOfMinusOneAsksToExit) {
  const InitParse result = parse(SparkBytes().i32(-1).str(), k42);
  ASSERT_TRUE(result.message);
  EXPECT_TRUE(result.message->exit);
}

TEST(SparkInit, OtherFormsOfFunctionsAreLeftAlone) {
  InitFields fields;
  fields.eval_type = 300;
  const InitParse result = parse(fields.framed(), k43);
  ASSERT_TRUE(result.message);
  EXPECT_EQ(result.message->eval_type, 300);
  EXPECT_TRUE(result.message->udfs.empty());
  EXPECT_EQ(result.consumed_bytes, fields.framed().size());
}

// The text of the error that parsing ends with.
template <class E>
std::string error_of(std::string_view bytes, ChannelVersion version,
                     const InitLimits& limits = {}) {
  try {
    (void)parse(bytes, version, limits);
  } catch (const E& error) {
    return error.what();
  }
  return "no error";
}

TEST(SparkInit, UnknownMarkerIsNamed) {
  EXPECT_EQ(error_of<ProtocolError>(SparkBytes().i32(-42).str(), k43),
            "ProtocolError: instead of START_OF_INIT_MESSAGE (-8) came -42, at offset 1000");
  EXPECT_EQ(error_of<ProtocolError>(SparkBytes().i32(-4).str(), k43),
            "ProtocolError: instead of START_OF_INIT_MESSAGE (-8) came END_OF_STREAM (-4), "
            "at offset 1000");
}

TEST(SparkInit, AnnouncedLengthBeyondTheLimitIsRefusedAtOnce) {
  EXPECT_EQ(error_of<LimitExceeded>(SparkBytes().i32(-8).i32(0x7FFFFFFF).str(), k43),
            "LimitExceeded: bytes of an init message, in its length: "
            "limit 33554432, asked 2147483647");
  EXPECT_NE(error_of<LimitExceeded>(SparkBytes().i32(0).i32(0x7FFFFFFF).str(), k42), "no error");
  EXPECT_NE(error_of<LimitExceeded>(
                SparkBytes().i32(0).text("cpp").text("{}").text("/f").i32(0x7FFFFFFF).str(), k42),
            "no error");
}

TEST(SparkInit, LimitIsOfTheWholeMessageToo) {
  InitLimits limits;
  limits.message_bytes_max = InitFields().body().size();
  EXPECT_TRUE(parse(InitFields().body(), k42, limits).message);
  EXPECT_TRUE(parse(InitFields().framed(), k43, limits).message);
  --limits.message_bytes_max;
  EXPECT_NE(error_of<LimitExceeded>(InitFields().framed(), k43, limits), "no error");
}

TEST(SparkInit, NegativeLengthsAndCountsAreRefused) {
  for (const std::int32_t value : {-1, -5, INT32_MIN}) {
    EXPECT_NE(error_of<ProtocolError>(SparkBytes().i32(0).i32(value).str(), k42), "no error");
    EXPECT_NE(error_of<ProtocolError>(
                  SparkBytes().i32(0).text("").text("").text("").i32(value).str(), k42),
              "no error");
    EXPECT_NE(error_of<ProtocolError>(SparkBytes().i32(-8).i32(value).str(), k43), "no error");
  }
}

TEST(SparkInit, FieldBeyondTheEndOfTheMessageIsRefused) {
  std::string bytes = InitFields().body();
  bytes.pop_back();
  EXPECT_EQ(error_of<ProtocolError>(SparkBytes().i32(-8).text(bytes).raw("more").str(), k43)
                .find("ProtocolError: an init message whose result id goes on beyond the end"),
            0u);
  EXPECT_NE(
      error_of<ProtocolError>(SparkBytes().i32(-8).text(InitFields().body() + "x").str(), k43),
      "no error");
}

TEST(SparkInit, ChangedBytesAreRefusedOrReadWithoutHarm) {
  std::mt19937_64 random(1);
  for (int round = 0; round < (kSanitized ? 5'000 : 10'000); ++round) {
    const auto version = round % 2 == 0 ? k42 : k43;
    std::string bytes = version == k43 ? InitFields().framed() : InitFields().body();
    for (std::uint64_t i = 1 + random() % 4; i != 0; --i) {
      bytes[random() % bytes.size()] = static_cast<char>(random() % 4 == 0 ? random() : 0);
    }
    try {
      const InitParse result = parse(bytes, version);
      EXPECT_TRUE(result.message || result.wanted_bytes > bytes.size());
    } catch (const ProtocolError&) {
    } catch (const LimitExceeded&) {
    }
  }
}

TEST(SparkVersion, IsReadAndUnknownOnesAreRefused) {
  EXPECT_EQ(spark::channel_version("4.2.1"), k42);
  EXPECT_EQ(spark::channel_version("4.3.0"), k43);
  EXPECT_EQ(spark::channel_version("4.4.0-SNAPSHOT"), k43);
  EXPECT_EQ(spark::channel_version("5.0"), k43);
  for (const char* text : {"4.1.4", "3.5.0", "", "four", "4", "4."}) {
    EXPECT_THROW((void)spark::channel_version(text), Unsupported) << text;
  }
}

TEST(SparkNames, AreThoseThatPeopleKnow) {
  EXPECT_EQ(spark::eval_type_name(101), "SQL_ARROW_BATCHED_UDF (101)");
  EXPECT_EQ(spark::eval_type_name(999), "999");
  EXPECT_EQ(spark::marker_name(-7), "END_OF_MICRO_BATCH (-7)");
}

}  // namespace
}  // namespace forebay::test
