// SPDX-License-Identifier: Apache-2.0

// Handshakes and the daemon's orders: exact bytes, and no peer let in that should not be.

#include <gtest/gtest.h>

#include "forebay/error.h"
#include "forebay/spark/handshake.h"
#include "spark_support.h"

namespace forebay::test {
namespace {

using spark::DaemonOrders;
using spark::Handshake;

std::string sent_by(Handshake& shake) {
  std::string sent = spark_text(shake.to_send());
  shake.sent();
  return sent;
}

void give(Handshake& shake, const std::string& bytes) {
  ASSERT_EQ(shake.wanted_bytes(), bytes.size());
  shake.received(spark_span(bytes));
}

TEST(SparkHandshake, WorkerWithoutASecretGivesItsPid) {
  Handshake shake = Handshake::of_worker(std::nullopt, 4711);
  EXPECT_EQ(sent_by(shake), SparkBytes().i32(4711).str());
  EXPECT_TRUE(shake.done());
}

TEST(SparkHandshake, WorkerGivesTheSecretAndThenItsPid) {
  Handshake shake = Handshake::of_worker("secret", 4711);
  EXPECT_EQ(sent_by(shake), SparkBytes().text("secret").str());
  give(shake, SparkBytes().i32(2).str());
  give(shake, "ok");
  EXPECT_FALSE(shake.done());
  EXPECT_EQ(sent_by(shake), SparkBytes().i32(4711).str());
  EXPECT_TRUE(shake.done());
}

TEST(SparkHandshake, WorkerThatIsRefusedGivesNothingMore) {
  Handshake shake = Handshake::of_worker("secret", 4711);
  (void)sent_by(shake);
  give(shake, SparkBytes().i32(3).str());
  EXPECT_THROW(shake.received(spark_span("err")), PermissionDenied);
  EXPECT_TRUE(shake.to_send().empty());
}

TEST(SparkHandshake, DaemonGivesItsPidFirst) {
  Handshake alone = Handshake::of_daemon(std::nullopt, 12);
  EXPECT_EQ(sent_by(alone), SparkBytes().i32(12).str());
  EXPECT_TRUE(alone.done());

  Handshake shake = Handshake::of_daemon("secret", 12);
  EXPECT_EQ(sent_by(shake), SparkBytes().i32(12).str());
  give(shake, SparkBytes().i32(6).str());
  give(shake, "secret");
  EXPECT_EQ(sent_by(shake), SparkBytes().text("ok").str());
  EXPECT_TRUE(shake.done());
}

TEST(SparkHandshake, WrongSecretsAreRefusedWithoutOk) {
  for (const std::string wrong : {"Secret", "secre", "secrets", "x", ""}) {
    Handshake shake = Handshake::of_daemon("secret", 12);
    (void)sent_by(shake);
    const std::string length = SparkBytes().i32(static_cast<std::int64_t>(wrong.size())).str();
    if (wrong.empty()) {
      EXPECT_THROW(shake.received(spark_span(length)), PermissionDenied);
    } else {
      give(shake, length);
      EXPECT_THROW(shake.received(spark_span(wrong)), PermissionDenied) << wrong;
    }
    EXPECT_TRUE(shake.to_send().empty());
    EXPECT_EQ(spark_text(shake.refusal()), SparkBytes().text("err").str());
  }
}

TEST(SparkHandshake, SecretBeyondTheLimitIsNotWaitedFor) {
  for (const std::int64_t length :
       {std::int64_t{spark::kSecretBytesMax} + 1, std::int64_t{0x7FFFFFFF}}) {
    Handshake shake = Handshake::of_daemon("secret", 12);
    (void)sent_by(shake);
    EXPECT_THROW(shake.received(SparkBytes().i32(length).bytes()), LimitExceeded);
    EXPECT_TRUE(shake.to_send().empty());
  }
  Handshake shake = Handshake::of_daemon("secret", 12);
  (void)sent_by(shake);
  EXPECT_THROW(shake.received(SparkBytes().i32(-8).bytes()), ProtocolError);
}

TEST(SparkHandshake, NoSecretIsNotAnEmptyOne) {
  EXPECT_THROW((void)Handshake::of_daemon("", 12), InvalidConnection);
}

TEST(SparkHandshake, PeerThatLeavesIsATruncation) {
  Handshake shake = Handshake::of_daemon("secret", 12);
  (void)sent_by(shake);
  give(shake, SparkBytes().i32(6).str());
  try {
    shake.ended(2);
    FAIL();
  } catch (const Truncated& error) {
    EXPECT_STREQ(error.what(),
                 "Truncated: the secret of a handshake: expected 6 bytes, got 2, at offset 4");
  }
}

TEST(SparkDaemonOrders, AnyChunkingGivesTheSamePids) {
  const std::string bytes = SparkBytes().i32(1).i32(70'000).i32(-5).raw("ab").str();
  for (std::size_t chunk = 1; chunk <= bytes.size(); ++chunk) {
    DaemonOrders orders;
    std::vector<std::int32_t> pids;
    for (std::size_t at = 0; at < bytes.size(); at += chunk) {
      for (const auto pid : orders.received(spark_span(bytes.substr(at, chunk)))) {
        pids.push_back(pid);
      }
    }
    EXPECT_EQ(pids, (std::vector<std::int32_t>{1, 70'000, -5})) << chunk;
  }
}

}  // namespace
}  // namespace forebay::test
