// SPDX-License-Identifier: Apache-2.0

// Dictionaries that are passed over, and dictionaries of dictionaries of which one changes.

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "canonical.h"
#include "support.h"

namespace forebay::arrow::test {
namespace {

std::shared_ptr<::arrow::Array> texts(const std::vector<std::string>& values) {
  ::arrow::StringBuilder builder;
  EXPECT_TRUE(builder.AppendValues(values).ok());
  return builder.Finish().ValueOrDie();
}

template <class Builder>
std::shared_ptr<::arrow::Array> numbers(int count) {
  Builder builder;
  for (int i = 0; i < count; ++i) {
    EXPECT_TRUE(builder.Append(static_cast<typename Builder::value_type>(i)).ok());
  }
  return builder.Finish().ValueOrDie();
}

std::shared_ptr<::arrow::Array> dictionary(const std::shared_ptr<::arrow::Array>& indices,
                                           const std::shared_ptr<::arrow::Array>& values) {
  return ::arrow::DictionaryArray::FromArrays(::arrow::dictionary(indices->type(), values->type()),
                                              indices, values)
      .ValueOrDie();
}

std::shared_ptr<::arrow::RecordBatch> batch_of(const std::vector<std::string>& names,
                                               const ::arrow::ArrayVector& columns) {
  ::arrow::FieldVector fields;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    fields.push_back(::arrow::field(names[i], columns[i]->type()));
  }
  return ::arrow::RecordBatch::Make(::arrow::schema(fields), columns[0]->length(), columns);
}

/// The messages of a stream with their prefixes, up to the end marker.
std::vector<std::string> messages_of(const std::string& stream) {
  std::vector<std::string> messages;
  for (std::size_t at = 0;;) {
    std::int32_t metadata = 0;
    std::memcpy(&metadata, stream.data() + at + 4, sizeof metadata);
    if (metadata == 0) return messages;
    const auto head = 8 + static_cast<std::size_t>(metadata);
    const std::string_view bytes = std::string_view(stream).substr(at + 8, head - 8);
    const std::int64_t body = arrow_body_length(std::as_bytes(std::span(bytes)));
    messages.push_back(stream.substr(at, head + static_cast<std::size_t>(body)));
    at += messages.back().size();
  }
}

TEST(Dictionaries, TheEndInsideOfOneThatIsPassedOverIsTruncation) {
  const auto words = texts(std::vector<std::string>(100, "a word of some length"));
  const std::string stream = ipc_stream(
      {batch_of({"word", "number"}, {dictionary(numbers<::arrow::Int32Builder>(100), words),
                                     numbers<::arrow::Int64Builder>(100)})});
  const std::vector<std::string> messages = messages_of(stream);
  ASSERT_EQ(messages.size(), 3U);  // The schema, the dictionary, the batch.
  ReadOptions options;
  options.columns = {"number"};
  Stream whole = stream_of(stream);
  EXPECT_EQ(read_stream(whole.reader, options).error, "");

  for (const Chunking& chunking : chunkings()) {
    Stream cut =
        stream_of(stream.substr(0, messages[0].size() + messages[1].size() - 100), chunking);
    const Outcome outcome = read_stream(cut.reader, options);
    EXPECT_EQ(outcome.error.substr(0, 19), "Truncated: the body") << outcome.error;
    EXPECT_EQ(outcome.batches, 0U);
  }
}

// A column whose dictionary is of lists whose items have a dictionary of their own.
std::string nested_stream(const std::vector<std::string>& inner_values) {
  const auto items = dictionary(numbers<::arrow::Int8Builder>(2), texts(inner_values));
  ::arrow::Int32Builder offsets;
  EXPECT_TRUE(offsets.AppendValues({0, 1, 2}).ok());
  const auto lists =
      ::arrow::ListArray::FromArrays(*offsets.Finish().ValueOrDie(), *items).ValueOrDie();
  return ipc_stream({batch_of({"nested"}, {dictionary(numbers<::arrow::Int16Builder>(2), lists)})});
}

TEST(Dictionaries, OneThatIsReplacedInsideOfAnotherCountsFromTheNextBatchOn) {
  const std::string first = nested_stream({"old", "older"});
  const std::string second = nested_stream({"new", "newer"});
  const std::vector<std::string> before = messages_of(first);
  const std::vector<std::string> after = messages_of(second);
  ASSERT_EQ(before.size(), 4U);  // The schema, the inner dictionary, the outer, the batch.
  ASSERT_EQ(after.size(), 4U);
  const std::string end = first.substr(first.size() - 8);
  const auto text_of = [](const std::string& bytes) {
    Stream stream = stream_of(bytes);
    return batch_text(*RecordBatchReader::open(stream.reader)->next());
  };
  // The outer dictionary stays as it was sent.
  Stream stream =
      stream_of(before[0] + before[1] + before[2] + before[3] + after[1] + after[3] + end);
  const auto reader = RecordBatchReader::open(stream.reader);

  const auto batch_before = reader->next();
  const auto batch_after = reader->next();

  ASSERT_NE(text_of(first), text_of(second));
  EXPECT_EQ(batch_text(*batch_after), text_of(second));
  // A batch that was handed out keeps its values.
  EXPECT_EQ(batch_text(*batch_before), text_of(first));
  EXPECT_EQ(reader->next(), nullptr);
}

}  // namespace
}  // namespace forebay::arrow::test
