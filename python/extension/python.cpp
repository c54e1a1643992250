// SPDX-License-Identifier: Apache-2.0
#include "python.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <new>
#include <stdexcept>
#include <system_error>

#include "forebay/detail/atomic.h"
#include "forebay/error.h"

namespace forebay::python {

namespace {

// How long a signal may go unseen by a thread that waits in a stream.
constexpr std::chrono::milliseconds kSignalLatency{100};

// The thread that ends the interpreter; 0 while it runs.
detail::SystemPolicy::atomic<long> g_exiting_thread{0};

long this_thread() noexcept { return ::syscall(SYS_gettid); }

void raise_os_error(const std::system_error& error) {
  PyObject* const arguments = Py_BuildValue("(is)", error.code().value(), error.what());
  if (arguments == nullptr) return;
  PyErr_SetObject(PyExc_OSError, arguments);
  Py_DecRef(arguments);
}

}  // namespace

void raise_package_error(const char* name, const char* text) {
  PyObject* const module = PyImport_ImportModule("forebay.errors");
  if (module == nullptr) return;
  PyObject* const type = PyObject_GetAttrString(module, name);
  Py_DecRef(module);
  if (type == nullptr) return;
  // The text of a C++ error begins with the name of its type, and so does that of the package's.
  const std::string_view prefix(name);
  std::string_view rest(text);
  if (rest.substr(0, prefix.size()) == prefix && rest.substr(prefix.size(), 2) == ": ") {
    rest.remove_prefix(prefix.size() + 2);
  }
  PyErr_SetString(type, rest.data());
  Py_DecRef(type);
}

void raise_in_python(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (nb::python_error& raised) {
    raised.restore();
  } catch (const Cancelled& raised) {
    raise_package_error("Cancelled", raised.what());
  } catch (const DeadlineExceeded& raised) {
    raise_package_error("DeadlineExceeded", raised.what());
  } catch (const Error& raised) {
    raise_package_error("StreamError", raised.what());
  } catch (const std::system_error& raised) {
    raise_os_error(raised);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::invalid_argument& raised) {
    PyErr_SetString(PyExc_ValueError, raised.what());
  } catch (const std::exception& raised) {
    PyErr_SetString(PyExc_RuntimeError, raised.what());
  }
}

void register_errors() {
  nb::register_exception_translator([](const std::exception_ptr& error, void*) {
    try {
      std::rethrow_exception(error);
    } catch (const Error&) {
      raise_in_python(error);
    } catch (const std::system_error&) {
      raise_in_python(error);
    }
  });
}

// Relaxed, both: a thread that misses it is ended by the interpreter, which is as good.
void note_exit() { g_exiting_thread.store(this_thread(), detail::relaxed); }

void stay_away_at_exit() noexcept {
  const long exiting = g_exiting_thread.load(detail::relaxed);
  if (exiting == 0 || exiting == this_thread()) return;
  for (;;) ::pause();
}

Deadline next_look_at_signals(Deadline deadline) {
  // Python's handlers run on its main thread alone, which is the first of the process.
  if (this_thread() != ::getpid()) return deadline;
  return std::min(deadline, Deadline::after(kSignalLatency));
}

void look_at_signals() {
  if (PyErr_CheckSignals() != 0) throw nb::python_error();
}

Deadline deadline_of(PyObject* timeout) {
  if (timeout == nullptr || timeout == Py_None) return Deadline::never();
  const double seconds = PyFloat_AsDouble(timeout);
  if (seconds == -1.0 && PyErr_Occurred() != nullptr) throw nb::python_error();
  if (std::isnan(seconds)) throw std::invalid_argument("timeout must be a number of seconds");
  return Deadline::after(std::chrono::duration<double>(seconds));
}

}  // namespace forebay::python
