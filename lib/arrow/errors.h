// SPDX-License-Identifier: Apache-2.0
#pragma once

// Between Forebay's errors and Arrow's.

#include <arrow/result.h>
#include <arrow/status.h>

#include <cstdint>
#include <exception>
#include <utility>

namespace forebay::arrow {

/// The status that stands for an error, with the same text.
[[nodiscard]] ::arrow::Status to_status(const std::exception_ptr& error) noexcept;

/// Throws what an error status of Arrow means for the message at stream offset `offset`:
/// Unsupported, std::bad_alloc, or ProtocolError. The status must not be OK.
[[noreturn]] void throw_status(const ::arrow::Status& status, std::uint64_t offset);

/// The value, or a throw as of throw_status().
template <class T>
[[nodiscard]] T value_of(::arrow::Result<T>&& result, std::uint64_t offset) {
  if (!result.ok()) throw_status(result.status(), offset);
  return std::move(result).ValueUnsafe();
}

}  // namespace forebay::arrow
