// SPDX-License-Identifier: Apache-2.0
#include "forebay/arrow/record_batch_reader.h"

#include <arrow/ipc/message.h>
#include <arrow/ipc/reader.h>
#include <arrow/util/key_value_metadata.h>

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <utility>

#include "alignment.h"
#include "body.h"
#include "dictionaries.h"
#include "errors.h"
#include "forebay/error.h"
#include "message.h"
#include "message_source.h"

namespace forebay::arrow {

using ::arrow::ipc::Alignment;

class RecordBatchReader::Impl {
 public:
  Impl(StreamReader& stream, ReadOptions options)
      : options_(std::move(options)),
        alignment_(std::exchange(options_.ipc.ensure_alignment, Alignment::kAnyAlignment)),
        source_(stream, options_, stats_),
        body_(stream, options_, stats_),
        dictionaries_(options_.dictionary_bytes_max) {
    read_schema();
  }

  ::arrow::RecordBatchWithMetadata next(bool with_metadata) {
    if (error_ != nullptr) std::rethrow_exception(error_);
    try {
      return decode_next(with_metadata);
    } catch (...) {
      body_.clear();
      error_ = std::current_exception();
      throw;
    }
  }

  [[nodiscard]] const std::shared_ptr<::arrow::Schema>& schema() const { return read_schema_; }
  [[nodiscard]] const ReadStats& stats() const { return stats_; }
  [[nodiscard]] std::uint64_t position() const { return source_.position(); }
  [[nodiscard]] bool at_end() const { return ended_; }

 private:
  void read_schema();
  void choose_columns();
  ::arrow::RecordBatchWithMetadata decode_next(bool with_metadata);
  void read_dictionary();
  std::shared_ptr<::arrow::RecordBatch> read_batch();
  void align(const ::arrow::RecordBatch& batch);
  void validate(const ::arrow::RecordBatch& batch) const;
  void set_body(Body::Use use);
  // The metadata of the present message, as Arrow opens it.
  [[nodiscard]] std::unique_ptr<::arrow::ipc::Message> message() const {
    return value_of(::arrow::ipc::Message::Open(metadata_buffer(source_.metadata()), nullptr),
                    source_.metadata().offset);
  }

