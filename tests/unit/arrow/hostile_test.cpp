// SPDX-License-Identifier: Apache-2.0

// Bytes that are not what they claim: one typed error each, under every chunking, and no memory
// spent on a claim.

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/ipc/options.h>
#include <arrow/memory_pool.h>
#include <arrow/table.h>
#include <arrow/util/compression.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "support.h"

namespace forebay::arrow::test {
namespace {

constexpr std::size_t kMarkerBytes = 8;

template <class T>
std::string bytes_of(T value) {
  std::string bytes(sizeof(value), '\0');
  std::memcpy(bytes.data(), &value, sizeof(value));
  return bytes;
}

// Replaces the one place where `from` stands behind `after`.
template <class T>
std::string replace(std::string bytes, T from, T to, std::size_t after = 0) {
  const std::size_t at = bytes.find(bytes_of(from), after);
  EXPECT_NE(at, std::string::npos);
  bytes.replace(at, sizeof(T), bytes_of(to));
  return bytes;
}

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kFreedStaysResident = true;
#else
constexpr bool kFreedStaysResident = false;
#endif

// Peak resident memory since the last reset, in bytes.
void reset_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }
std::size_t resident(const char* which) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::size_t kib = 0;
    if (word == which && status >> kib) return kib << 10;
  }
  return 0;
}

// Every chunking gives the error that begins with `expected`, after so many batches, and spends
// less than 16 MiB on it.
void expect_error(const std::string& bytes, const std::string& expected, std::size_t batches,
                  const ReadOptions& options = {}) {
  std::string first;
  for (const Chunking& chunking : chunkings()) {
    Stream stream = stream_of(bytes, chunking);
    reset_peak();
    const std::size_t before = resident("VmRSS:");
    // Where the kernel does not let a process reset its peak there is nothing to compare, nor where
    // AddressSanitizer keeps what was freed resident.
    const bool can_measure = !kFreedStaysResident && resident("VmHWM:") < before + (1U << 20);
    const Outcome outcome = read_stream(stream.reader, options);
    const std::size_t peak = resident("VmHWM:");
    EXPECT_EQ(outcome.error.substr(0, expected.size()), expected) << outcome.error;
    EXPECT_EQ(outcome.batches, batches);
    if (can_measure) {
      EXPECT_LT(peak, before + (16U << 20)) << chunking.name;
    }
    if (first.empty()) first = outcome.error;
    EXPECT_EQ(outcome.error, first) << chunking.name;
  }
}

// Two batches, the bodies of which are 24,000 bytes long.
constexpr std::int64_t kBodyBytes = 24000;
std::string two_batches() { return ipc_stream({int64_batch(3, 1000), int64_batch(3, 1000)}); }

TEST(Lengths, OfMetadataAreCheckedBeforeMemoryIsSpent) {
  const std::string bytes = two_batches();
  const std::string head = bytes.substr(0, bytes.size() - kMarkerBytes);
  const std::string marker = bytes_of<std::int32_t>(-1);
  const std::string tail = "ten bytes.";
  expect_error(head + marker + bytes_of<std::int32_t>(0x7fffffff) + tail, "LimitExceeded: metadata",
               2);
  expect_error(head + bytes_of<std::int32_t>(0x7fffffff) + tail, "LimitExceeded: metadata", 2);
  expect_error(head + marker + bytes_of<std::int32_t>(16 << 20) + tail, "Truncated: the metadata",
               2);
  expect_error(head + marker + bytes_of<std::int32_t>(-1) + tail, "ProtocolError: ", 2);
  expect_error(head + marker + bytes_of<std::int32_t>(INT32_MIN) + tail, "ProtocolError: ", 2);
  expect_error(head + bytes_of<std::int32_t>(-2) + tail, "ProtocolError: ", 2);
  expect_error(head + marker + bytes_of<std::int32_t>(8) + bytes_of<std::int64_t>(-1),
               "ProtocolError: Arrow metadata", 2);
  expect_error(head + marker + bytes_of<std::int32_t>(3) + "abc", "ProtocolError: Arrow metadata",
               2);
}

