// SPDX-License-Identifier: Apache-2.0

// Recordings hold no secret, and are otherwise what came, however it came.

#include "redact.h"

#include <gtest/gtest.h>

#include "forebay/error.h"
#include "peer.h"

namespace forebay::udf::test {
namespace {

using forebay::test::SparkBytes;
using spark::ChannelVersion;

constexpr const char* kSecret = "q3Zk_secret-of_the-barrier";

std::string init_of(const std::string& context, const std::string& broadcasts,
                    const std::string& command) {
  SparkBytes to;
  to.i32(0).text("cpp").text(context).text("/tmp").i32(0).raw(broadcasts);
  to.i32(207).i32(0).i32(0).i32(1).i32(1).i32(0).flag(false).i32(1).text(command).i64(1);
  return to.str();
}

std::string context_of(const std::string& secret) {
  return R"({"isBarrier":true,"connInfo":4711,"secret":")" + secret +
         R"(","localProperties":{"secret":"a property"}})";
}

std::string none() { return SparkBytes().flag(false).i32(0).str(); }

std::string session_of(ChannelVersion version, const std::string& init) {
  const std::string stream = arrow_stream({in_struct(int_batch({{1, 2, 3}}))});
  SparkBytes bytes;
  for (int task = 0; task < 2; ++task) {
    if (version == ChannelVersion::spark_4_3) {
      bytes.i32(-8).text(init);
    } else {
      bytes.raw(init);
    }
    bytes.raw(stream).i32(-4);
  }
  return bytes.str();
}

std::string recorded(ChannelVersion version, const std::string& bytes, std::size_t part_bytes) {
  Redactor redactor(version);
  std::string record;
  for (std::size_t at = 0; at < bytes.size(); at += part_bytes) {
    redactor.add(forebay::test::spark_span(std::string_view(bytes).substr(at, part_bytes)),
                 [&record](std::span<const std::byte> given) {
                   record += forebay::test::spark_text(given);
                 });
  }
  return record;
}

TEST(SparkRecording, CrossesOutSecretsAndNothingElse) {
  const std::string crosses(std::string(kSecret).size(), 'x');
  const auto served = [](const std::string& secret) {
    return SparkBytes().flag(true).i32(1).i32(4711).text(secret).i64(3).str();
  };
  // A function's payload is the user's, even when it holds the same bytes.
  const std::string init = init_of(context_of(kSecret), served("of broadcasts"), kSecret);
  const std::string expected = init_of(context_of(crosses), served("xxxxxxxxxxxxx"), kSecret);
  for (const auto version : {ChannelVersion::spark_4_2, ChannelVersion::spark_4_3}) {
    for (const std::size_t part :
         {std::size_t{1}, std::size_t{7}, std::size_t{1000}, SIZE_MAX / 2}) {
      EXPECT_EQ(recorded(version, session_of(version, init), part), session_of(version, expected));
    }
  }
}

TEST(SparkRecording, WithoutASecretIsWhatCame) {
  for (const char* const context :
       {"{}", R"({"secret":null})", R"({"secret":""})", R"({"secret":7})", "no JSON"}) {
    const std::string bytes =
        session_of(ChannelVersion::spark_4_3, init_of(context, none(), "command"));
    EXPECT_EQ(recorded(ChannelVersion::spark_4_3, bytes, 100), bytes);
  }
}

TEST(SparkRecording, HoldsNothingOfAMessageThatCannotBeUnderstood) {
  // JSON may write a character in many ways.
  const std::string odd = init_of(R"({"secret":"\u0061bc"})", none(), "command");
  const std::string bytes = session_of(ChannelVersion::spark_4_3, odd);
  EXPECT_THROW((void)recorded(ChannelVersion::spark_4_3, bytes, SIZE_MAX / 2), ProtocolError);
  std::string cut = init_of(context_of(kSecret), none(), "command");
  cut.resize(cut.size() - 20);
  EXPECT_THROW((void)recorded(ChannelVersion::spark_4_3, SparkBytes().i32(-8).text(cut).str(), 64),
               ProtocolError);
}

}  // namespace
}  // namespace forebay::udf::test
