// SPDX-License-Identifier: Apache-2.0
#include "message_output.h"

#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/writer.h>
#include <arrow/type.h>

#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "forebay/error.h"
#include "forebay/udf/rows.h"
#include "function_call.h"
#include "types.h"

namespace forebay::udf {

namespace {

constexpr std::int64_t kAlignment = 8;
constexpr std::uint32_t kContinuation = 0xFFFFFFFF;

::arrow::ipc::IpcWriteOptions write_options() {
  auto options = ::arrow::ipc::IpcWriteOptions::Defaults();
  options.alignment = kAlignment;
  options.use_threads = false;
  return options;
}

std::int64_t padding_of(std::int64_t size) { return -size & (kAlignment - 1); }

void add_buffer(std::vector<Chunk>& message, std::shared_ptr<::arrow::Buffer> buffer) {
  static constexpr std::array<std::byte, kAlignment> kPadding{};
  const auto size = static_cast<std::size_t>(buffer->size());
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(buffer->data()), size);
  if (size != 0) {
    message.push_back(
        Chunk::borrow(bytes, [held = std::move(buffer)]() mutable noexcept { held.reset(); }));
  }
  const auto padding = static_cast<std::size_t>(padding_of(static_cast<std::int64_t>(size)));
  if (padding != 0) message.push_back(Chunk::borrow({kPadding.data(), padding}, Release{}));
}

}  // namespace

MessageOutput::MessageOutput(grpc::Execution& execution, std::shared_ptr<::arrow::Schema> promised)
    : execution_(execution), promised_(std::move(promised)), options_(write_options()) {}

void MessageOutput::write(const ::arrow::RecordBatch& batch) {
  // No schema goes with the batch: what only looks like the promised types would be misread.
  if (promised_ != nullptr && !same_layout(*batch.schema(), *promised_)) {
    throw UserError("it gave " + types_of(*batch.schema()) + " instead of " + types_of(*promised_));
  }
  const ::arrow::ipc::DictionaryFieldMapper mapper(*batch.schema());
  if (mapper.num_fields() != 0) {
    throw UserError("columns with dictionaries cannot be given to Spark");
  }
  ::arrow::ipc::IpcPayload payload;
  throw_if_error(::arrow::ipc::GetRecordBatchPayload(batch, options_, &payload));
  const std::int64_t metadata_bytes = payload.metadata->size();
  const auto length = static_cast<std::uint32_t>(metadata_bytes + padding_of(metadata_bytes));
  std::array<std::byte, 8> prefix;
  std::memcpy(prefix.data(), &kContinuation, sizeof kContinuation);
  std::memcpy(prefix.data() + sizeof kContinuation, &length, sizeof length);
  std::vector<Chunk> message;
  message.push_back(Chunk::copy_of(prefix));
  add_buffer(message, std::move(payload.metadata));
  for (auto& buffer : payload.body_buffers) {
    if (buffer != nullptr) add_buffer(message, std::move(buffer));
  }
  rows_ += batch.num_rows();
  execution_.send(std::move(message));
}

}  // namespace forebay::udf
