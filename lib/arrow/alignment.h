// SPDX-License-Identifier: Apache-2.0
#pragma once

// Buffers that must not lie just anywhere.

#include <arrow/array/data.h>
#include <arrow/ipc/options.h>
#include <arrow/memory_pool.h>
#include <arrow/result.h>

#include <cstdint>

namespace forebay::arrow {

/// Copies those buffers of the data, and of its children, that are not aligned as wanted, and
/// returns how many bytes that were. Instead of Arrow's own pass, which overlooks the sizes of list
/// views.
[[nodiscard]] ::arrow::Result<std::uint64_t> align_buffers(::arrow::ArrayData& data,
                                                           ::arrow::ipc::Alignment wanted,
                                                           ::arrow::MemoryPool* pool);

}  // namespace forebay::arrow
