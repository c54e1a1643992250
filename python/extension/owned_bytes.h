// SPDX-License-Identifier: Apache-2.0
#pragma once

// OwnedBytes: a Python object with the buffer protocol over memory of a stream, or over memory of
// another object as plain bytes. Memoryviews of it keep it alive, and it keeps the memory.

#include <variant>

#include "forebay/shared_bytes.h"
#include "python.h"

namespace forebay::python {

class OwnedBytes {
 public:
  OwnedBytes(SharedBytes bytes, bool read_only) noexcept
      : memory_(std::move(bytes)), read_only_(read_only) {}
  explicit OwnedBytes(const Py_buffer& buffer) noexcept
      : memory_(buffer), read_only_(buffer.readonly != 0) {}
  OwnedBytes(OwnedBytes&& other) noexcept
      : memory_(std::exchange(other.memory_, SharedBytes())), read_only_(other.read_only_) {}
  OwnedBytes& operator=(OwnedBytes&&) = delete;
  /// The lock is held.
  ~OwnedBytes();

  /// Adds the type to the module.
  static void declare(nb::module_& module);

  // Each gives a new reference, or null with an error set. The lock is held.
  /// A memoryview of no bytes.
  [[nodiscard]] static PyObject* empty_view();
  /// A memoryview of shared bytes.
  [[nodiscard]] static PyObject* view_of(SharedBytes bytes, bool read_only);
  /// A memoryview of the bytes of a contiguous buffer.
  [[nodiscard]] static PyObject* view_of_buffer(PyObject* exporter);
  /// Part of a memoryview of bytes.
  [[nodiscard]] static PyObject* part(PyObject* memoryview, Py_ssize_t offset, Py_ssize_t size);

 private:
  static int get_buffer(PyObject* self, Py_buffer* view, int flags) noexcept;

  std::variant<SharedBytes, Py_buffer> memory_;
  bool read_only_;
};

}  // namespace forebay::python
