// SPDX-License-Identifier: Apache-2.0

// Streams that other implementations and versions wrote, from ../shared/data beside the checkout,
// or where FOREBAY_TEST_DATA says. They are not part of the project: without them these tests skip,
// and fail where CI is set.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "support.h"

namespace forebay::arrow::test {
namespace {

TEST_F(ForeignData, EveryGoldenStreamDecodesToItsJsonValuesUnderEveryChunking) {
  const TemporaryFolder texts;
  ASSERT_TRUE(run_script("golden_values.py", {folder_ / "golden", texts.path()}));
  const auto streams = files_in(folder_ / "golden", ".stream");
  ASSERT_GE(streams.size(), 69U);
  for (const auto& path : streams) {
    SCOPED_TRACE(path.filename());
    const std::string bytes = file_bytes(path);
    const std::string expected = file_bytes((texts.path() / path.stem()).string() + ".txt");
    for (const Chunking& chunking : chunkings()) {
      Stream stream = stream_of(bytes, chunking);
      const Outcome outcome = read_stream(stream.reader);
      EXPECT_EQ(outcome.error, "") << chunking.name;
      ASSERT_TRUE(outcome.decoded == expected) << chunking.name << "\nexpected:\n"
                                               << expected << "\ndecoded:\n"
                                               << outcome.decoded;
      EXPECT_TRUE(stream.reader.at_end());
    }
  }
}

TEST_F(ForeignData, EveryMalformedStreamGetsTheSameVerdictUnderEveryChunking) {
  const auto streams = files_in(folder_ / "malformed", "");
  ASSERT_GE(streams.size(), 50U);
  std::size_t without_error = 0;
  for (const auto& path : streams) {
    SCOPED_TRACE(path.filename());
    const std::string bytes = file_bytes(path);
    ReadOptions options;
    options.validate = Validate::full;
    Stream whole = stream_of(bytes);
    const Outcome expected = read_stream(whole.reader, options);
    if (std::getenv("FOREBAY_VERBOSE") != nullptr) {
      std::printf("%s: %zu batches, %s\n", path.filename().c_str(), expected.batches,
                  expected.error.c_str());
    }
    if (expected.error.empty()) {
      EXPECT_EQ(expected.batches, 0U);
      ++without_error;
    }
    for (const Chunking& chunking : chunkings()) {
      Stream stream = stream_of(bytes, chunking);
      const Outcome outcome = read_stream(stream.reader, options);
      EXPECT_EQ(outcome.error, expected.error) << chunking.name;
      EXPECT_EQ(outcome.decoded, expected.decoded) << chunking.name;
    }
  }
  EXPECT_LE(without_error, 1U);
}

}  // namespace
}  // namespace forebay::arrow::test