TEST(Lengths, OfBodiesAreCheckedBeforeMemoryIsSpent) {
  const std::string bytes = two_batches();
  const std::size_t second = bytes.size() - kMarkerBytes - kBodyBytes - 400;
  const auto with_length = [&](std::int64_t length) {
    return replace<std::int64_t>(bytes, kBodyBytes, length, second);
  };
  expect_error(with_length(std::int64_t{1} << 62), "LimitExceeded: bytes of the body", 1);
  expect_error(with_length(INT64_MAX), "LimitExceeded: bytes of the body", 1);
  expect_error(with_length(-8), "ProtocolError: an Arrow message with a body of negative", 1);
  expect_error(with_length(INT64_MIN), "ProtocolError: ", 1);
  expect_error(with_length(kBodyBytes + 16), "Truncated: the body", 1);
  expect_error(with_length(60 << 20), "Truncated: the body", 1);
  // Too short for its buffers.
  expect_error(with_length(kBodyBytes - 8), "ProtocolError: an Arrow batch with a buffer", 1);
  expect_error(with_length(0), "ProtocolError: an Arrow batch with a buffer", 1);
}

TEST(Lengths, LimitsAreThoseOfTheOptions) {
  ReadOptions options;
  options.body_bytes_max = kBodyBytes - 1;
  expect_error(two_batches(), "LimitExceeded: bytes of the body", 0, options);
  options.body_bytes_max = kBodyBytes;
  options.metadata_bytes_max = 64;
  expect_error(two_batches(), "LimitExceeded: metadata", 0, options);
  options.metadata_bytes_max = 4096;
  Stream stream = stream_of(two_batches());
  EXPECT_EQ(read_stream(stream.reader, options).batches, 2U);
}

class Compressed : public ::testing::TestWithParam<::arrow::Compression::type> {
 protected:
  static constexpr std::int64_t kRows = 10000;
  std::string bytes() const {
    auto options = ::arrow::ipc::IpcWriteOptions::Defaults();
    options.codec = ::arrow::util::Codec::Create(GetParam()).ValueOrDie();
    return ipc_stream({int64_batch(1, kRows)}, options);
  }
  std::string claiming(std::int64_t size) const {
    return replace<std::int64_t>(bytes(), kRows * 8, size, bytes().find(bytes_of(kRows * 8)));
  }
};
INSTANTIATE_TEST_SUITE_P(Codecs, Compressed,
                         ::testing::Values(::arrow::Compression::LZ4_FRAME,
                                           ::arrow::Compression::ZSTD));

TEST_P(Compressed, ClaimsBeyondReasonAreRefused) {
  for (const std::int64_t size : {INT64_MAX, INT64_MAX - 8, std::int64_t{1} << 62,
                                  std::int64_t{1} << 40, std::int64_t{-2}, INT64_MIN}) {
    expect_error(claiming(size), "ProtocolError: a compressed Arrow buffer that claims", 0);
  }
}

TEST_P(Compressed, ClaimsThatAreNotTrueAreRefused) {
  expect_error(claiming(kRows * 8 - 8), "ProtocolError: ", 0);
  expect_error(claiming(kRows * 8 + 8), "ProtocolError: ", 0);
  expect_error(claiming(0), "ProtocolError: ", 0);
}

TEST_P(Compressed, TheLimitIsForAllBuffersOfAMessage) {
  auto write_options = ::arrow::ipc::IpcWriteOptions::Defaults();
  write_options.codec = ::arrow::util::Codec::Create(GetParam()).ValueOrDie();
  const std::string three = ipc_stream({int64_batch(3, kRows)}, write_options);
  ReadOptions options;
  options.decompressed_bytes_max = 3 * kRows * 8 - 1;
  expect_error(three, "LimitExceeded: decompressed bytes", 0, options);
  options.columns = {"c0", "c2"};
  Stream pruned = stream_of(three, {"7", 7});
  EXPECT_EQ(read_stream(pruned.reader, options).error, "");
  options.columns.clear();
  options.decompressed_bytes_max = 3 * kRows * 8;
  Stream stream = stream_of(three, {"7", 7});
  EXPECT_EQ(read_stream(stream.reader, options).error, "");
}

