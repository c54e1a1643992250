// SPDX-License-Identifier: Apache-2.0
#pragma once

// Relacy, without the words that it takes from the program. Its main header redefines new, delete,
// malloc, assert and the names of the memory orders; the operators behind them (and so the checks
// for leaks and double frees) stay in place without the macros.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <relacy/relacy.hpp>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#undef VAR_T
#undef TLS_T
#undef VAR
#undef memory_order_relaxed
#undef memory_order_consume
#undef memory_order_acquire
#undef memory_order_release
#undef memory_order_acq_rel
#undef memory_order_seq_cst
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef assert
#undef errno
#define errno (*__errno_location())
#undef $
#include <cassert>

// Relacy defines the plain operators inline; the other forms of the program, and the standard
// library's own calls, must come to the same ones. A model is one translation unit.
void operator delete(void* memory, std::size_t) noexcept { ::operator delete(memory); }
void operator delete[](void* memory, std::size_t) noexcept { ::operator delete[](memory); }

namespace forebay::model {
[[gnu::used]] inline void* (*const kOperatorNew)(std::size_t) = &::operator new;
[[gnu::used]] inline void* (*const kOperatorNewArray)(std::size_t) = &::operator new[];
[[gnu::used]] inline void (*const kOperatorDelete)(void*) = &::operator delete;
[[gnu::used]] inline void (*const kOperatorDeleteArray)(void*) = &::operator delete[];
}  // namespace forebay::model