  ReadOptions options_;
  ::arrow::ipc::Alignment alignment_;  // left to us: see align()
  ReadStats stats_;
  MessageSource source_;
  Body body_;
  Dictionaries dictionaries_;
  std::shared_ptr<::arrow::Schema> whole_schema_;
  std::shared_ptr<::arrow::Schema> read_schema_;
  bool ended_ = false;
  std::exception_ptr error_;
};

void RecordBatchReader::Impl::read_schema() {
  if (!source_.next()) {
    throw Truncated("the schema of an Arrow stream", 4, 0, source_.position());
  }
  if (source_.header().kind != MessageKind::schema) {
    throw ProtocolError("an Arrow stream that does not begin with a schema",
                        source_.metadata().offset);
  }
  const std::uint64_t offset = source_.metadata().offset;
  whole_schema_ = value_of(::arrow::ipc::ReadSchema(*message(), &dictionaries_.memo()), offset);
  if (!whole_schema_->is_native_endian()) {
    throw Unsupported("an Arrow stream in another byte order than this machine's");
  }
  source_.skip_body();
  choose_columns();
  dictionaries_.expect(*whole_schema_, options_.ipc.included_fields);
}

// Makes included_fields of the names, and the schema of what is read.
void RecordBatchReader::Impl::choose_columns() {
  std::vector<int>& included = options_.ipc.included_fields;
  if (!options_.columns.empty() && !included.empty()) {
    throw std::invalid_argument("RecordBatchReader: columns are given by name and by number");
  }
  for (const std::string& name : options_.columns) {
    const std::vector<int> found = whole_schema_->GetAllFieldIndices(name);
    if (found.empty()) {
      throw std::invalid_argument("RecordBatchReader: the schema has no column '" + name + "'");
    }
    included.insert(included.end(), found.begin(), found.end());
  }
  read_schema_ = whole_schema_;
  if (included.empty()) return;
  std::sort(included.begin(), included.end());
  included.erase(std::unique(included.begin(), included.end()), included.end());
  ::arrow::FieldVector fields;
  for (const int column : included) {
    if (column < 0 || column >= whole_schema_->num_fields()) {
      throw std::invalid_argument("RecordBatchReader: the schema has no column number " +
                                  std::to_string(column));
    }
    fields.push_back(whole_schema_->field(column));
  }
  read_schema_ =
      ::arrow::schema(std::move(fields), whole_schema_->endianness(), whole_schema_->metadata());
}

::arrow::RecordBatchWithMetadata RecordBatchReader::Impl::decode_next(bool with_metadata) {
  while (!ended_) {
    if (!source_.next()) {
      ended_ = true;
      break;
    }
    switch (source_.header().kind) {
      case MessageKind::record_batch: {
        ::arrow::RecordBatchWithMetadata result{read_batch(), nullptr};
        if (with_metadata) {
          const auto opened = message();
          const auto& custom = opened->custom_metadata();
          if (custom != nullptr) result.custom_metadata = custom->Copy();
        }
        return result;
      }
      case MessageKind::dictionary:
        read_dictionary();
        break;
      case MessageKind::schema:
        throw ProtocolError("a second schema in an Arrow stream", source_.metadata().offset);
      default:
        throw Unsupported("tensors in an Arrow stream");
    }
  }
  return {};
}

// Takes the body of the present message, to be given out as `use` says.
void RecordBatchReader::Impl::set_body(Body::Use use) {
  use.offset = source_.position();
  body_.set(source_.take_body(), use);
}

void RecordBatchReader::Impl::read_dictionary() {
  const DictionaryHeader header = read_dictionary_header(source_.metadata());
  if (!dictionaries_.needed(header.id) && !options_.ipc.included_fields.empty()) {
    source_.skip_body();
    return;
  }
  unwrap_dictionary(source_.metadata());
  const BatchLayout layout = check_record_batch(source_.metadata(), source_.header().body_bytes);
  set_body({.expansion_max = layout.expansion_max, .copies = true});
  dictionaries_.read(source_.metadata(), header, options_.ipc, alignment_, body_);
  body_.clear();
  ++stats_.dictionaries;
}

std::shared_ptr<::arrow::RecordBatch> RecordBatchReader::Impl::read_batch() {
  const std::uint64_t offset = source_.metadata().offset;
  const BatchLayout layout = check_record_batch(source_.metadata(), source_.header().body_bytes);
  dictionaries_.refresh(offset);
  set_body({.expansion_max = layout.expansion_max});
  auto result = ::arrow::ipc::ReadRecordBatch(*metadata_buffer(source_.metadata()), whole_schema_,
                                              &dictionaries_.memo(), options_.ipc, &body_);
  body_.rethrow_error();
  const auto batch = value_of(std::move(result), offset);
  align(*batch);
  stats_.bytes_bodies += source_.header().body_bytes;
  ++(body_.runs() > 1 ? stats_.bodies_scattered : stats_.bodies_whole);
  body_.clear();
  validate(*batch);
  ++stats_.batches;
  return batch;
}

// Buffers start at multiples of 8 bytes of the body, so that one that is aligned needs no look.
void RecordBatchReader::Impl::align(const ::arrow::RecordBatch& batch) {
  if (alignment_ == Alignment::kAnyAlignment) return;
  if (alignment_ == Alignment::kDataTypeSpecificAlignment && body_.aligned()) return;
  for (const auto& column : batch.column_data()) {
    stats_.bytes_realigned += value_of(align_buffers(*column, alignment_, options_.ipc.memory_pool),
                                       source_.metadata().offset);
  }
}

void RecordBatchReader::Impl::validate(const ::arrow::RecordBatch& batch) const {
  if (options_.validate == Validate::none) return;
  const ::arrow::Status status =
      options_.validate == Validate::full ? batch.ValidateFull() : batch.Validate();
  if (!status.ok()) throw_status(status, source_.metadata().offset);
}

RecordBatchReader::RecordBatchReader(std::unique_ptr<Impl> impl) noexcept
    : impl_(std::move(impl)) {}
RecordBatchReader::~RecordBatchReader() = default;

std::shared_ptr<RecordBatchReader> RecordBatchReader::open(StreamReader& stream,
                                                           ReadOptions options) {
  return std::shared_ptr<RecordBatchReader>(
      new RecordBatchReader(std::make_unique<Impl>(stream, std::move(options))));
}

::arrow::Result<std::shared_ptr<RecordBatchReader>> RecordBatchReader::make(StreamReader& stream,
                                                                            ReadOptions options) {
  try {
    return open(stream, std::move(options));
  } catch (...) {
    return to_status(std::current_exception());
  }
}

std::shared_ptr<::arrow::RecordBatch> RecordBatchReader::next() { return impl_->next(false).batch; }

::arrow::RecordBatchWithMetadata RecordBatchReader::next_with_metadata() {
  return impl_->next(true);
}

std::shared_ptr<::arrow::Schema> RecordBatchReader::schema() const { return impl_->schema(); }

::arrow::Status RecordBatchReader::ReadNext(std::shared_ptr<::arrow::RecordBatch>* batch) {
  try {
    *batch = next();
    return ::arrow::Status::OK();
  } catch (...) {
    *batch = nullptr;
    return to_status(std::current_exception());
  }
}

::arrow::Result<::arrow::RecordBatchWithMetadata> RecordBatchReader::ReadNext() {
  try {
    return next_with_metadata();
  } catch (...) {
    return to_status(std::current_exception());
  }
}

std::uint64_t RecordBatchReader::position() const noexcept { return impl_->position(); }
bool RecordBatchReader::at_end() const noexcept { return impl_->at_end(); }
const ReadStats& RecordBatchReader::stats() const noexcept { return impl_->stats(); }

bool for_each_batch(StreamReader& stream,
                    const std::function<bool(std::shared_ptr<::arrow::RecordBatch>)>& use,
                    ReadOptions options) {
  const auto reader = RecordBatchReader::open(stream, std::move(options));
  while (auto batch = reader->next()) {
    if (!use(std::move(batch))) return false;
  }
  return true;
}

}  // namespace forebay::arrow
