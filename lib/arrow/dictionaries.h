// SPDX-License-Identifier: Apache-2.0
#pragma once

// The dictionaries of one Arrow stream.

#include <arrow/array/data.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/options.h>
#include <arrow/type.h>

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "body.h"
#include "message.h"

namespace forebay::arrow {

/// Reads dictionary messages and keeps what they held for the batches after them.
class Dictionaries {
 public:
  explicit Dictionaries(std::uint64_t bytes_max) noexcept : bytes_max_(bytes_max) {}

  /// What reads the schema fills this.
  [[nodiscard]] ::arrow::ipc::DictionaryMemo& memo() noexcept { return memo_; }

  /// Notes which dictionaries the columns of `schema` need; `included` as in IpcReadOptions.
  void expect(const ::arrow::Schema& schema, const std::vector<int>& included);
  /// Whether a column that is read needs the dictionary.
  [[nodiscard]] bool needed(std::int64_t id) const { return needed_.contains(id); }

  /// Reads a message that was unwrapped and whose body was set.
  /// Throws as throw_status(), and LimitExceeded.
  void read(const Metadata& metadata, const DictionaryHeader& header,
            ::arrow::ipc::IpcReadOptions options, ::arrow::ipc::Alignment alignment, Body& body);

  /// To be called before each batch: Arrow writes into dictionaries that hold dictionaries whenever
  /// it decodes a batch, and earlier batches may be looked at by other threads.
  void refresh(std::uint64_t offset);

 private:
  // What the dictionary will be charged for when `size` bytes are kept of a message.
  [[nodiscard]] std::uint64_t with_room_for(std::uint64_t size,
                                            const DictionaryHeader& header) const;
  void keep(const DictionaryHeader& header, const ::arrow::ArrayData& data, std::uint64_t offset);

  ::arrow::ipc::DictionaryMemo memo_;
  std::set<std::int64_t> needed_;
  std::set<std::int64_t> nested_;  // those that hold dictionaries
  std::map<std::int64_t, std::uint64_t> bytes_;
  std::uint64_t bytes_total_ = 0;
  std::uint64_t bytes_max_;
};

}  // namespace forebay::arrow
