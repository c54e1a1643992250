// SPDX-License-Identifier: Apache-2.0

// The streams of other implementations over faulty transports, and cut anywhere.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "faults/support.h"
#include "faults/system_calls.h"
#include "forebay/framing.h"
#include "unit/arrow/support.h"

namespace forebay::arrow::test {
namespace {

using forebay::test::all_faults;
using forebay::test::Choices;
using forebay::test::ReceiverOptions;
using forebay::test::report;
using forebay::test::SocketReceiver;
using forebay::test::times;
using forebay::test::Wire;

class GoldenFaults : public ForeignData {
 protected:
  void SetUp() override {
    ForeignData::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    for (const auto& path : files_in(folder_ / "golden", ".stream"))
      streams_.push_back(file_bytes(path));
    ASSERT_GE(streams_.size(), 69u);
  }

  /// Every stream, one behind the other on one connection, each read by a reader of its own (A11).
  void expect_sessions(ReceiverOptions options, std::size_t bytes_most) {
    Wire wire = forebay::test::socket_pair();
    std::string all;
    std::vector<const std::string*> sent;
    for (const std::string& stream : streams_) {
      if (stream.size() > bytes_most) continue;
      sent.push_back(&stream);
      all += stream;
    }
    const forebay::test::Sender sender(std::move(wire.far), all);
    options.framing = Framing::arrow_ipc;
    SocketReceiver receiver(std::move(wire.near), options);
    std::size_t batches = 0;
    for (const std::string* stream : sent) {
      const Outcome outcome = read_stream(receiver.reader());
      Stream whole = stream_of(*stream);
      const Outcome expected = read_stream(whole.reader);
      EXPECT_EQ(outcome.error, "");
      ASSERT_TRUE(outcome.decoded == expected.decoded);
      batches += outcome.batches;
    }
    EXPECT_TRUE(receiver.reader().at_end());
    report(sent.size(), "streams on one connection");
    EXPECT_GT(batches, sent.size());
  }

  std::vector<std::string> streams_;
};

TEST_F(GoldenFaults, SessionsOnOneConnectionAreExact) {
  for (const auto mode : {socket::ReceiveMode::threaded, socket::ReceiveMode::inline_}) {
    expect_sessions({.mode = mode}, SIZE_MAX);
  }
}

// A14
TEST_F(GoldenFaults, ReadsOfOneByteAndInterruptionsChangeNothing) {
  const forebay::test::ShortReads short_reads;
  for (const auto mode : {socket::ReceiveMode::threaded, socket::ReceiveMode::inline_}) {
    expect_sessions({.mode = mode}, all_faults() ? SIZE_MAX : 20'000);
  }
}

// Where the schema and each batch of a whole stream end.
std::vector<std::size_t> ends_of(const std::string& bytes) {
  Stream stream = stream_of(bytes);
  const auto reader = RecordBatchReader::open(stream.reader);
  std::vector<std::size_t> ends{reader->position()};
  while (reader->next() != nullptr) ends.push_back(reader->position());
  return ends;
}

// E2 and A10: the first `size` bytes are the batches that are whole, and then Truncated.
void expect_truncated(const std::string& bytes, std::size_t size,
                      const std::vector<std::size_t>& ends) {
  const auto whole = std::upper_bound(ends.begin(), ends.end(), size) - ends.begin();
  // Cut in two at different places, so that much lies over an edge.
  Stream stream = stream_of(std::string_view(bytes).substr(0, size), {"two", 1 + size * 2 / 3});
  std::ptrdiff_t got = 0;
  try {
    const auto reader = RecordBatchReader::open(stream.reader);
    for (got = 1; reader->next() != nullptr; ++got) {
    }
    FAIL() << size << " of " << bytes.size() << " bytes were taken for a whole stream";
  } catch (const Truncated& error) {
    EXPECT_EQ(got, whole) << size;
    EXPECT_LE(error.offset() + error.got(), size);
    EXPECT_LT(error.got(), error.expected());
  }
}

TEST_F(GoldenFaults, PrefixesAreTruncatedForTheReader) {
  Choices choices;
  std::size_t bytes = 0;
  for (const std::string& stream : streams_) bytes += stream.size();
  std::vector<std::vector<std::size_t>> ends;
  for (const std::string& stream : streams_) ends.push_back(ends_of(stream));
  const int prefixes = forebay::test::kSanitized ? times(2'000, 20'000) : 20'000;
  for (int i = 0; i < prefixes && !HasFailure(); ++i) {
    // As often a small stream as a large one, so that all of them are cut.
    const std::size_t chosen = choices.pick(streams_.size());
    const std::string& stream = streams_[chosen];
    expect_truncated(stream, choices.pick(stream.size()), ends[chosen]);
  }
  std::printf("of %zu prefixes of %zu streams\n", bytes, streams_.size());
  report(static_cast<std::uint64_t>(prefixes), "prefixes read through Arrow");
}

// What a scanner says after it was given the bytes, at most `piece` at once.
std::pair<ArrowFrameScanner::Part, std::uint64_t> scan(std::span<const std::byte> bytes,
                                                       std::size_t piece) {
  ArrowFrameScanner scanner;
  while (!bytes.empty()) {
    auto next = bytes.first(std::min(piece, bytes.size()));
    bytes = bytes.subspan(next.size());
    while (!next.empty()) next = next.subspan(scanner.consume(next));
  }
  return {scanner.part(), scanner.left()};
}

TEST_F(GoldenFaults, PrefixesAreTheSameForTheFramingHoweverTheyCome) {
  Choices choices;
  std::uint64_t prefixes = 0;
  const auto check = [&](const std::string& stream, std::size_t size,
                         const ArrowFrameScanner& bytewise) {
    const auto prefix = std::as_bytes(std::span(stream.data(), size));
    ASSERT_EQ(scan(prefix, SIZE_MAX), std::pair(bytewise.part(), bytewise.left())) << size;
    ASSERT_EQ(scan(prefix, 1 + size / 3), std::pair(bytewise.part(), bytewise.left())) << size;
    ++prefixes;
  };
  std::size_t bytes = 0;
  for (const std::string& stream : streams_) bytes += stream.size();
  for (const std::string& stream : streams_) {
    ArrowFrameScanner bytewise;
    for (std::size_t size = 0; size < stream.size() && !HasFailure(); ++size) {
      if (all_faults() || choices.pick(bytes) < 20'500) check(stream, size, bytewise);
      const auto one = std::as_bytes(std::span(stream.data() + size, 1));
      ASSERT_EQ(bytewise.consume(one), 1u);
    }
    // A whole stream is at its end marker, or where the next message would begin.
    EXPECT_TRUE(bytewise.part() == ArrowFrameScanner::Part::opaque ||
                bytewise.part() == ArrowFrameScanner::Part::prefix);
  }
  EXPECT_GE(prefixes, all_faults() ? bytes : 19'000u);
  report(prefixes, "prefixes followed by the framing");
}

}  // namespace
}  // namespace forebay::arrow::test
