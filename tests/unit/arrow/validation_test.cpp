// SPDX-License-Identifier: Apache-2.0

// How closely a batch is looked at before it is handed out.

#include <arrow/array.h>
#include <arrow/builder.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "support.h"

namespace forebay::arrow::test {
namespace {

constexpr std::int32_t kOffsets[] = {0, 1000, 2000, 3000};

// A stream of one column of three texts, of which one offset is replaced.
std::string stream_with(std::size_t index, std::int32_t offset) {
  ::arrow::StringBuilder builder;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(builder.Append(std::string(1000, 'x')).ok());
  const auto column = builder.Finish().ValueOrDie();
  const auto schema = ::arrow::schema({::arrow::field("text", column->type())});
  std::string bytes = ipc_stream({::arrow::RecordBatch::Make(schema, 3, {column})});
  const std::string_view offsets(reinterpret_cast<const char*>(kOffsets), sizeof kOffsets);
  const std::size_t at = bytes.find(offsets);
  EXPECT_NE(at, std::string::npos);
  std::memcpy(bytes.data() + at + index * sizeof offset, &offset, sizeof offset);
  return bytes;
}

// The error of the first batch, which is not looked into.
std::string error_of(const std::string& bytes, Validate validate) {
  Stream stream = stream_of(bytes);
  ReadOptions options;
  options.validate = validate;
  try {
    EXPECT_NE(RecordBatchReader::open(stream.reader, options)->next(), nullptr);
  } catch (const ProtocolError& error) {
    return error.what();
  }
  return "";
}

TEST(Validation, SeesAsMuchAsItWasAskedTo) {
  const std::string whole = stream_with(3, 3000);
  const std::string beyond_the_end = stream_with(3, 1 << 20);
  const std::string out_of_order = stream_with(1, 2500);

  EXPECT_EQ(error_of(whole, Validate::full), "");

  EXPECT_EQ(error_of(beyond_the_end, Validate::none), "");
  EXPECT_NE(error_of(beyond_the_end, Validate::basic), "");
  EXPECT_NE(error_of(beyond_the_end, Validate::full), "");

  EXPECT_EQ(error_of(out_of_order, Validate::none), "");
  EXPECT_EQ(error_of(out_of_order, Validate::basic), "");
  EXPECT_NE(error_of(out_of_order, Validate::full), "");
}

TEST(Validation, OfTheEndsIsWhatABatchGetsUnlessOtherwiseSaid) {
  Stream stream = stream_of(stream_with(3, 1 << 20));
  const auto reader = RecordBatchReader::open(stream.reader);
  EXPECT_THROW((void)reader->next(), ProtocolError);
}

}  // namespace
}  // namespace forebay::arrow::test
