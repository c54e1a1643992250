// SPDX-License-Identifier: Apache-2.0
#include "alignment.h"

#include <arrow/buffer.h>
#include <arrow/type.h>
#include <arrow/util/align_util.h>

#include <algorithm>
#include <cstddef>

namespace forebay::arrow {

namespace {

// What numbers of so many bytes need. No machine that Arrow knows wants more than 8.
std::int64_t natural_alignment(std::int64_t bytes) noexcept {
  return std::min<std::int64_t>(bytes & -bytes, 8);
}

std::int64_t alignment_of(const ::arrow::DataType& type,
                          const ::arrow::DataTypeLayout::BufferSpec& buffer) {
  const bool numbers = buffer.kind == ::arrow::DataTypeLayout::FIXED_WIDTH &&
                       type.storage_id() != ::arrow::Type::FIXED_SIZE_BINARY;
  return numbers ? natural_alignment(buffer.byte_width) : 1;
}

}  // namespace

::arrow::Result<std::uint64_t> align_buffers(::arrow::ArrayData& data,
                                             ::arrow::ipc::Alignment wanted,
                                             ::arrow::MemoryPool* pool) {
  const auto layout = data.type->layout();
  const auto fixed = static_cast<std::int64_t>(wanted);
  const bool by_type = wanted == ::arrow::ipc::Alignment::kDataTypeSpecificAlignment;
  std::uint64_t copied = 0;
  for (std::size_t i = 0; i < data.buffers.size(); ++i) {
    auto& buffer = data.buffers[i];
    if (buffer == nullptr || buffer->size() == 0) continue;
    // Buffers beyond the layout are those of views: text.
    const std::int64_t by_layout =
        i < layout.buffers.size() ? alignment_of(*data.type, layout.buffers[i]) : 1;
    const std::int64_t alignment = by_type ? by_layout : fixed;
    if (alignment <= 1 || ::arrow::util::CheckAlignment(*buffer, alignment)) continue;
    copied += static_cast<std::uint64_t>(buffer->size());
    ARROW_ASSIGN_OR_RAISE(buffer, ::arrow::util::EnsureAlignment(buffer, alignment, pool));
  }
  for (const auto& child : data.child_data) {
    ARROW_ASSIGN_OR_RAISE(const std::uint64_t bytes, align_buffers(*child, wanted, pool));
    copied += bytes;
  }
  return copied;
}

}  // namespace forebay::arrow
