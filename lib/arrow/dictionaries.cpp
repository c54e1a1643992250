// SPDX-License-Identifier: Apache-2.0
#include "dictionaries.h"

#include <arrow/extension_type.h>
#include <arrow/ipc/reader.h>
#include <arrow/record_batch.h>
#include <arrow/util/byte_size.h>
#include <arrow/util/checked_cast.h>

#include <memory>
#include <numeric>
#include <utility>

#include "alignment.h"
#include "errors.h"
#include "forebay/error.h"

namespace forebay::arrow {

namespace {

using ::arrow::ArrayData;
using ::arrow::DataType;
using ::arrow::DictionaryType;
using ::arrow::ExtensionType;
using ::arrow::internal::checked_cast;

// What a dictionary costs beyond its bytes: so that many empty deltas are not free.
constexpr std::uint64_t kEntryBytes = 256;

const DataType& storage_of(const DataType& type) {
  const DataType* storage = &type;
  while (storage->id() == ::arrow::Type::EXTENSION) {
    storage = checked_cast<const ExtensionType&>(*storage).storage_type().get();
  }
  return *storage;
}

// Calls visit(path, type, holds dictionaries) for every dictionary type in `type`, inner ones
// first, and returns how many there were. Paths are Arrow's: what a dictionary holds has paths that
// begin with the dictionary's own.
template <class Visit>
std::size_t for_each_dictionary(const DataType& type, std::vector<int>& path, const Visit& visit) {
  const DataType* storage = &storage_of(type);
  std::size_t count = 0;
  const bool is_dictionary = storage->id() == ::arrow::Type::DICTIONARY;
  const std::vector<int> own_path = path;
  const DictionaryType* dictionary = nullptr;
  if (is_dictionary) {
    dictionary = &checked_cast<const DictionaryType&>(*storage);
    storage = &storage_of(*dictionary->value_type());
  }
  for (int i = 0; i < storage->num_fields(); ++i) {
    path.push_back(i);
    count += for_each_dictionary(*storage->field(i)->type(), path, visit);
    path.pop_back();
  }
  if (dictionary == nullptr) return count;
  visit(own_path, *dictionary, count != 0);
  return count + 1;
}

// A copy that shares the buffers; dictionaries inside are left to be resolved.
std::shared_ptr<ArrayData> unresolved_copy(const ArrayData& data) {
  auto copy = std::make_shared<ArrayData>(data);
  copy->dictionary = nullptr;
  for (auto& child : copy->child_data) child = unresolved_copy(*child);
  return copy;
}

}  // namespace

void Dictionaries::expect(const ::arrow::Schema& schema, const std::vector<int>& included) {
  std::vector<int> all;
  if (included.empty()) {
    all.resize(static_cast<std::size_t>(schema.num_fields()));
    std::iota(all.begin(), all.end(), 0);
  }
  for (const int column : included.empty() ? all : included) {
    std::vector<int> path{column};
    for_each_dictionary(
        *schema.field(column)->type(), path,
        [this](const std::vector<int>& at, const DictionaryType&, bool holds_dictionaries) {
          const auto id = memo_.fields().GetFieldId(at);
          if (!id.ok()) throw Unsupported("a dictionary of dictionaries");
          needed_.insert(*id);
          if (holds_dictionaries) nested_.insert(*id);
        });
  }
}

void Dictionaries::read(const Metadata& metadata, const DictionaryHeader& header,
                        ::arrow::ipc::IpcReadOptions options, ::arrow::ipc::Alignment alignment,
                        Body& body) {
  options.included_fields.clear();  // A dictionary is read whole.
  (void)with_room_for(static_cast<std::uint64_t>(body.size()), header);
  auto type = value_of(memo_.GetDictionaryType(header.id), metadata.offset);

  // Dictionaries inside of this one are resolved with each batch. Until then something has to be
  // there, because Arrow looks.
  ::arrow::ipc::DictionaryMemo placeholders;
  std::vector<int> path{0};
  std::int64_t next_id = 0;
  ::arrow::Status status;
  for_each_dictionary(
      *type, path, [&](const std::vector<int>& at, const DictionaryType& inner, bool) {
        status &= placeholders.fields().AddField(next_id, at);
        status &=
            placeholders.AddDictionary(next_id, ArrayData::Make(inner.value_type(), 0, {nullptr}));
        ++next_id;
      });
  if (!status.ok()) throw_status(status, metadata.offset);

  const auto schema = ::arrow::schema({::arrow::field("", std::move(type))});
  auto result = ::arrow::ipc::ReadRecordBatch(*metadata_buffer(metadata), schema, &placeholders,
                                              options, &body);
  body.rethrow_error();
  const auto batch = value_of(std::move(result), metadata.offset);
  ::arrow::ArrayData& data = *batch->column_data(0);
  (void)value_of(align_buffers(data, alignment, options.memory_pool), metadata.offset);
  keep(header, data, metadata.offset);
}

std::uint64_t Dictionaries::with_room_for(std::uint64_t size,
                                          const DictionaryHeader& header) const {
  const auto entry = bytes_.find(header.id);
  const std::uint64_t present = entry == bytes_.end() ? 0 : entry->second;
  const std::uint64_t wanted = size + kEntryBytes + (header.is_delta ? present : 0);
  const std::uint64_t others = bytes_total_ - present;
  if (wanted > bytes_max_ - others) {
    throw LimitExceeded("bytes of Arrow dictionaries", bytes_max_, others + wanted);
  }
  return wanted;
}

void Dictionaries::keep(const DictionaryHeader& header, const ArrayData& data,
                        std::uint64_t offset) {
  const std::shared_ptr<ArrayData> copy = unresolved_copy(data);
  const auto size = static_cast<std::uint64_t>(::arrow::util::TotalBufferSize(*copy));
  const std::uint64_t kept = with_room_for(size, header);
  std::uint64_t& bytes = bytes_[header.id];
  bytes_total_ += kept - bytes;
  bytes = kept;
  const ::arrow::Status status = header.is_delta
                                     ? memo_.AddDictionaryDelta(header.id, copy)
                                     : memo_.AddOrReplaceDictionary(header.id, copy).status();
  if (!status.ok()) throw_status(status, offset);
}

void Dictionaries::refresh(std::uint64_t offset) {
  for (const std::int64_t id : nested_) {
    if (!memo_.HasDictionary(id)) continue;
    const auto data = value_of(memo_.GetDictionary(id, ::arrow::default_memory_pool()), offset);
    const auto status = memo_.AddOrReplaceDictionary(id, unresolved_copy(*data)).status();
    if (!status.ok()) throw_status(status, offset);
  }
}

}  // namespace forebay::arrow
