// SPDX-License-Identifier: Apache-2.0
#include "byte_stream_type.h"
#include "owned_bytes.h"

NB_MODULE(_stream, module) {
  using namespace forebay::python;
  // A daemon thread that waits in a stream when the interpreter exits keeps it, and may.
  nb::set_leak_warnings(false);
  module.doc() = "The extension behind forebay.ZeroCopyByteStream.";
  register_errors();
  OwnedBytes::declare(module);
  declare_byte_stream(module);
  declare_connections(module);
  nb::module_::import_("atexit").attr("register")(nb::cpp_function(&note_exit));
}
