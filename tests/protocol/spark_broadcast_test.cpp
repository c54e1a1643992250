// SPDX-License-Identifier: Apache-2.0

// Where pickles end, and what the server that decrypts broadcasts sends: however it is cut, and
// when it is not as it should be.

#include <gtest/gtest.h>

#include "forebay/error.h"
#include "forebay/spark/broadcast_receiver.h"
#include "forebay/spark/handshake.h"
#include "spark_support.h"

namespace forebay::test {
namespace {

using spark::BroadcastReceiver;
using spark::Handshake;
using spark::PickleScanner;

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

// Every opcode that Python's pickletools lists, with an argument of its form that holds a full stop
// where it can; STOP is the last.
const std::string& every_opcode() {
  static const std::string bytes = from_hex(
      "492e310a4a404142434b404d40414c2e310a8a0361622e8b0300000061622e532e310a540300000061622e550361"
      "622e420300000061622e430361622e8e030000000000000061622e96030000000000000061622e97984e8889562e"
      "310a8c0361622e580300000061622e8d030000000000000061622e462e310a4740414243444546475d61656c2974"
      "8586877d6473758f909130322831672e310a68406a40414243702e310a7140724041424394824083404184404142"
      "4363612e620a630a93526269612e620a630a6f81928040954041424344454647502e310a512e");
  return bytes;
}

// As pickle.dumps(.., 5) has them.
const std::string kBytes = from_hex("80059507000000000000004303616263942e");
const std::string kByteArray = from_hex("8005950e0000000000000096030000000000000078797a942e");
const std::string kText = from_hex("8005950b000000000000008c076772c3bce282ac942e");
const std::string kList = from_hex(
    "80059511000000000000005d942843036162639443037879"
    "7a94652e");

TEST(SparkPickles, EndBehindTheirLastOpcode) {
  const std::string bytes = every_opcode() + "..more";
  PickleScanner scanner;
  EXPECT_EQ(scanner.consume(spark_span(bytes)), every_opcode().size());
  EXPECT_TRUE(scanner.done());
  EXPECT_EQ(scanner.position(), every_opcode().size());
  EXPECT_EQ(scanner.consume(spark_span("more")), 0u);
}

TEST(SparkPickles, AreTheSameHoweverTheyAreCut) {
  for (std::size_t cut = 0; cut != every_opcode().size(); ++cut) {
    PickleScanner scanner;
    const auto bytes = spark_span(every_opcode());
    ASSERT_EQ(scanner.consume(bytes.first(cut)), cut);
    ASSERT_FALSE(scanner.done()) << cut;
    ASSERT_EQ(scanner.consume(bytes.subspan(cut)), bytes.size() - cut);
    ASSERT_TRUE(scanner.done()) << cut;
  }
}

TEST(SparkPickles, OpcodeThatIsNoneIsNamed) {
  int unknown = 0;
  for (int code = 0; code != 256; ++code) {
    PickleScanner scanner;
    try {
      (void)scanner.consume(spark_span(std::string("N") + static_cast<char>(code)));
    } catch (const ProtocolError& error) {
      EXPECT_EQ(error.offset(), 1u);
      EXPECT_NE(std::string(error.what()).find(std::to_string(code)), std::string::npos);
      ++unknown;
    }
  }
  EXPECT_EQ(unknown, 256 - 68);
}

TEST(SparkPickles, StringsAloneAreGivenAsTheirBytes) {
  EXPECT_EQ(spark::broadcast_bytes(kBytes), "abc");
  EXPECT_EQ(spark::broadcast_bytes(kByteArray), "xyz");
  EXPECT_EQ(spark::broadcast_bytes(kText), "gr\u00fc\u20ac");
  EXPECT_EQ(spark::broadcast_bytes(from_hex("80059504000000000000004300942e")), "");
}

TEST(SparkPickles, EverythingElseIsGivenAsItIs) {
  for (const std::string& other :
       {kList, every_opcode(), std::string(), std::string("no pickle"), kBytes + "x",
        kBytes.substr(0, kBytes.size() - 1), std::string("\x80\x05N.")}) {
    EXPECT_EQ(spark::broadcast_bytes(other), other);
  }
}

TEST(SparkBroadcasts, ComeOneAfterTheOther) {
  const std::string bytes =
      SparkBytes().i64(7).raw(kList).i64(8).raw(kBytes).i64(12).raw(every_opcode()).str();
  const std::vector<BroadcastReceiver::Received> expected = {
      {7, kList}, {8, kBytes}, {12, every_opcode()}};
  for (const std::size_t part : {bytes.size(), std::size_t{1}, std::size_t{13}}) {
    BroadcastReceiver receiver({7, 8, 12}, bytes.size());
    for (std::size_t at = 0; at < bytes.size(); at += part) {
      EXPECT_FALSE(receiver.done());
      receiver.received(spark_span(std::string_view(bytes).substr(at, part)));
    }
    EXPECT_TRUE(receiver.done());
    EXPECT_EQ(receiver.take(), expected);
  }
}

TEST(SparkBroadcasts, AnotherIdIsNamedWithItsPlace) {
  BroadcastReceiver receiver({7, 8}, 1000);
  receiver.received(SparkBytes().i64(7).raw(kBytes).bytes());
  try {
    receiver.received(SparkBytes().i64(9).bytes());
    FAIL();
  } catch (const ProtocolError& error) {
    EXPECT_EQ(error.offset(), 8 + kBytes.size());
    EXPECT_NE(std::string(error.what()).find("instead of broadcast 8 came 9"), std::string::npos);
  }
}

TEST(SparkBroadcasts, BytesBehindTheLastAreRefused) {
  BroadcastReceiver receiver({7}, 1000);
  EXPECT_THROW(receiver.received(SparkBytes().i64(7).raw(kBytes).raw("x").bytes()), ProtocolError);
}

TEST(SparkBroadcasts, LimitIsOfAllAndCheckedBeforeTheyAreKept) {
  const std::string bytes = SparkBytes().i64(7).raw(kBytes).i64(8).raw(kList).str();
  const std::size_t size = kBytes.size() + kList.size();
  BroadcastReceiver enough({7, 8}, size);
  enough.received(spark_span(bytes));
  EXPECT_TRUE(enough.done());
  BroadcastReceiver small({7, 8}, size - 1);
  try {
    small.received(spark_span(bytes));
    FAIL();
  } catch (const LimitExceeded& error) {
    EXPECT_EQ(error.limit(), size - 1);
    EXPECT_EQ(error.asked(), size);
  }
}

TEST(SparkBroadcasts, EveryEndBeforeTheirsIsTruncated) {
  const std::string bytes = SparkBytes().i64(7).raw(kBytes).i64(8).raw(kList).str();
  for (std::size_t end = 0; end != bytes.size(); ++end) {
    BroadcastReceiver receiver({7, 8}, bytes.size());
    receiver.received(spark_span(std::string_view(bytes).substr(0, end)));
    ASSERT_FALSE(receiver.done());
    try {
      receiver.ended();
    } catch (const Truncated& error) {
      const bool first = end < 8 + kBytes.size();
      ASSERT_NE(std::string(error.what()).find(first ? "broadcast 7" : "broadcast 8"),
                std::string::npos);
      ASSERT_EQ(error.offset() + error.got(), end);
    }
  }
}

TEST(SparkBroadcasts, SecretIsGivenAndAnsweredBeforeThem) {
  Handshake shake = Handshake::of_client("secret");
  EXPECT_EQ(spark_text(shake.to_send()), SparkBytes().text("secret").str());
  shake.sent();
  shake.received(SparkBytes().i32(2).bytes());
  shake.received(spark_span("ok"));
  EXPECT_TRUE(shake.done());
  EXPECT_TRUE(shake.to_send().empty());
  EXPECT_TRUE(Handshake::of_client(std::nullopt).done());
}

}  // namespace
}  // namespace forebay::test
