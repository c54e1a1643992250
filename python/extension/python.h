// SPDX-License-Identifier: Apache-2.0
#pragma once

// The interpreter, as the extension sees it: its lock, its signals, its exceptions.
//
// Interpreter exit: daemon threads are still inside when it begins, and where the interpreter ends
// a thread that wants the lock back, it unwinds the thread's stack. So no frame that lets the lock
// go owns a Python object, swallows what it does not know, or may not throw.

#include <nanobind/nanobind.h>

#include <exception>
#include <utility>

#include "forebay/deadline.h"

namespace forebay::python {

namespace nb = nanobind;

/// Raises what a C++ exception means in Python. The lock is held.
void raise_in_python(const std::exception_ptr& error);

/// Raises an exception of the package, forebay.errors.<name>. The lock is held.
void raise_package_error(const char* name, const char* text);

/// Tells the exceptions of a C++ function to Python; for nanobind's functions.
void register_errors();

/// To be called by Python when the interpreter exits, on the thread that ends it.
void note_exit();

/// Does not come back on any other thread than that one once the interpreter exits.
void stay_away_at_exit() noexcept;

/// Calls `function` without the interpreter's lock and passes on what it returns or throws.
template <class F>
auto without_lock(F&& function) {
  std::exception_ptr error;
  decltype(function()) result{};
  PyThreadState* const state = PyEval_SaveThread();
  try {
    result = function();
  } catch (const std::exception&) {
    error = std::current_exception();
  }
  stay_away_at_exit();
  PyEval_RestoreThread(state);
  if (error != nullptr) std::rethrow_exception(error);
  return result;
}

/// Where the next part of a wait must end, so that the thread that handles signals does: Python's
/// handlers run when that thread is back in Python, which a sleep on a futex does not know of.
[[nodiscard]] Deadline next_look_at_signals(Deadline deadline);

/// Runs Python's signal handlers, if one is due. Throws nb::python_error when one raised.
void look_at_signals();

/// A deadline of what Python gave as `timeout`: None, null or seconds. Throws nb::python_error.
[[nodiscard]] Deadline deadline_of(PyObject* timeout);

}  // namespace forebay::python
