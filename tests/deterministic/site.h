// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>

namespace forebay::deterministic {

/// A place in the sources. As a default argument, the place of the call; std::source_location is
/// that too, but clang 14 does not have it.
class Site {
 public:
  [[nodiscard]] static constexpr Site current(const char* path = __builtin_FILE(),
                                              unsigned line = __builtin_LINE()) noexcept {
    Site site;
    site.path_ = path;
    site.line_ = line;
    return site;
  }

  /// The name of the file, without its folders.
  [[nodiscard]] const char* file() const noexcept {
    const char* const slash = std::strrchr(path_, '/');
    return slash != nullptr ? slash + 1 : path_;
  }
  [[nodiscard]] constexpr unsigned line() const noexcept { return line_; }

 private:
  const char* path_ = "";
  unsigned line_ = 0;
};

}  // namespace forebay::deterministic
