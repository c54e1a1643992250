// SPDX-License-Identifier: Apache-2.0
#pragma once

// FOREBAY_ASSERT checks what only a mistake of the programmer can break: two threads on one end of
// a stream, a stream destroyed under a waiter, a stream used after fork. It is on in debug builds
// and wherever FOREBAY_HARDENED is defined, names the rule that was broken, and aborts.

#if defined(FOREBAY_HARDENED) || !defined(NDEBUG)
#define FOREBAY_CHECKED 1
#else
#define FOREBAY_CHECKED 0
#endif

namespace forebay::detail {
/// Writes the broken rule to stderr and aborts.
[[noreturn]] void contract_violation(const char* rule, const char* file, int line) noexcept;
}  // namespace forebay::detail

#if FOREBAY_CHECKED
#define FOREBAY_ASSERT(condition, rule) \
  ((condition) ? (void)0 : ::forebay::detail::contract_violation(rule, __FILE__, __LINE__))
#else
#define FOREBAY_ASSERT(condition, rule) ((void)0)
#endif
