// SPDX-License-Identifier: Apache-2.0
#include "arrow_output.h"

#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/writer.h>
#include <arrow/type.h>

#include <array>
#include <cstring>

#include "forebay/error.h"
#include "forebay/udf/rows.h"

namespace forebay::udf {

namespace {

// Arrow's encapsulated message format: a continuation marker and the length of the metadata, both
// little-endian, the metadata, the body; each of the last two padded to 8 bytes.
constexpr std::int64_t kAlignment = 8;
constexpr std::size_t kPrefixBytes = 8;
constexpr std::uint32_t kContinuation = 0xFFFFFFFF;
constexpr std::array<std::byte, kAlignment> kPadding{};

std::int64_t padding_of(std::int64_t size) { return -size & (kAlignment - 1); }

::arrow::ipc::IpcWriteOptions write_options() {
  auto options = ::arrow::ipc::IpcWriteOptions::Defaults();
  options.alignment = kAlignment;
  options.use_threads = false;
  return options;
}

}  // namespace

ArrowOutput::ArrowOutput(spark::GatherWriter& writer, spark::TaskOutput& frames)
    : writer_(writer), frames_(frames), options_(write_options()) {}

void ArrowOutput::add(const void* data, std::int64_t size) {
  if (size == 0) return;
  pieces_.emplace_back(static_cast<const std::byte*>(data), static_cast<std::size_t>(size));
}

void ArrowOutput::add_padding(std::int64_t size) { add(kPadding.data(), padding_of(size)); }

void ArrowOutput::add_message(const ::arrow::Buffer& metadata) {
  const auto length = static_cast<std::uint32_t>(metadata.size() + padding_of(metadata.size()));
  std::byte* const prefix = prefixes_.data() + prefixes_.size();
  // Never beyond the capacity: the pieces point into it.
  prefixes_.resize(prefixes_.size() + kPrefixBytes);
  std::memcpy(prefix, &kContinuation, sizeof kContinuation);
  std::memcpy(prefix + sizeof kContinuation, &length, sizeof length);
  add(prefix, kPrefixBytes);
  add(metadata.data(), metadata.size());
  add_padding(metadata.size());
}

void ArrowOutput::write(const ::arrow::RecordBatch& batch) {
  pieces_.clear();
  prefixes_.clear();
  prefixes_.reserve(2 * kPrefixBytes);
  ::arrow::ipc::IpcPayload body;
  throw_if_error(::arrow::ipc::GetRecordBatchPayload(batch, options_, &body));
  ::arrow::ipc::IpcPayload schema;
  spark::TaskOutput::Bytes begin;
  if (!frames_.in_arrow()) {
    const ::arrow::ipc::DictionaryFieldMapper mapper(*batch.schema());
    if (mapper.num_fields() != 0) {
      throw UserError("columns with dictionaries cannot be given to Spark");
    }
    throw_if_error(::arrow::ipc::GetSchemaPayload(*batch.schema(), options_, mapper, &schema));
    begin = frames_.begin_arrow();
    add(begin.data(), static_cast<std::int64_t>(begin.size()));
    add_message(*schema.metadata);
  }
  add_message(*body.metadata);
  for (const auto& buffer : body.body_buffers) {
    if (buffer == nullptr) continue;
    add(buffer->data(), buffer->size());
    add_padding(buffer->size());
  }
  writer_.send(pieces_);
}

}  // namespace forebay::udf
