// SPDX-License-Identifier: Apache-2.0
#include "old_glibc.h"

#include <dlfcn.h>
#include <features.h>
#include <link.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#if __GLIBC_PREREQ(2, 35)

namespace forebay::udf {

namespace {

using FindObject = int (*)(void*, dl_find_object*);
FindObject glibc_find_object = nullptr;

struct Search {
  std::uintptr_t address;
  dl_find_object* result;
};

// Called for each loaded object; not 0 ends the walk.
int look_into(dl_phdr_info* object, std::size_t, void* context) noexcept {
  const Search& search = *static_cast<const Search*>(context);
  std::uintptr_t begin = UINTPTR_MAX;
  std::uintptr_t end = 0;
  std::uintptr_t frames = 0;
  bool holds = false;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = object->dlpi_phdr[i];
    const std::uintptr_t from = object->dlpi_addr + header.p_vaddr;
    if (header.p_type == DLFO_EH_SEGMENT_TYPE) frames = from;
    if (header.p_type != PT_LOAD) continue;
    const std::uintptr_t to = from + header.p_memsz;
    holds = holds || (search.address >= from && search.address < to);
    begin = from < begin ? from : begin;
    end = to > end ? to : end;
  }
  if (!holds) return 0;
  *search.result = {};
  search.result->dlfo_map_start = reinterpret_cast<void*>(begin);
  search.result->dlfo_map_end = reinterpret_cast<void*>(end);
  search.result->dlfo_eh_frame = reinterpret_cast<void*>(frames);
  return 1;
}

}  // namespace

int find_object_by_headers(void* address, dl_find_object* result) noexcept {
  Search search{reinterpret_cast<std::uintptr_t>(address), result};
  return ::dl_iterate_phdr(look_into, &search) == 1 ? 0 : -1;
}

void prefer_glibc() noexcept {
  glibc_find_object = reinterpret_cast<FindObject>(::dlsym(RTLD_NEXT, "_dl_find_object"));
}

}  // namespace forebay::udf

// The linker exports them, because libraries of the program ask for them.
extern "C" {

__attribute__((visibility("default"))) int _dl_find_object(void* address,
                                                           dl_find_object* result) noexcept {
  const auto of_glibc = forebay::udf::glibc_find_object;
  return of_glibc != nullptr ? of_glibc(address, result)
                             : forebay::udf::find_object_by_headers(address, result);
}

// As glibc's, it gives numbers or does not return. (Older headers do not declare it.)
__attribute__((visibility("default"))) std::uint32_t arc4random() noexcept {
  std::uint32_t number = 0;
  if (::getentropy(&number, sizeof number) != 0) ::abort();
  return number;
}

}  // extern "C"

#else

// The run-time libraries of the machine that builds ask for nothing newer.
void forebay::udf::prefer_glibc() noexcept {}

#endif
