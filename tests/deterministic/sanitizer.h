// SPDX-License-Identifier: Apache-2.0
#pragma once

// What AddressSanitizer has to be told of a program with more stacks than threads. Nothing in other
// builds.

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define FOREBAY_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FOREBAY_ADDRESS_SANITIZER 1
#endif
#endif
#ifndef FOREBAY_ADDRESS_SANITIZER
#define FOREBAY_ADDRESS_SANITIZER 0
#endif

#if FOREBAY_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace forebay::deterministic {

#if FOREBAY_ADDRESS_SANITIZER
/// `fake_stack`: where the stack that is left keeps its own, or null when it is left for ever.
inline void start_switch(void** fake_stack, const void* bottom, std::size_t bytes) noexcept {
  __sanitizer_start_switch_fiber(fake_stack, bottom, bytes);
}
inline void finish_switch(void* fake_stack, const void** bottom, std::size_t* bytes) noexcept {
  __sanitizer_finish_switch_fiber(fake_stack, bottom, bytes);
}
inline void unpoison(void* memory, std::size_t bytes) noexcept {
  __asan_unpoison_memory_region(memory, bytes);
}
inline void on_death(void (*callback)()) noexcept { __sanitizer_set_death_callback(callback); }
#else
inline void start_switch(void**, const void*, std::size_t) noexcept {}
inline void finish_switch(void*, const void**, std::size_t*) noexcept {}
inline void unpoison(void*, std::size_t) noexcept {}
inline void on_death(void (*)()) noexcept {}
#endif

}  // namespace forebay::deterministic