TEST(ViewBuffers, AreNotCountedByTheirAnnouncement) {
  ::arrow::StringViewBuilder builder;
  for (int row = 0; row < 2; ++row) {
    ASSERT_TRUE(builder.Append("long enough not to be inlined in its view").ok());
  }
  const auto batch =
      ::arrow::RecordBatch::Make(::arrow::schema({::arrow::field("v", ::arrow::utf8_view())}), 2,
                                 {builder.Finish().ValueOrDie()});
  const std::string bytes = ipc_stream({batch});
  // The counts are a vector of one 64-bit number: its length, then the number.
  const std::string counts = bytes_of<std::int32_t>(1) + bytes_of<std::int64_t>(1);
  const std::size_t at = bytes.rfind(counts) + 4;
  for (const std::int64_t count : {std::int64_t{INT32_MAX}, INT64_MAX, std::int64_t{-1}}) {
    std::string changed = bytes;
    changed.replace(at, 8, bytes_of(count));
    expect_error(changed, "ProtocolError: an Arrow batch that announces more view buffers", 0);
  }
}

// Buffers that overlap could add up to more than was received.
TEST(Overlap, CostsNoMoreThanTheBody) {
  const int columns = 64;
  const std::int64_t rows = 8192;
  std::string bytes = ipc_stream({int64_batch(columns, rows)});
  const std::size_t body = bytes.size() - kMarkerBytes - columns * rows * 8;
  // Every column but the first two is made to take the whole body.
  for (int column = 2; column < columns; ++column) {
    const std::string place = bytes_of(column * rows * 8) + bytes_of(rows * 8);
    const std::size_t at = bytes.find(place);
    ASSERT_LT(at, body);
    bytes.replace(at, 16, bytes_of(std::int64_t{0}) + bytes_of(columns * rows * 8));
  }
  Stream stream = stream_of(bytes, {"60000", 60000});
  const auto reader = RecordBatchReader::open(stream.reader);
  const auto batch = reader->next();
  for (int column = 2; column < columns; ++column) {
    EXPECT_TRUE(batch->column(column)->Equals(*batch->column(0)));
  }
  EXPECT_LE(reader->stats().bytes_copied(), 2 * reader->stats().bytes_bodies);
}

TEST(Order, OfMessagesIsChecked) {
  const std::string bytes = two_batches();
  Stream stream = stream_of(bytes);
  const auto reader = RecordBatchReader::open(stream.reader);
  const std::size_t schema_end = reader->position();
  const std::string schema = bytes.substr(0, schema_end);
  const std::string end = bytes.substr(bytes.size() - kMarkerBytes);
  expect_error(bytes.substr(schema_end), "ProtocolError: an Arrow stream that does not begin", 0);
  expect_error(schema + bytes, "ProtocolError: a second schema", 0);
  expect_error(end, "Truncated: the schema", 0);
  expect_error("", "Truncated: ", 0);
}

TEST(Order, ABatchWithoutItsDictionaryIsRefused) {
  const TemporaryFolder folder;
  ASSERT_TRUE(run_script("generate_streams.py", {folder.path()}));
  const std::string bytes = file_bytes(folder.path() / "dictionary-replaced.stream");
  Stream stream = stream_of(bytes);
  const auto reader = RecordBatchReader::open(stream.reader);
  const std::size_t schema_end = reader->position();
  // The dictionary is the message behind the schema: a prefix of 8 bytes, metadata and body.
  std::int32_t metadata_bytes = 0;
  std::memcpy(&metadata_bytes, bytes.data() + schema_end + 4, sizeof(metadata_bytes));
  const std::string batch_kind = "\xff\xff\xff\xff";
  const std::size_t batch =
      bytes.find(batch_kind, schema_end + 8 + static_cast<std::size_t>(metadata_bytes));
  expect_error(bytes.substr(0, schema_end) + bytes.substr(batch), "ProtocolError: Arrow: ", 0);
}

