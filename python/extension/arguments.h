// SPDX-License-Identifier: Apache-2.0
#pragma once

// Arguments of methods that CPython calls directly: one C call a read, which is what a read of a
// few bytes costs, where nanobind's way from overload to conversion would double it.

#include <algorithm>
#include <array>
#include <cstddef>

#include "python.h"

namespace forebay::python {

/// Parameters by name: the first `positional` may be given by place as well, the first `required`
/// must be given.
template <std::size_t Count>
struct Parameters {
  const char* method;
  std::array<const char*, Count> names;
  std::size_t positional;
  std::size_t required;

  /// The arguments in the order of the names, null where one was not given; borrowed references.
  /// Throws nb::python_error.
  [[nodiscard]] std::array<PyObject*, Count> read(PyObject* const* given, Py_ssize_t given_count,
                                                  PyObject* keywords) const {
    std::array<PyObject*, Count> found{};
    const auto count = static_cast<std::size_t>(given_count);
    if (count > positional) refuse("was given too many arguments");
    std::copy_n(given, count, found.begin());
    const Py_ssize_t keyword_count = keywords == nullptr ? 0 : PyTuple_Size(keywords);
    for (Py_ssize_t i = 0; i < keyword_count; ++i) {
      PyObject* const keyword = PyTuple_GetItem(keywords, i);
      const auto name = std::find_if(names.begin(), names.end(), [keyword](const char* one) {
        return PyUnicode_CompareWithASCIIString(keyword, one) == 0;
      });
      if (name == names.end()) refuse("was given a keyword that it does not know");
      PyObject*& argument = found[static_cast<std::size_t>(name - names.begin())];
      if (argument != nullptr) refuse("was given one argument twice");
      argument = given[given_count + i];
    }
    for (std::size_t i = 0; i < required; ++i) {
      if (found[i] == nullptr) refuse("lacks an argument");
    }
    return found;
  }

 private:
  [[noreturn]] void refuse(const char* what) const {
    PyErr_Format(PyExc_TypeError, "%s() %s", method, what);
    throw nb::python_error();
  }
};

/// A count of bytes. Throws nb::python_error: TypeError for what is no integer, ValueError below
/// zero.
[[nodiscard]] inline std::size_t size_of(PyObject* argument, const char* method) {
  Py_ssize_t size = PyLong_AsSsize_t(argument);
  if (size == -1 && PyErr_Occurred() != nullptr) {
    // Not an int: what stands in for one, as of numpy.
    if (PyErr_ExceptionMatches(PyExc_TypeError) == 0) throw nb::python_error();
    PyErr_Clear();
    size = PyNumber_AsSsize_t(argument, PyExc_OverflowError);
    if (size == -1 && PyErr_Occurred() != nullptr) throw nb::python_error();
  }
  if (size < 0) {
    PyErr_Format(PyExc_ValueError, "%s() cannot be called with a negative size, %zd", method, size);
    throw nb::python_error();
  }
  return static_cast<std::size_t>(size);
}

}  // namespace forebay::python
