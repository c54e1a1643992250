// SPDX-License-Identifier: Apache-2.0
#include "held_chunk.h"

#include <cstring>
#include <mutex>

#include "forebay/detail/borrowed.h"
#include "owned_bytes.h"

namespace forebay::python {

namespace {

using Borrowed = detail::BorrowedBlock<detail::SystemPolicy>;

struct GivenBack {
  std::mutex mutex;
  HeldChunk* first = nullptr;
  // Whether there is one, for who looks without the mutex.
  detail::SystemPolicy::atomic<bool> any{false};
};

// Never destroyed: threads may give chunks back while the process ends.
GivenBack& given_back() noexcept {
  static GivenBack& queue = *new GivenBack;
  return queue;
}

// A memoryview on the same memory whose items are bytes, and which nobody else can release.
PyObject* bytes_of(PyObject* memoryview, Py_buffer& buffer) {
  if (PyObject_GetBuffer(memoryview, &buffer, PyBUF_FULL_RO) != 0) throw nb::python_error();
  const bool bytes = buffer.ndim == 1 && buffer.itemsize == 1 && buffer.format != nullptr &&
                     std::strcmp(buffer.format, "B") == 0;
  const bool contiguous = PyBuffer_IsContiguous(&buffer, 'C') != 0;
  PyBuffer_Release(&buffer);
  if (contiguous && bytes) return PyMemoryView_FromObject(memoryview);
  if (contiguous) return OwnedBytes::view_of_buffer(memoryview);
  PyObject* const copied = PyBytes_FromObject(memoryview);
  if (copied == nullptr) return nullptr;
  PyObject* const view = PyMemoryView_FromObject(copied);
  Py_DecRef(copied);
  return view;
}

}  // namespace

Chunk HeldChunk::of(PyObject* memoryview) {
  Py_buffer buffer{};
  PyObject* const view = bytes_of(memoryview, buffer);
  if (view == nullptr) throw nb::python_error();
  if (PyObject_GetBuffer(view, &buffer, PyBUF_FULL_RO) != 0) {
    Py_DecRef(view);
    throw nb::python_error();
  }
  // The memory stays where it is as long as there is a memoryview on it.
  const std::span bytes(static_cast<const std::byte*>(buffer.buf),
                        static_cast<std::size_t>(buffer.len));
  PyBuffer_Release(&buffer);
  return Chunk::borrow(bytes, Release{&give_back, new HeldChunk(view, bytes.data())});
}

HeldChunk* HeldChunk::in(detail::Block* block) noexcept {
  if (!Borrowed::is(block)) return nullptr;
  const Borrowed* const borrowed = Borrowed::from(block);
  return borrowed->function == &give_back ? static_cast<HeldChunk*>(borrowed->context) : nullptr;
}

PyObject* HeldChunk::view(const std::byte* data, std::size_t size) const {
  return OwnedBytes::part(view_, data - data_, static_cast<Py_ssize_t>(size));
}

void HeldChunk::give_back(void* context) noexcept {
  auto* const chunk = static_cast<HeldChunk*>(context);
  GivenBack& queue = given_back();
  const std::scoped_lock lock(queue.mutex);
  chunk->next_ = std::exchange(queue.first, chunk);
  queue.any.store(true, detail::relaxed);  // Relaxed: the mutex orders the chunks.
}

void HeldChunk::drop_given_back() {
  GivenBack& queue = given_back();
  // Relaxed: what is missed is dropped by the next call.
  while (queue.any.load(detail::relaxed)) [[unlikely]] {
      HeldChunk* chunk;
      {
        const std::scoped_lock lock(queue.mutex);
        chunk = std::exchange(queue.first, nullptr);
        queue.any.store(false, detail::relaxed);  // Relaxed: as above.
      }
      while (chunk != nullptr) {
        HeldChunk* const next = chunk->next_;
        PyObject* const view = chunk->view_;
        delete chunk;
        Py_DecRef(view);
        chunk = next;
      }
    }
}

}  // namespace forebay::python
