// SPDX-License-Identifier: Apache-2.0
#pragma once

// Borrowed memory on its way through a stream. A slice of the ring carries all there is to know of
// it: the bytes, and what to call when they are done with. The block that views and guards need is
// made by the reader when the slice becomes its run, out of blocks that it used before: so neither
// side allocates, and no block travels between two cores. A slice that is gathered or discarded
// never has one.

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "forebay/detail/block.h"

namespace forebay::detail {

/// The functions that give the memory of one stream back. A slice names one by a number, which
/// leaves it room for the context. Filled by the writer; whoever has got a slice that names a
/// function may read that function.
class ReleaseTable {
 public:
  /// The number of the function, from 1; 0 when there are too many different ones.
  [[nodiscard]] std::uint64_t number_of(ReleaseFunction function) noexcept {
    if (count_ != 0 && functions_[last_] == function) [[likely]]
      return last_ + 1;
    for (last_ = 0; last_ < count_; ++last_) {
      if (functions_[last_] == function) return last_ + 1;
    }
    if (count_ == kFunctionsMax) {
      last_ = 0;
      return 0;
    }
    functions_[count_++] = function;
    return last_ + 1;
  }

  /// The slice's memory is done with, and no block was made for it.
  void release(const Slice& slice) const noexcept {
    const ReleaseFunction function = of(slice);
    if (function != nullptr) function(slice.context);
  }
  [[nodiscard]] ReleaseFunction of(const Slice& slice) const noexcept {
    return functions_[slice.release_number() - 1];
  }

 private:
  static constexpr std::size_t kFunctionsMax = 15;

  alignas(kInterferenceBytes) std::array<ReleaseFunction, kFunctionsMax> functions_{};
  std::size_t count_ = 0;  // the writer's, as what follows
  std::size_t last_ = 0;
};

/// A block of borrowed memory.
template <class P>
struct BorrowedBlock final : BasicBlock<P> {
  BorrowedBlock(const std::byte* bytes, std::size_t size, ReleaseFunction release_function,
                void* release_context) noexcept
      // Nobody writes through it: the memory is the caller's.
      : BasicBlock<P>(const_cast<std::byte*>(bytes), size, &destroy_borrowed),
        function(release_function),
        context(release_context) {}

  void release() const noexcept {
    if (function != nullptr) function(context);
  }

  static void destroy_borrowed(Block* block, bool) noexcept {
    auto* const borrowed = from(block);
    borrowed->release();
    delete borrowed;
  }
  static bool is(const Block* block) noexcept { return block->destroy == &destroy_borrowed; }
  static BorrowedBlock* from(Block* block) noexcept {
    return static_cast<BorrowedBlock*>(static_cast<BasicBlock<P>*>(block));
  }

  ReleaseFunction function;
  void* context;
};

/// Makes blocks for borrowed slices. Thread role: the reader.
template <class P>
class BorrowedBlocks {
 public:
  /// So many blocks are kept, newest first: more than linger at once unless many small chunks are
  /// read as one.
  static constexpr std::size_t kKeptMax = 64;

  explicit BorrowedBlocks(StreamShared<P>& shared) noexcept : shared_(shared) {}
  BorrowedBlocks(const BorrowedBlocks&) = delete;
  BorrowedBlocks& operator=(const BorrowedBlocks&) = delete;
  ~BorrowedBlocks() {
    while (kept_ != nullptr) delete take_kept();
  }

  /// Gives the slice a block, if it has none. Throws std::bad_alloc; then nothing has changed.
  void attach(Slice& slice) {
    if (!slice.borrowed()) return;
    const std::size_t size = slice.size();
    const ReleaseFunction function = shared_.releases.of(slice);
    BorrowedBlock<P>* block;
    if (kept_ != nullptr) [[likely]] {
      block = take_kept();
      block->data = const_cast<std::byte*>(slice.data);
      block->capacity_bytes = size;
      block->viewed = false;
      block->function = function;
      block->context = slice.context;
    } else {
      block = new BorrowedBlock<P>(slice.data, size, function, slice.context);
      block->home = &shared_;
    }
    block->charge_bytes.store(size, relaxed);  // Relaxed: the reader alone changes the charge.
    slice.attach(block);
  }

  /// The block is nobody's but the reader's, and its memory is done with.
  void release(Block* block) noexcept {
    auto* const borrowed = BorrowedBlock<P>::from(block);
    borrowed->release();
    if (kept_count_ == kKeptMax) {
      delete borrowed;
      return;
    }
    borrowed->home = &shared_;
    borrowed->next_retired = kept_;
    kept_ = borrowed;
    ++kept_count_;
  }

 private:
  BorrowedBlock<P>* take_kept() noexcept {
    auto* const block = BorrowedBlock<P>::from(static_cast<Block*>(kept_));
    kept_ = block->next_retired;
    --kept_count_;
    return block;
  }

  StreamShared<P>& shared_;
  Retirable* kept_ = nullptr;
  std::size_t kept_count_ = 0;
};

}  // namespace forebay::detail
