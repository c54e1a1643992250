// SPDX-License-Identifier: Apache-2.0
#include "grpc_module.h"

#include <dlfcn.h>

#include <filesystem>
#include <system_error>

#include "forebay/error.h"
#include "grpc/serve.h"

namespace forebay::udf {

namespace {

// In this order: beside the program, where an archive of it has its libraries, where an
// installation has them, where the loader looks by itself.
void* load() {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  std::string places;
  for (const fs::path& place : {folder, folder / "lib", folder.parent_path() / "lib"}) {
    const fs::path file = place / kGrpcModule;
    places += place.string() + ", ";
    if (!fs::exists(file, error)) continue;
    if (void* const module = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) return module;
    throw Unsupported(std::string("the gRPC channel: ") + ::dlerror());
  }
  if (void* const module = ::dlopen(kGrpcModule, RTLD_NOW | RTLD_LOCAL)) return module;
  const char* const why = ::dlerror();
  throw Unsupported("the gRPC channel: there is no " + std::string(kGrpcModule) + " in " + places +
                    "nor where the loader looks (" + why + ")");
}

}  // namespace

void serve_grpc(const std::string& connection, const Registry& registry) {
  void* const module = load();
  void* const entry = ::dlsym(module, kGrpcEntry);
  if (entry == nullptr) {
    throw Unsupported("the gRPC channel: " + std::string(kGrpcModule) + " has no " + kGrpcEntry);
  }
  reinterpret_cast<decltype(&forebay_serve_grpc_0_1)>(entry)(connection, registry);
}

}  // namespace forebay::udf
