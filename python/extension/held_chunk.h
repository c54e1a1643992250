// SPDX-License-Identifier: Apache-2.0
#pragma once

// HeldChunk: a memoryview on its way through a stream.
//
// The stream gives chunks back on whichever thread is done with them, with or without the
// interpreter's lock. What is given back is queued, and the next call that has the lock and is out
// of the stream drops it: dropping the last reference may run any Python code.

#include <cstddef>

#include "forebay/chunk.h"
#include "python.h"

namespace forebay::python {

class HeldChunk {
 public:
  /// A chunk of the bytes of a memoryview, whatever its items are; those of one that is not
  /// contiguous are copied. The lock is held. Throws nb::python_error, also when the memoryview was
  /// released before.
  [[nodiscard]] static Chunk of(PyObject* memoryview);

  /// The chunk that a block of a stream is, or null. Valid as long as the block is.
  [[nodiscard]] static HeldChunk* in(detail::Block* block) noexcept;

  /// Part of the chunk, as a memoryview that keeps the chunk's memory alive; null with an error
  /// set. The lock is held.
  [[nodiscard]] PyObject* view(const std::byte* data, std::size_t size) const;

  /// Drops the chunks that were given back. The lock is held, and no stream is being used.
  static void drop_given_back();

 private:
  HeldChunk(PyObject* view, const std::byte* data) noexcept : view_(view), data_(data) {}
  static void give_back(void* chunk) noexcept;

  PyObject* const view_;  // a memoryview of bytes of our own
  const std::byte* const data_;
  HeldChunk* next_ = nullptr;  // given back as well
};

}  // namespace forebay::python
