// SPDX-License-Identifier: Apache-2.0
#pragma once

// The record behind every piece of memory that goes through a stream: a chunk of a caller, a block
// of a pool, memory that a read was gathered into. Borrowed memory has one only while the reader
// has views of it: see borrowed.h.
//
// Life: somebody makes it; a stream publishes slices of it (`home` and the charge are set); the
// reader retires it after the last slice; when no guard is older, the stream lets go of its share;
// the last share destroys it. A block that was never published belongs to its Chunk alone.

#include <cstddef>
#include <cstdint>

#include "forebay/detail/atomic.h"
#include "forebay/epoch.h"

namespace forebay::detail {

/// Where the memory of a block counts besides its stream: the pool that it came from.
class CreditSource {
 public:
  /// Thread role: any.
  virtual void give_back_credit(std::size_t bytes) noexcept = 0;

 protected:
  ~CreditSource() = default;
};

/// What does not depend on the policy.
struct Block : Retirable {
  /// How a block ends. `owned_credit`: its bytes still count against the pool that it came from.
  using Destroy = void (*)(Block* block, bool owned_credit) noexcept;

  Block(std::byte* memory, std::size_t capacity, Destroy destroyer) noexcept
      : data(memory), capacity_bytes(capacity), destroy(destroyer) {}

  std::byte* data;             // the first byte; borrowed memory is never written through it
  std::size_t capacity_bytes;  // what is charged for the block
  Destroy destroy;
  CreditSource* pool = nullptr;  // null: the memory is nobody's budget
  bool viewed = false;           // the reader's: somebody may have a view of it
};

template <class P>
struct StreamShared;

template <class P>
struct BasicBlock : Block {
  // Holders: the stream and every bounded share count 1, every detached share counts kDetached.
  static constexpr std::uint64_t kBounded = 1;
  static constexpr std::uint64_t kDetached = std::uint64_t{1} << 32;
  static constexpr std::uint64_t kBoundedMask = kDetached - 1;

  using Block::Block;

  StreamShared<P>* home = nullptr;  // the stream that published it; set by its writer
  typename P::template atomic<std::uint64_t> holders{kBounded};
  // What counts against the bound of `home`. Changed by the reader only, until it is retired.
  typename P::template atomic<std::uint64_t> charge_bytes{0};
};

/// What is called when borrowed memory is done with; see Release.
using ReleaseFunction = void (*)(void* context) noexcept;

/// What travels from the writer to the reader: part of a block, or borrowed memory as a whole.
struct Slice {
  static constexpr std::uint64_t kSealed = std::uint64_t{1} << 63;
  static constexpr unsigned kReleaseShift = 48;
  static constexpr std::uint64_t kSizeMax = (std::uint64_t{1} << kReleaseShift) - 1;

  const std::byte* data;
  // Size in bytes; kSealed when no slice of the block follows; between them, for borrowed memory
  // that has no block, the number of its release function, from 1.
  std::uint64_t size_and_marks;
  union {
    Block* block;
    void* context;  // of the release function, while borrowed()
  };

  [[nodiscard]] std::size_t size() const noexcept {
    return static_cast<std::size_t>(size_and_marks & kSizeMax);
  }
  [[nodiscard]] bool sealed() const noexcept { return (size_and_marks & kSealed) != 0; }
  [[nodiscard]] std::uint64_t release_number() const noexcept {
    return (size_and_marks & ~kSealed) >> kReleaseShift;
  }
  [[nodiscard]] bool borrowed() const noexcept { return release_number() != 0; }
  /// Borrowed memory gets a block.
  void attach(Block* made) noexcept {
    size_and_marks &= kSealed | kSizeMax;
    block = made;
  }
};
static_assert(sizeof(Slice) == 24, "with its state word a slice fills half a cache line");

}  // namespace forebay::detail
