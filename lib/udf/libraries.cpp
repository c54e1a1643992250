// SPDX-License-Identifier: Apache-2.0
#include "libraries.h"

#include <dlfcn.h>

#include "forebay/error.h"

namespace forebay::udf {

namespace {
// Ends with the version, so that a library of another one is refused instead of misread.
constexpr const char* kEntry = "forebay_functions_0_1";
}  // namespace

void load_library(const std::string& path, Registry& registry) {
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw Unsupported(std::string("a library of functions: ") + ::dlerror());
  void* const entry = ::dlsym(library, kEntry);
  if (entry == nullptr) {
    throw Unsupported("a library of functions: " + path + " has no " + kEntry);
  }
  reinterpret_cast<void (*)(Registry&)>(entry)(registry);
}

}  // namespace forebay::udf
