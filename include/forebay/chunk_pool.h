// SPDX-License-Identifier: Apache-2.0
#pragma once

// ChunkPool: blocks of memory to receive into, recycled while they are warm, within one budget.
//
//     ChunkPool pool;
//     PoolBlock block = pool.acquire();
//     const ssize_t n = recv(fd, block.data(), block.capacity(), 0);
//     writer.add_next_chunk(std::move(block).to_chunk(n));
//
// Thread roles: every member by any thread. Blocking: only acquire() and acquire_until(), while the
// budget is in use; who waits is served in order.
//
// Fairness: a receiver attaches with a PoolLease, which reserves credit for a few blocks, so that
// streams on one pool cannot starve each other to a standstill.
//
// Destruction: blocks, chunks, leases and streams may outlive the pool.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>

#include "forebay/chunk.h"
#include "forebay/deadline.h"

namespace forebay {

namespace detail {
class PoolCore;
class LeaseCore;
struct PoolRecord;
}  // namespace detail

/// Limits of a pool.
struct PoolOptions {
  /// Bytes of blocks in use, kept warm and reserved, in all.
  std::size_t budget_bytes = std::size_t{256} << 20;
  /// Size of a block for bulk receiving.
  std::size_t block_bytes = std::size_t{256} << 10;
  /// The largest contiguous block, for a body whose length was announced.
  std::size_t large_block_bytes = std::size_t{4} << 20;
};

/// A writable block that nobody else sees. Goes back to its pool when it is destroyed.
class PoolBlock {
 public:
  /// Takes the block over.
  PoolBlock(PoolBlock&&) noexcept = default;
  /// Gives its block back, and takes the other over.
  PoolBlock& operator=(PoolBlock&&) noexcept = default;

  /// 64-byte aligned.
  [[nodiscard]] std::byte* data() const noexcept { return record_->data; }
  /// Bytes that fit; at least what was asked for.
  [[nodiscard]] std::size_t capacity() const noexcept { return record_->capacity_bytes; }
  /// The first `size` bytes as a chunk, which now owns the block. Throws std::invalid_argument for
  /// a size beyond the capacity.
  [[nodiscard]] Chunk to_chunk(std::size_t size) &&;

  /// For receivers that publish a block in several slices.
  [[nodiscard]] detail::BasicBlock<detail::SystemPolicy>* release() && noexcept {
    return record_.release();
  }

 private:
  friend class ChunkPool;
  friend class PoolLease;
  using Record = detail::BasicBlock<detail::SystemPolicy>;
  struct GiveBack {
    void operator()(Record* record) const noexcept { record->destroy(record, true); }
  };
  explicit PoolBlock(Record* record) noexcept : record_(record) {}
  std::unique_ptr<Record, GiveBack> record_;
};

/// A budget of blocks. A handle: cheap to keep, and what it made may outlive it.
class ChunkPool {
 public:
  /// Throws std::invalid_argument when a limit is zero or one block does not fit the budget.
  explicit ChunkPool(const PoolOptions& options = {});

  /// A block of block_bytes. Blocking: while the budget is in use. Throws std::bad_alloc.
  [[nodiscard]] PoolBlock acquire();
  /// A block, or nothing when the budget is in use. Blocking: lock-free but for the allocator.
  [[nodiscard]] std::optional<PoolBlock> try_acquire();
  /// A block, or nothing at the deadline or on a stop request.
  [[nodiscard]] std::optional<PoolBlock> acquire_until(Deadline deadline,
                                                       std::stop_token stop = {});

  /// The limits it was made with.
  [[nodiscard]] const PoolOptions& options() const noexcept;
  /// Bytes of the budget that are neither in use nor reserved.
  [[nodiscard]] std::size_t available_bytes() const noexcept;
  /// Bytes that the pool has from the system, in use or kept warm.
  [[nodiscard]] std::size_t allocated_bytes() const noexcept;

 private:
  friend class PoolLease;
  PoolBlock supply(std::size_t capacity);
  std::shared_ptr<detail::PoolCore> core_;
};

/// One receiver's share of a pool: a reserve that is its own, and a few warm blocks, last in first
/// out. Thread role: acquire by one thread at a time; blocks come back from any.
class PoolLease {
 public:
  /// Takes the reserve out of the budget. Throws LimitExceeded when it does not fit.
  PoolLease(const ChunkPool& pool, std::size_t reserve_bytes);
  PoolLease(const PoolLease&) = delete;
  PoolLease& operator=(const PoolLease&) = delete;
  ~PoolLease();

  /// Makes acquire() wait no more, now and in future. Thread role: any.
  void interrupt() noexcept;

  /// What a block for `bytes` will count.
  [[nodiscard]] static std::size_t charge_for(std::size_t bytes) noexcept;

  /// A block of at least `bytes`, all of it reserved before this returns and nothing held while it
  /// waits; nothing at the deadline, on a stop request or after interrupt(). Throws LimitExceeded
  /// beyond large_block_bytes, std::bad_alloc.
  [[nodiscard]] std::optional<PoolBlock> acquire(std::size_t bytes, bool may_wait,
                                                 Deadline deadline = Deadline::never(),
                                                 std::stop_token stop = {});

 private:
  std::shared_ptr<detail::LeaseCore> core_;
};

}  // namespace forebay
