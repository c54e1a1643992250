// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>

#include <cerrno>
#include <memory>
#include <stop_token>
#include <string>
#include <system_error>

#include "byte_stream.h"
#include "byte_stream_type.h"
#include "forebay/error.h"
#include "forebay/socket/descriptor.h"

namespace forebay::python {

namespace {

socket::ReceiverOptions options_of(const std::string& mode, const std::string& framing,
                                   std::size_t max_bytes) {
  socket::ReceiverOptions options;
  // What is unread has all of what was asked for.
  options.stream.max_bytes = max_bytes + (max_bytes + 7) / (ByteStream::kViewsShare - 1);
  options.stream.gather_bytes_max = std::numeric_limits<std::size_t>::max() / 8;
  if (mode == "threaded") {
    options.mode = socket::ReceiveMode::threaded;
  } else if (mode == "inline") {
    options.mode = socket::ReceiveMode::inline_;
  } else if (mode == "automatic") {
    options.mode = socket::ReceiveMode::automatic;
  } else {
    throw std::invalid_argument("mode is threaded, inline or automatic");
  }
  if (framing == "arrow") {
    options.framing = Framing::arrow_ipc;
  } else if (framing != "none") {
    throw std::invalid_argument("framing is arrow or none");
  }
  return options;
}

// Calls `attempt` until it makes a connection, looking at signals in between.
template <class F>
socket::Descriptor connected(PyObject* timeout, F&& attempt) {
  const Deadline deadline = deadline_of(timeout);
  for (;;) {
    const Deadline until = next_look_at_signals(deadline);
    try {
      return without_lock([&] { return attempt(until); });
    } catch (const DeadlineExceeded&) {
      if (deadline.passed()) throw;
    }
    look_at_signals();
  }
}

std::unique_ptr<ByteStream> connect(const std::string& path, const std::string& mode,
                                    const std::string& framing, std::size_t max_bytes,
                                    nb::handle timeout) {
  const socket::ReceiverOptions options = options_of(mode, framing, max_bytes);
  return std::make_unique<ByteStream>(
      connected(timeout.ptr(), [&](Deadline until) { return socket::connect_unix(path, until); }),
      options);
}

std::unique_ptr<ByteStream> receive(int descriptor, const std::string& mode,
                                    const std::string& framing, std::size_t max_bytes) {
  const socket::ReceiverOptions options = options_of(mode, framing, max_bytes);
  const int own = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (own < 0) throw std::system_error(errno, std::generic_category(), "receive: the descriptor");
  return std::make_unique<ByteStream>(socket::Descriptor(own), options);
}

class Listener {
 public:
  explicit Listener(const std::string& path)
      : listener_(std::make_shared<socket::Listener>(socket::Listener::listen_unix(path))) {}

  std::unique_ptr<ByteStream> accept(const std::string& mode, const std::string& framing,
                                     std::size_t max_bytes, nb::handle timeout) {
    const socket::ReceiverOptions options = options_of(mode, framing, max_bytes);
    // A close() on another thread ends the wait, and leaves this thread what it waits on.
    const std::shared_ptr<socket::Listener> listener = listener_;
    if (!listener) throw std::invalid_argument("the listener is closed");
    return std::make_unique<ByteStream>(
        connected(timeout.ptr(),
                  [&](Deadline until) { return listener->accept(until, closed_.get_token()); }),
        options);
  }
  void close() {
    closed_.request_stop();
    listener_.reset();
  }

 private:
  // Under the interpreter's lock.
  std::shared_ptr<socket::Listener> listener_;
  std::stop_source closed_;
};

}  // namespace

void declare_connections(nb::module_& module) {
  module.def(
      "receive", &receive, nb::arg("descriptor"), nb::kw_only(), nb::arg("mode") = "threaded",
      nb::arg("framing") = "arrow", nb::arg("max_bytes") = std::size_t{64} << 20,
      "A stream of what comes through a connected socket or a pipe, received in C++ through "
      "a duplicate of the descriptor. Nobody else may read from it, also afterwards: a stream "
      "that goes closes this side of the connection for reading.");
  module.def("connect", &connect, nb::arg("path"), nb::kw_only(), nb::arg("mode") = "threaded",
             nb::arg("framing") = "arrow", nb::arg("max_bytes") = std::size_t{64} << 20,
             nb::arg("timeout").none() = nb::none(),
             "A stream of what the peer at a Unix socket's path sends, received in C++.");
  nb::class_<Listener>(module, "Listener", "Listens at a Unix socket's path.")
      .def("accept", &Listener::accept, nb::kw_only(), nb::arg("mode") = "threaded",
           nb::arg("framing") = "arrow", nb::arg("max_bytes") = std::size_t{64} << 20,
           nb::arg("timeout").none() = nb::none(),
           "A stream of what the next peer sends, received in C++.")
      .def(
          "close", &Listener::close,
          "Stop listening, and remove the socket's file; whoever waits in accept() gets Cancelled.")
      .def("__enter__", [](nb::object self) { return self; })
      .def("__exit__", [](Listener& self, nb::args) { self.close(); });
  module.def(
      "listen", [](const std::string& path) { return std::make_unique<Listener>(path); },
      nb::arg("path"), "A Listener at a Unix socket's path.");
  module.attr("Listener").attr("__module__") = "forebay";
}

}  // namespace forebay::python
