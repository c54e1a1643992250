// SPDX-License-Identifier: Apache-2.0

// What a worker does where glibc is older than gcc's libraries: compared with this glibc.

#include "old_glibc.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>

#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace forebay::udf::test {
namespace {

using FindObject = int (*)(void*, dl_find_object*);

void* symbol(void* from, const char* name) {
  void* const found = ::dlsym(from, name);
  EXPECT_NE(found, nullptr) << name;
  return found;
}

std::string object_of(void* address) {
  Dl_info info{};
  return ::dladdr(address, &info) != 0 ? info.dli_fname : "";
}

TEST(OldGlibc, FindsTheObjectsAndFramesThatGlibcFinds) {
  const auto glibc_finds = reinterpret_cast<FindObject>(symbol(RTLD_NEXT, "_dl_find_object"));
  int local = 0;
  const std::vector<void*> addresses = {
      reinterpret_cast<void*>(&object_of),        symbol(RTLD_DEFAULT, "qsort"),
      symbol(RTLD_DEFAULT, "__cxa_throw"),        symbol(RTLD_DEFAULT, "_Unwind_RaiseException"),
      reinterpret_cast<void*>(std::uintptr_t{1}), &local,
  };
  for (void* const address : addresses) {
    dl_find_object expected{};
    dl_find_object found{};
    ASSERT_EQ(find_object_by_headers(address, &found), glibc_finds(address, &expected)) << address;
    EXPECT_EQ(found.dlfo_eh_frame, expected.dlfo_eh_frame) << address;
    if (expected.dlfo_eh_frame == nullptr) continue;
    EXPECT_LE(found.dlfo_map_start, address);
    EXPECT_GT(found.dlfo_map_end, address);
  }
}

TEST(OldGlibc, IsWhatTheLibrariesOfTheProgramCall) {
  const std::string here = object_of(reinterpret_cast<void*>(&object_of));
  for (const char* const name : {"_dl_find_object", "arc4random"}) {
    EXPECT_EQ(object_of(symbol(RTLD_DEFAULT, name)), here) << name;
  }
}

TEST(OldGlibc, UnwindsBeforeAndAfterGlibcIsPreferred) {
  const auto thrown = [] {
    try {
      throw std::runtime_error("through frames");
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(thrown(), "through frames");
  prefer_glibc();
  EXPECT_EQ(thrown(), "through frames");
}

TEST(OldGlibc, GivesRandomNumbers) {
  std::random_device device;
  const unsigned first = device();
  bool differs = false;
  for (int i = 0; i < 8; ++i) differs = differs || device() != first;
  EXPECT_TRUE(differs);
}

}  // namespace
}  // namespace forebay::udf::test
