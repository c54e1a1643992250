// SPDX-License-Identifier: Apache-2.0
#include "byte_stream_type.h"

#include <nanobind/stl/optional.h>

#include "arguments.h"
#include "byte_stream.h"
#include "owned_bytes.h"

namespace forebay::python {

namespace {

using Given = PyObject* const*;

constexpr Parameters<2> kRead{"read", {"size", "timeout"}, 1, 1};
constexpr Parameters<2> kReadSome{"read_some", {"size", "timeout"}, 1, 0};
constexpr Parameters<2> kReadBuffer{"read_buffer", {"size", "timeout"}, 1, 0};
constexpr Parameters<2> kPeek{"peek", {"size", "timeout"}, 1, 1};
constexpr Parameters<2> kSkip{"skip", {"size", "timeout"}, 1, 1};
constexpr Parameters<2> kReadInto{"readinto", {"buffer", "timeout"}, 1, 1};
constexpr Parameters<2> kAdd{"add_next_chunk", {"chunk", "timeout"}, 1, 1};

constexpr auto kAll = static_cast<std::size_t>(PY_SSIZE_T_MAX);

ByteStream& stream_of(PyObject* self) {
  if (!nb::inst_ready(self)) [[unlikely]] {
    PyErr_SetString(PyExc_ValueError, "ZeroCopyByteStream.__init__() was not called");
    throw nb::python_error();
  }
  return *nb::inst_ptr<ByteStream>(self);
}

// Runs a method, drops what streams gave back meanwhile, and raises in Python what it throws.
template <class F>
PyObject* guarded(F&& method) {
  try {
    PyObject* const result = method();
    HeldChunk::drop_given_back();
    return result;
  } catch (nb::python_error& raised) {
    HeldChunk::drop_given_back();
    raised.restore();
  } catch (const std::exception&) {
    HeldChunk::drop_given_back();
    raise_in_python(std::current_exception());
  }
  return nullptr;
}

std::size_t size_or_all(PyObject* argument, const char* method) {
  return argument == nullptr || argument == Py_None ? kAll : size_of(argument, method);
}

PyObject* none_if(bool done) { return done ? Py_NewRef(Py_None) : nullptr; }

PyObject* read(PyObject* self, Given given, Py_ssize_t count, PyObject* keywords) {
  return guarded([&] {
    ByteStream& stream = stream_of(self);
    if (count == 1 && keywords == nullptr) [[likely]]
      return stream.read(size_of(given[0], kRead.method), Deadline::never());
    const auto [size, timeout] = kRead.read(given, count, keywords);
    return stream.read(size_of(size, kRead.method), deadline_of(timeout));
  });
}

PyObject* read_some(PyObject* self, Given given, Py_ssize_t count, PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    const auto [size, timeout] = kReadSome.read(given, count, keywords);
    const std::size_t most = size_or_all(size, kReadSome.method);
    if (most == 0) return OwnedBytes::empty_view();
    PyObject* const view = stream_of(self).read_some(most, deadline_of(timeout));
    return view != nullptr || PyErr_Occurred() != nullptr ? view : OwnedBytes::empty_view();
  });
}

PyObject* read_buffer(PyObject* self, Given given, Py_ssize_t count, PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    ByteStream& stream = stream_of(self);
    if (count == 1 && keywords == nullptr) [[likely]]
      return stream.read_up_to(size_of(given[0], kReadBuffer.method), Deadline::never());
    const auto [size, timeout] = kReadBuffer.read(given, count, keywords);
    return stream.read_up_to(size_or_all(size, kReadBuffer.method), deadline_of(timeout));
  });
}

PyObject* peek(PyObject* self, Given given, Py_ssize_t count, PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    const auto [size, timeout] = kPeek.read(given, count, keywords);
    const std::size_t n = size_of(size, kPeek.method);
    return n == 0 ? OwnedBytes::empty_view() : stream_of(self).peek(n, deadline_of(timeout));
  });
}