TEST(Limits, OfDictionariesHoldForAllThatAreKept) {
  const TemporaryFolder folder;
  ASSERT_TRUE(run_script("generate_streams.py", {folder.path()}));
  ReadOptions options;
  options.dictionary_bytes_max = 600;
  // One that is replaced needs room for the largest; one that grows, for all of it.
  Stream replaced = stream_of(file_bytes(folder.path() / "dictionary-replaced.stream"));
  EXPECT_EQ(read_stream(replaced.reader, options).error, "");
  expect_error(file_bytes(folder.path() / "dictionary-deltas.stream"),
               "LimitExceeded: bytes of Arrow dictionaries", 1, options);
  // No column that is read needs it.
  options.dictionary_bytes_max = 1;
  options.columns = {"struct"};
  Stream structs = stream_of(file_bytes(folder.path() / "structs.stream"));
  EXPECT_EQ(read_stream(structs.reader, options).error, "");
}

TEST(ByteOrder, OfOtherMachinesIsUnsupported) {
  const auto batch = int64_batch(2, 10);
  const auto schema = batch->schema()->WithEndianness(::arrow::Endianness::Big);
  const auto foreign = ::arrow::RecordBatch::Make(schema, 10, batch->columns());
  expect_error(ipc_stream({foreign}), "Unsupported: an Arrow stream in another byte order", 0);
}

TEST(EndMarker, MissingIsTruncatedUnlessAllowed) {
  const std::string whole = two_batches();
  const std::string bytes = whole.substr(0, whole.size() - kMarkerBytes);
  expect_error(bytes, "Truncated: an Arrow message or the end-of-stream marker: expected 4 bytes",
               2);
  ReadOptions options;
  options.allow_missing_end_marker = true;
  for (const Chunking& chunking : chunkings()) {
    Stream stream = stream_of(bytes, chunking);
    const Outcome outcome = read_stream(stream.reader, options);
    EXPECT_EQ(outcome.error, "");
    EXPECT_EQ(outcome.batches, 2U);
  }
  // Allowed between messages, and nowhere else.
  expect_error(bytes + "\xff\xff\xff", "Truncated: ", 2, options);
  expect_error(bytes + "\xff\xff\xff\xff", "Truncated: ", 2, options);
  expect_error(bytes.substr(0, bytes.size() - 1), "Truncated: ", 1, options);
}

TEST(EndMarker, TheStreamStandsRightBehindIt) {
  for (const std::string& marker :
       {std::string("\xff\xff\xff\xff\0\0\0\0", 8), std::string("\0\0\0\0", 4)}) {
    const std::string whole = two_batches();
    const std::string bytes =
        whole.substr(0, whole.size() - kMarkerBytes) + marker + bytes_of<std::int32_t>(-4) + "more";
    for (const Chunking& chunking : chunkings()) {
      Stream stream = stream_of(bytes, chunking);
      const auto reader = RecordBatchReader::open(stream.reader);
      while (reader->next() != nullptr) {
      }
      EXPECT_TRUE(reader->at_end());
      EXPECT_EQ(reader->next(), nullptr);
      EXPECT_EQ(reader->position(), bytes.size() - 8);
      EXPECT_EQ(stream.reader.read_le<std::int32_t>(), -4);
      EXPECT_EQ(std::string_view(stream.reader.read(4)), "more");
    }
  }
}

