// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where the memory of a pool's blocks comes from, and where it goes to.

#include <cstddef>

namespace forebay::detail {

/// Aligned to a page. Large memory is a mapping of its own: what is given back is the system's
/// again at once. An allocator would keep what lies between blocks that live, and a pool whose
/// blocks change their sizes would grow beyond its budget. Throws std::bad_alloc.
[[nodiscard]] void* take_block_memory(std::size_t bytes);

/// Gives back what take_block_memory(bytes) gave.
void give_block_memory(void* memory, std::size_t bytes) noexcept;

}  // namespace forebay::detail
