// SPDX-License-Identifier: Apache-2.0
#include "owned_bytes.h"

namespace forebay::python {

OwnedBytes::~OwnedBytes() {
  if (auto* const buffer = std::get_if<Py_buffer>(&memory_)) PyBuffer_Release(buffer);
}

int OwnedBytes::get_buffer(PyObject* self, Py_buffer* view, int flags) noexcept {
  OwnedBytes& bytes = *nb::inst_ptr<OwnedBytes>(self);
  if (const auto* const buffer = std::get_if<Py_buffer>(&bytes.memory_)) {
    return PyBuffer_FillInfo(view, self, buffer->buf, buffer->len, bytes.read_only_, flags);
  }
  const auto& shared = std::get<SharedBytes>(bytes.memory_);
  // Written through only where it is memory of the view's own.
  return PyBuffer_FillInfo(view, self, const_cast<std::byte*>(shared.data()),
                           static_cast<Py_ssize_t>(shared.size()), bytes.read_only_, flags);
}

void OwnedBytes::declare(nb::module_& module) {
  static PyType_Slot slots[] = {
      {Py_bf_getbuffer, reinterpret_cast<void*>(&get_buffer)},
      {0, nullptr},
  };
  nb::class_<OwnedBytes>(module, "_OwnedBytes", nb::type_slots(slots));
}

PyObject* OwnedBytes::view_of(SharedBytes bytes, bool read_only) {
  const nb::object owner = nb::cast(OwnedBytes(std::move(bytes), read_only));
  return PyMemoryView_FromObject(owner.ptr());
}

PyObject* OwnedBytes::view_of_buffer(PyObject* exporter) {
  Py_buffer buffer{};
  // Without a format, so that any will do.
  if (PyObject_GetBuffer(exporter, &buffer, PyBUF_SIMPLE) != 0) return nullptr;
  const nb::object owner = nb::cast(OwnedBytes(buffer));
  return PyMemoryView_FromObject(owner.ptr());
}

PyObject* OwnedBytes::empty_view() {
  PyObject* const nothing = PyBytes_FromStringAndSize(nullptr, 0);
  if (nothing == nullptr) return nullptr;
  PyObject* const view = PyMemoryView_FromObject(nothing);
  Py_DecRef(nothing);
  return view;
}

PyObject* OwnedBytes::part(PyObject* memoryview, Py_ssize_t offset, Py_ssize_t size) {
  // Making an object may collect garbage and so run Python code that lets go of the memoryview.
  const nb::object held = nb::borrow(memoryview);
  PyObject* const first = PyLong_FromSsize_t(offset);
  PyObject* const last = PyLong_FromSsize_t(offset + size);
  PyObject* const slice =
      first != nullptr && last != nullptr ? PySlice_New(first, last, nullptr) : nullptr;
  Py_XDECREF(first);
  Py_XDECREF(last);
  if (slice == nullptr) return nullptr;
  PyObject* const part = PyObject_GetItem(memoryview, slice);
  Py_DECREF(slice);
  return part;
}

}  // namespace forebay::python
