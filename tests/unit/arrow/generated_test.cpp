// SPDX-License-Identifier: Apache-2.0

// Streams that pyarrow writes when the tests run: every type that pyarrow can make, plain and
// compressed, in today's and in the legacy framing, with dictionaries that nest, grow and change.

#include <arrow/builder.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "canonical.h"
#include "support.h"

namespace forebay::arrow::test {
namespace {

class GeneratedStreams : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(run_script("generate_streams.py", {folder_.path()}));
    streams_ = files_in(folder_.path(), ".stream");
    ASSERT_GE(streams_.size(), 24U);
  }
  TemporaryFolder folder_;
  std::vector<std::filesystem::path> streams_;
};

TEST_F(GeneratedStreams, DecodeToTheValuesTheyWereMadeOfUnderEveryChunking) {
  for (const auto& path : streams_) {
    SCOPED_TRACE(path.filename());
    const std::string bytes = file_bytes(path);
    const std::string expected = file_bytes(std::filesystem::path(path).replace_extension(".txt"));
    for (const Chunking& chunking : chunkings()) {
      Stream stream = stream_of(bytes, chunking);
      ReadOptions options;
      options.validate = Validate::full;
      const Outcome outcome = read_stream(stream.reader, options);
      EXPECT_EQ(outcome.error, "") << chunking.name;
      ASSERT_EQ(outcome.decoded, expected) << chunking.name;
      EXPECT_TRUE(stream.reader.at_end());
    }
  }
}

// Where the schema and each batch of a whole stream end.
std::vector<std::size_t> ends_of(const std::string& bytes) {
  Stream stream = stream_of(bytes);
  const auto reader = RecordBatchReader::open(stream.reader);
  std::vector<std::size_t> ends{reader->position()};
  while (reader->next() != nullptr) ends.push_back(reader->position());
  EXPECT_EQ(reader->position(), bytes.size());
  return ends;
}

// Reads the first `size` bytes: the whole batches among them have to come, and then Truncated.
void expect_truncated(const std::string& bytes, std::size_t size,
                      const std::vector<std::size_t>& ends, const Chunking& chunking) {
  std::size_t whole = 0;  // the schema and batches that are whole
  while (whole < ends.size() && ends[whole] <= size) ++whole;
  Stream stream = stream_of(std::string_view(bytes).substr(0, size), chunking);
  std::size_t got = 0;
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

void expect_truncated_everywhere(const std::filesystem::path& path, std::size_t step) {
  SCOPED_TRACE(path.filename());
  const std::string bytes = file_bytes(path);
  const std::vector<std::size_t> ends = ends_of(bytes);
  for (std::size_t size = 0; size < bytes.size(); size += step) {
    expect_truncated(bytes, size, ends, {"whole", SIZE_MAX});
    if (size % 4 == 0) expect_truncated(bytes, size, ends, {"random", 0});
    if (::testing::Test::HasFailure()) return;
  }
}

// FOREBAY_TEST_LONG: all prefixes of all streams; tests/faults has the golden ones.
bool thorough() { return std::getenv("FOREBAY_TEST_LONG") != nullptr; }

TEST_F(GeneratedStreams, EveryPrefixIsTruncated) {
  for (const auto& path : streams_) {
    const bool small = std::filesystem::file_size(path) < 4000;
    expect_truncated_everywhere(path, small || thorough() ? 1 : 61);
  }
}

// The two types that pyarrow has no builders for.
TEST(Intervals, OfMonthsAndOfDaysDecode) {
  ::arrow::MonthIntervalBuilder months;
  ::arrow::DayTimeIntervalBuilder days;
  ASSERT_TRUE(months.AppendValues({-7, 0, 1200}).ok());
  ASSERT_TRUE(days.Append({1, -2}).ok() && days.AppendNull().ok() && days.Append({0, 5}).ok());
  const auto schema = ::arrow::schema({::arrow::field("m", ::arrow::month_interval()),
                                       ::arrow::field("d", ::arrow::day_time_interval())});
  const auto batch = ::arrow::RecordBatch::Make(
      schema, 3, {months.Finish().ValueOrDie(), days.Finish().ValueOrDie()});
  Stream stream = stream_of(ipc_stream({batch}), {"7", 7});
  const Outcome outcome = read_stream(stream.reader);
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.decoded.substr(outcome.decoded.find("batch")),
            "batch 3\ncolumn x6d\n-7\n0\n1200\ncolumn x64\n1/-2\nnull\n0/5\n");
}

}  // namespace
}  // namespace forebay::arrow::test