PyObject* skip(PyObject* self, Given given, Py_ssize_t count, PyObject* keywords) {
  return guarded([&] {
    const auto [size, timeout] = kSkip.read(given, count, keywords);
    return PyLong_FromSize_t(
        stream_of(self).consume(nullptr, size_of(size, kSkip.method), deadline_of(timeout)));
  });
}

PyObject* readinto(PyObject* self, Given given, Py_ssize_t count, PyObject* keywords) {
  return guarded([&] {
    const auto [buffer, timeout] = kReadInto.read(given, count, keywords);
    ByteStream& stream = stream_of(self);
    const Deadline deadline = deadline_of(timeout);
    Py_buffer out{};
    if (PyObject_GetBuffer(buffer, &out, PyBUF_WRITABLE) != 0) throw nb::python_error();
    std::size_t done;
    try {
      done = stream.consume(static_cast<std::byte*>(out.buf), static_cast<std::size_t>(out.len),
                            deadline);
    } catch (const std::exception&) {
      PyBuffer_Release(&out);
      throw;
    }
    PyBuffer_Release(&out);
    return PyLong_FromSize_t(done);
  });
}

PyObject* add_next_chunk(PyObject* self, Given given, Py_ssize_t count, PyObject* keywords) {
  return guarded([&] {
    const auto [chunk, timeout] = kAdd.read(given, count, keywords);
    stream_of(self).add_next_chunk(chunk, deadline_of(timeout));
    return none_if(true);
  });
}

PyObject* finish(PyObject* self, PyObject*) {
  return guarded([&] {
    stream_of(self).finish();
    return none_if(true);
  });
}

PyObject* fail(PyObject* self, PyObject* exception) {
  return guarded([&] {
    stream_of(self).fail(exception);
    return none_if(true);
  });
}

PyObject* next(PyObject* self) {
  return guarded([&] { return stream_of(self).read_some(kAll, Deadline::never()); });
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (nb::inst_ready(self)) Py_VISIT(nb::inst_ptr<ByteStream>(self)->failure());
  return 0;
}

int clear(PyObject* self) {
  if (nb::inst_ready(self)) nb::inst_ptr<ByteStream>(self)->drop_failure();
  return 0;
}

