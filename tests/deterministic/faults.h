// SPDX-License-Identifier: Apache-2.0
#pragma once

// Faults that are planted on purpose, to see that the tests can fail: what one line of the library
// does to the world is left out, done twice, or done late. Operations know the line that called
// them, so nothing is built again for it.

#include <cstdint>
#include <string>

#include "site.h"

namespace forebay::deterministic {

/// What becomes of an operation.
enum class Effect : std::uint8_t { as_written, left_out, twice, late };

struct PlantedFault {
  Effect effect = Effect::as_written;
  unsigned line = 0;
  std::string file;  // without folders
};
inline PlantedFault g_fault;

inline Effect effect_at(const Site& site) noexcept {
  if (g_fault.effect == Effect::as_written) [[likely]]
    return Effect::as_written;
  const bool here = site.line() == g_fault.line && g_fault.file == site.file();
  return here ? g_fault.effect : Effect::as_written;
}

}  // namespace forebay::deterministic