TEST(Errors, OffsetsAreThoseOfTheStream) {
  const std::string bytes = two_batches();
  const std::string cut = bytes.substr(0, bytes.size() - kMarkerBytes - 5);
  Stream stream = stream_of(cut);
  ReadOptions options;
  options.stream_offset = 1000;
  const auto reader = RecordBatchReader::open(stream.reader, options);
  (void)reader->next();
  const std::uint64_t second = reader->position();
  try {
    (void)reader->next();
    FAIL();
  } catch (const Truncated& error) {
    EXPECT_EQ(error.expected(), static_cast<std::uint64_t>(kBodyBytes));
    EXPECT_EQ(error.got(), static_cast<std::uint64_t>(kBodyBytes - 5));
    EXPECT_EQ(error.offset() + error.got(), 1000 + cut.size());
    EXPECT_GT(error.offset(), second);
  }
}

TEST(Errors, BothFacesSayTheSameAndGoOnSayingIt) {
  const std::string bytes = two_batches();
  const std::string cut = bytes.substr(0, bytes.size() - kMarkerBytes - 5);
  Stream thrown = stream_of(cut);
  const Outcome outcome = read_stream(thrown.reader);

  Stream stream = stream_of(cut);
  const auto made = RecordBatchReader::make(stream.reader);
  ASSERT_TRUE(made.ok());
  std::shared_ptr<::arrow::RecordBatch> batch;
  ASSERT_TRUE((*made)->ReadNext(&batch).ok());
  for (int i = 0; i < 2; ++i) {
    const ::arrow::Status status = (*made)->ReadNext(&batch);
    EXPECT_TRUE(status.IsIOError());
    EXPECT_EQ(status.message(), outcome.error);
    EXPECT_EQ(batch, nullptr);
  }
  Stream empty = stream_of("");
  EXPECT_TRUE(RecordBatchReader::make(empty.reader).status().IsIOError());
}

TEST(Errors, OfTheWriterReachTheReader) {
  const std::string bytes = two_batches();
  Stream stream = make_stream();
  stream.writer.add_next_chunk(
      Chunk::copy_of(std::as_bytes(std::span(bytes.data(), bytes.size() - kMarkerBytes))));
  stream.writer.fail(std::make_exception_ptr(UserError("the peer reset the connection")));
  const Outcome outcome = read_stream(stream.reader);
  EXPECT_EQ(outcome.batches, 2U);
  EXPECT_EQ(outcome.error, "UserError: the peer reset the connection");
}

TEST(Errors, CancelEndsAWait) {
  const std::string bytes = two_batches();
  Stream stream = make_stream();
  stream.writer.add_next_chunk(
      Chunk::copy_of(std::as_bytes(std::span(bytes.data(), bytes.size() - kMarkerBytes))));
  std::thread canceller([&stream] {
    while (stream.writer.stats().reader.parks == 0) std::this_thread::yield();
    stream.writer.cancel();
  });
  const Outcome outcome = read_stream(stream.reader);
  canceller.join();
  EXPECT_EQ(outcome.error.substr(0, 10), "Cancelled:");
}

TEST(Faces, ArrowReadsATableThroughOurs) {
  Stream stream = stream_of(two_batches(), {"random", 0});
  const auto reader = RecordBatchReader::make(stream.reader).ValueOrDie();
  const auto table = reader->ToTable().ValueOrDie();
  EXPECT_EQ(table->num_rows(), 2000);
  EXPECT_TRUE(table->ValidateFull().ok());
}

TEST(Faces, BatchesCanBePushed) {
  Stream stream = stream_of(two_batches());
  std::int64_t rows = 0;
  EXPECT_TRUE(for_each_batch(stream.reader, [&rows](const auto& batch) {
    rows += batch->num_rows();
    return true;
  }));
  EXPECT_EQ(rows, 2000);
  Stream again = stream_of(two_batches());
  EXPECT_FALSE(for_each_batch(again.reader, [](const auto&) { return false; }));
}

}  // namespace
}  // namespace forebay::arrow::test
