// SPDX-License-Identifier: Apache-2.0
#include "block_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace forebay::detail {

namespace {

constexpr std::align_val_t kPage{4096};

// Below, the rest of the last page would be a large part, and an allocator has no trouble.
// AddressSanitizer sees an access behind the end of memory that was allocated, not of a mapping.
#if defined(__SANITIZE_ADDRESS__)
#define FOREBAY_BLOCKS_ARE_WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FOREBAY_BLOCKS_ARE_WATCHED 1
#endif
#endif
#if defined(FOREBAY_BLOCKS_ARE_WATCHED)
constexpr std::size_t kMapBytesMin = SIZE_MAX;
#else
constexpr std::size_t kMapBytesMin = std::size_t{64} << 10;
#endif

}  // namespace

void* take_block_memory(std::size_t bytes) {
  if (bytes < kMapBytesMin) return ::operator new(bytes, kPage);
  void* const memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return memory;
}

void give_block_memory(void* memory, std::size_t bytes) noexcept {
  if (bytes < kMapBytesMin) {
    ::operator delete(memory, kPage);
  } else {
    ::munmap(memory, bytes);
  }
}

}  // namespace forebay::detail