template <class F>
PyCFunction method(F* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

constexpr int kByName = METH_FASTCALL | METH_KEYWORDS;

PyMethodDef methods[] = {
    {"add_next_chunk", method(&add_next_chunk), kByName,
     "add_next_chunk($self, chunk, *, timeout=None)\n--\n\n"
     "Add a memoryview. With max_bytes, wait while the stream is full.\n"
     "TypeError for anything else, ValueError after finish()."},
    {"finish", method(&finish), METH_NOARGS,
     "finish($self)\n--\n\nEnd the stream. Again, it changes nothing."},
    {"fail", method(&fail), METH_O,
     "fail($self, exception, /)\n--\n\n"
     "End the stream with an exception, which reads raise after what was added before."},
    {"read", method(&read), kByName,
     "read($self, size, *, timeout=None)\n--\n\n"
     "The next size bytes: a view of the chunk where one holds them, else of a copy.\n"
     "EOFError when the stream ends first; what was left of it is consumed then."},
    {"read_some", method(&read_some), kByName,
     "read_some($self, size=None, *, timeout=None)\n--\n\n"
     "The next 1 to size bytes of one chunk, never a copy; empty at the end."},
    {"read_buffer", method(&read_buffer), kByName,
     "read_buffer($self, size=None, *, timeout=None)\n--\n\n"
     "As read(), but fewer bytes at the end. What pyarrow calls."},
    {"readinto", method(&readinto), kByName,
     "readinto($self, buffer, *, timeout=None)\n--\n\n"
     "Copy bytes out until the buffer is full; how many, fewer at the end."},
    {"peek", method(&peek), kByName,
     "peek($self, size, *, timeout=None)\n--\n\nAs read(), without consuming."},
    {"skip", method(&skip), kByName,
     "skip($self, size, *, timeout=None)\n--\n\nConsume size bytes; how many, fewer at the end."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_methods, methods},
    {Py_tp_iter, reinterpret_cast<void*>(&PyObject_SelfIter)},
    {Py_tp_iternext, reinterpret_cast<void*>(&next)},
    {Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(&clear)},
    {0, nullptr},
};

void construct(ByteStream* self, nb::handle initial_view, std::optional<std::size_t> max_bytes) {
  if (!initial_view.is_none() && !PyMemoryView_Check(initial_view.ptr())) {
    PyErr_Format(PyExc_TypeError, "initial_view is a memoryview or None, not %R",
                 initial_view.type().ptr());
    throw nb::python_error();
  }
  new (self) ByteStream(max_bytes);
  if (initial_view.is_none()) return;
  try {
    self->add_next_chunk(initial_view.ptr(), Deadline::never());
  } catch (const std::exception&) {
    self->~ByteStream();
    throw;
  }
}

void declare_stats(nb::module_& module) {
  nb::class_<StreamStats>(module, "StreamStats", "What a stream says of itself.")
      .def_ro("bytes_in", &StreamStats::bytes_in, "Bytes that were added.")
      .def_ro("chunks_in", &StreamStats::slices_in, "Chunks that were added.")
      .def_ro("bytes_out", &StreamStats::bytes_out,
              "Bytes that were read; those of a chunk may count when it is left.")
      .def_ro("bytes_copied", &StreamStats::bytes_copied,
              "Of these, bytes that were copied: by reads across chunks and by readinto().")
      .def_ro("gathers", &StreamStats::gathers, "Reads across chunks.")
      .def_ro("bytes_buffered", &StreamStats::bytes_buffered, "Bytes that wait to be read.")
      .def_ro("bytes_held", &StreamStats::bytes_detached,
              "Bytes of received memory that memoryviews hold.")
      .def_ro("bound_hits", &StreamStats::bound_hits, "How often the writer found no room.")
      .def_prop_ro(
          "reader_waits", [](const StreamStats& stats) { return stats.reader.waits; },
          "How often a reader had to wait.")
      .def_prop_ro(
          "writer_waits", [](const StreamStats& stats) { return stats.writer.waits; },
          "How often a writer had to wait.");
}

}  // namespace

void declare_byte_stream(nb::module_& module) {
  declare_stats(module);
  nb::class_<ByteStream>(module, "ZeroCopyByteStream", nb::type_slots(slots),
                         nb::is_weak_referenceable(),
                         "A file-like stream of chunks, read without copying them.\n\n"
                         "Chunks are memoryviews, and so are what reads give back.")
      .def("__init__", &construct, nb::arg("initial_view").none() = nb::none(), nb::kw_only(),
           nb::arg("max_bytes") = nb::none())
      .def_prop_ro("finished", &ByteStream::finished,
                   "Whether the stream was finished and everything was read.")
      .def_prop_ro("closed", &ByteStream::cancelled, "Whether the stream was closed or cancelled.")
      .def("cancel", &ByteStream::cancel,
           "End the stream for both sides at once: what is unread is dropped, every wait ends.")
      .def("close", &ByteStream::cancel, "The same.")
      .def("readable", [](const ByteStream&) { return true; })
      .def("writable", [](const ByteStream&) { return false; })
      .def("seekable", [](const ByteStream&) { return false; })
      .def("stats", &ByteStream::stats, "Figures.")
      .def("__enter__", [](nb::object self) { return self; })
      .def("__exit__", [](ByteStream& self, nb::args) { self.cancel(); });
  module.attr("ZeroCopyByteStream").attr("__module__") = "forebay";
  module.attr("StreamStats").attr("__module__") = "forebay";
}

}  // namespace forebay::python
