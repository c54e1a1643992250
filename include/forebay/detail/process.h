// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which process this is. A child of fork() has copies of its parent's streams, but not the threads
// that use them, and shares the descriptors below them: it must leave both alone.

#include <cstdint>

namespace forebay::detail {

/// Forks between the process that loaded the library and this one. Written in a new child before it
/// runs anything else, when it has one thread.
extern std::uint32_t g_forks;

/// The process in which an object was made.
class Birthplace {
 public:
  /// Whether this is a child, forked off since.
  [[nodiscard]] bool left() const noexcept { return forks_ != g_forks; }

 private:
  std::uint32_t forks_ = g_forks;
};

}  // namespace forebay::detail
