// SPDX-License-Identifier: Apache-2.0

// ChunkPool and PoolLease: one budget, kept; reserves, kept; blocks that come back warm.

#include "forebay/chunk_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "unit/core/allocation.h"
#include "unit/core/support.h"

namespace forebay::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBlock = 64 << 10;

PoolOptions limits(std::size_t blocks) {
  PoolOptions options;
  options.block_bytes = kBlock;
  options.large_block_bytes = std::max<std::size_t>(kBlock, blocks * kBlock / 2);
  options.budget_bytes = blocks * kBlock;
  return options;
}

std::size_t address(const PoolBlock& block) { return reinterpret_cast<std::size_t>(block.data()); }

TEST(ChunkPool, LimitsThatCannotBeAreRefused) {
  const auto refused = [](std::size_t block, std::size_t large, std::size_t budget) {
    PoolOptions options;
    options.block_bytes = block;
    options.large_block_bytes = large;
    options.budget_bytes = budget;
    EXPECT_THROW(ChunkPool{options}, std::invalid_argument)
        << block << " " << large << " " << budget;
  };
  refused(0, 4096, 4096);
  refused(8192, 4096, 1 << 20);
  refused(4096, 1 << 20, (1 << 20) - 1);
  refused(4096, 5000, 4096);
  refused(4096, SIZE_MAX, SIZE_MAX);
  refused(4096, SIZE_MAX, 1 << 20);
  refused(4096, SIZE_MAX - 5000, SIZE_MAX);
}

TEST(ChunkPool, BlocksAreAlignedAndWritable) {
  const ChunkPool pool;
  PoolLease lease(pool, 0);
  for (const std::size_t bytes : {1u, 63u, 4096u, 4097u, 100'000u, 1'700'000u, 4u << 20}) {
    std::optional<PoolBlock> block = lease.acquire(bytes, false);
    ASSERT_TRUE(block);
    EXPECT_EQ(address(*block) % 64, 0u);
    EXPECT_GE(block->capacity(), bytes);
    EXPECT_EQ(block->capacity(), PoolLease::charge_for(bytes));
    std::memset(block->data(), 1, block->capacity());
  }
}

TEST(ChunkPool, ClassesLoseAtMostAFifth) {
  std::size_t before = 0;
  for (std::size_t bytes = 1; bytes < (std::size_t{5} << 20); bytes += 997) {
    const std::size_t charge = PoolLease::charge_for(bytes);
    EXPECT_GE(charge, bytes);
    EXPECT_GE(charge, before);
    EXPECT_EQ(charge % 64, 0u);
    EXPECT_EQ(PoolLease::charge_for(charge), charge);
    if (bytes > 4096) {
      EXPECT_LE(charge - bytes, charge / 5) << bytes;
    }
    before = charge;
  }
}

TEST(ChunkPool, GivesWhatTheBudgetAllowsAndNoMore) {
  ChunkPool pool(limits(3));
  std::vector<PoolBlock> blocks;
  for (int i = 0; i < 3; ++i) blocks.push_back(pool.acquire());

  EXPECT_FALSE(pool.try_acquire());
  EXPECT_EQ(pool.available_bytes(), 0u);
  EXPECT_EQ(pool.allocated_bytes(), 3 * kBlock);
  blocks.pop_back();
  EXPECT_TRUE(pool.try_acquire());
}

TEST(ChunkPool, DeadlineAndStopEndTheWait) {
  ChunkPool pool(limits(1));
  const PoolBlock block = pool.acquire();
  const auto began = Deadline::clock::now();
  EXPECT_FALSE(pool.acquire_until(Deadline::after(20ms)));
  EXPECT_GE(Deadline::clock::now() - began, 20ms);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(pool.acquire_until(Deadline::never(), stop.get_token()));
}

TEST(ChunkPool, WaitEndsWhenABlockComesBack) {
  ChunkPool pool(limits(1));
  std::optional<PoolBlock> block = pool.acquire();
  std::atomic<bool> waiting{false};
  std::jthread waiter([&] {
    waiting = true;
    const PoolBlock mine = pool.acquire();
    EXPECT_EQ(pool.available_bytes(), 0u);
  });
  eventually([&] { return waiting.load(); });
  block.reset();
  waiter.join();
  EXPECT_EQ(pool.available_bytes(), kBlock);
}

TEST(ChunkPool, ChunkOfABlockGivesItBack) {
  ChunkPool pool(limits(1));
  {
    PoolBlock block = pool.acquire();
    std::memcpy(block.data(), "chunk", 5);
    const Chunk chunk = std::move(block).to_chunk(5);
    EXPECT_EQ(std::memcmp(chunk.data(), "chunk", 5), 0);
    EXPECT_EQ(pool.available_bytes(), 0u);
  }
  EXPECT_EQ(pool.available_bytes(), kBlock);
  PoolBlock block = pool.acquire();
  EXPECT_THROW((void)std::move(block).to_chunk(kBlock + 1), std::invalid_argument);
}

TEST(ChunkPool, ChunksGoThroughAStreamAndComeBack) {
  ChunkPool pool(limits(3));
  auto [writer, reader] = make_stream(small(3 * kBlock));
  for (int i = 0; i < 20; ++i) {
    PoolBlock block = pool.acquire();
    std::memcpy(block.data(), "bytes", 5);
    writer.add_next_chunk(std::move(block).to_chunk(5));
    EXPECT_EQ(text(reader.read(5)), "bytes");
  }
  writer.finish();
  EXPECT_TRUE(reader.at_end());
  EXPECT_LE(pool.allocated_bytes(), 3 * kBlock);
}

TEST(ChunkPool, BlocksOutliveThePool) {
  std::optional<PoolBlock> block;
  std::optional<Chunk> chunk;
  {
    ChunkPool pool(limits(2));
    block = pool.acquire();
    chunk = pool.acquire().to_chunk(10);
  }
  std::memset(block->data(), 1, block->capacity());
}

// --- Leases --------------------------------------------------------------------------------------

TEST(ChunkPool, FailedAllocationCostsNoCredit) {
  PoolOptions options;
  options.block_bytes = options.large_block_bytes = 4096;
  options.budget_bytes = 2 * 4096;
  ChunkPool pool(options);
  {
    const FailingAllocation failing(0);
    EXPECT_THROW((void)pool.try_acquire(), std::bad_alloc);
    ASSERT_TRUE(failing.failed());
  }
  EXPECT_EQ(pool.available_bytes(), options.budget_bytes);
  EXPECT_EQ(pool.allocated_bytes(), 0u);

  PoolLease lease(pool, 4096);
  {
    const FailingAllocation failing(0);
    EXPECT_THROW((void)lease.acquire(4096, false), std::bad_alloc);
    ASSERT_TRUE(failing.failed());
  }
  const std::optional<PoolBlock> reserved = lease.acquire(4096, false);
  const std::optional<PoolBlock> shared = lease.acquire(4096, false);
  EXPECT_TRUE(reserved);
  EXPECT_TRUE(shared);
}

TEST(ChunkPool, LeavesNoMemoryBehind) {
  PoolOptions options;
  options.block_bytes = options.large_block_bytes = 4096;
  options.budget_bytes = 4 * 4096;
  const std::int64_t alive = allocations_alive();
  {
    ChunkPool pool(options);
    { const PoolBlock block = pool.acquire(); }
    PoolLease lease(pool, 0);
    { const std::optional<PoolBlock> block = lease.acquire(4096, false); }
  }
  EXPECT_EQ(allocations_alive(), alive);
}

TEST(PoolLease, BlockIsOfTheSizeThatWasAskedForWhateverCameBackBefore) {
  const ChunkPool pool(limits(4));
  for (const bool largest_first : {false, true}) {
    for (std::size_t i = 0; i < 60; ++i) {
      const std::size_t bytes = 4096 + 1000 * (largest_first ? 60 - i : i);
      // Its blocks go to the pool's lists with it.
      PoolLease lease(pool, 0);
      const std::optional<PoolBlock> block = lease.acquire(bytes, false);
      ASSERT_TRUE(block);
      ASSERT_EQ(block->capacity(), PoolLease::charge_for(bytes));
      ASSERT_GE(block->capacity(), bytes);
    }
  }
}

TEST(PoolLease, ReserveIsTakenFromTheBudgetAndGivenBack) {
  const ChunkPool pool(limits(4));
  {
    const PoolLease lease(pool, 3 * kBlock);
    EXPECT_EQ(pool.available_bytes(), kBlock);
    EXPECT_THROW(PoolLease(pool, 2 * kBlock), LimitExceeded);
    EXPECT_EQ(pool.available_bytes(), kBlock);
  }
  EXPECT_EQ(pool.available_bytes(), 4 * kBlock);
}

TEST(PoolLease, ReserveIsThereWhenOthersHoldTheRest) {
  ChunkPool pool(limits(4));
  PoolLease lease(pool, 2 * kBlock);
  const PoolBlock first = pool.acquire();
  const PoolBlock second = pool.acquire();
  EXPECT_FALSE(pool.try_acquire());

  std::vector<PoolBlock> mine;
  for (int i = 0; i < 2; ++i) mine.push_back(*lease.acquire(kBlock, false));
  EXPECT_FALSE(lease.acquire(kBlock, false));
  // What comes back fills the reserve first.
  mine.pop_back();
  EXPECT_FALSE(pool.try_acquire());
  EXPECT_TRUE(lease.acquire(kBlock, false));
}

TEST(PoolLease, OneWhoWaitsForAllGetsItsReserve) {
  ChunkPool pool(limits(3));
  PoolLease lease(pool, kBlock);
  std::optional<PoolBlock> mine = lease.acquire(kBlock, false);
  const PoolBlock first = pool.acquire();
  const PoolBlock second = pool.acquire();
  std::jthread giver([&, block = std::move(mine)]() mutable { block.reset(); });
  EXPECT_TRUE(lease.acquire(kBlock, true));
}

TEST(PoolLease, TakesTurnsWithThoseWhoWaitForThePool) {
  ChunkPool pool(limits(1));
  PoolLease lease(pool, 0);
  std::optional<PoolBlock> block = pool.acquire();
  std::jthread giver([&] { block.reset(); });
  EXPECT_TRUE(lease.acquire(kBlock, true));
}

TEST(PoolLease, BlockBeyondTheLargestIsRefused) {
  const ChunkPool pool(limits(4));
  PoolLease lease(pool, 0);
  EXPECT_THROW((void)lease.acquire(2 * kBlock + 1, true), LimitExceeded);
  EXPECT_THROW((void)lease.acquire(SIZE_MAX, true), LimitExceeded);
  EXPECT_EQ(pool.available_bytes(), 4 * kBlock);
}

TEST(PoolLease, InterruptEndsTheWait) {
  ChunkPool pool(limits(1));
  PoolLease lease(pool, 0);
  const PoolBlock block = pool.acquire();
  std::jthread interrupter([&] { lease.interrupt(); });
  EXPECT_FALSE(lease.acquire(kBlock, true));
  EXPECT_FALSE(lease.acquire(kBlock, true));
}

TEST(PoolLease, NewestBlockComesFirst) {
  const ChunkPool pool(limits(8));
  PoolLease lease(pool, 0);
  std::optional<PoolBlock> first = lease.acquire(kBlock, false);
  std::optional<PoolBlock> second = lease.acquire(kBlock, false);
  std::optional<PoolBlock> third = lease.acquire(kBlock, false);
  const std::size_t addresses[] = {address(*first), address(*second), address(*third)};
  third.reset();
  first.reset();
  second.reset();

  const PoolBlock newest = *lease.acquire(kBlock, false);
  const PoolBlock next = *lease.acquire(kBlock, false);
  const PoolBlock oldest = *lease.acquire(kBlock, false);

  EXPECT_EQ(address(newest), addresses[1]);
  EXPECT_EQ(address(next), addresses[0]);
  EXPECT_EQ(address(oldest), addresses[2]);
  EXPECT_EQ(pool.allocated_bytes(), 3 * kBlock);
}

TEST(PoolLease, WarmBlocksOfOneStreamMakePlaceForAnother) {
  const ChunkPool pool(limits(4));
  PoolLease idle(pool, 0);
  PoolLease busy(pool, 0);
  {
    std::vector<PoolBlock> blocks;
    for (int i = 0; i < 4; ++i) blocks.push_back(*idle.acquire(kBlock, false));
  }
  EXPECT_EQ(pool.allocated_bytes(), 4 * kBlock);  // Kept warm.

  const std::optional<PoolBlock> large = busy.acquire(2 * kBlock, false);

  ASSERT_TRUE(large);
  EXPECT_LE(pool.allocated_bytes(), 4 * kBlock);
}

TEST(PoolLease, BlocksOutliveLeaseAndPool) {
  std::vector<PoolBlock> blocks;
  {
    const ChunkPool pool(limits(4));
    PoolLease lease(pool, 2 * kBlock);
    for (int i = 0; i < 3; ++i) blocks.push_back(*lease.acquire(kBlock, false));
  }
  for (const PoolBlock& block : blocks) std::memset(block.data(), 1, block.capacity());
}

TEST(PoolLease, BlockThatOutlivesItsLeaseKeepsNoReserve) {
  const ChunkPool pool(limits(4));
  std::optional<PoolBlock> block;
  {
    PoolLease lease(pool, 3 * kBlock);
    block = lease.acquire(kBlock, false);
  }
  EXPECT_EQ(pool.available_bytes(), 3 * kBlock);
  block.reset();
  EXPECT_EQ(pool.available_bytes(), 4 * kBlock);
}

// --- Shares --------------------------------------------------------------------------------------

class DetachedShares : public testing::Test {
 protected:
  // Sends one block of the lease through a stream of its own and takes a share of it.
  static SharedBytes share_of(PoolLease& lease, Retention retention) {
    auto [writer, reader] = make_stream(small(4 * kBlock));
    writer.add_next_chunk(std::move(*lease.acquire(kBlock, false)).to_chunk(kBlock));
    return reader.share(reader.read(kBlock), retention);
  }
};

TEST_F(DetachedShares, GiveTheBudgetBackAndBoundedOnesDoNot) {
  const ChunkPool pool(limits(4));
  PoolLease lease(pool, 0);
  SharedBytes bounded = share_of(lease, Retention::bounded);
  EXPECT_EQ(pool.available_bytes(), 3 * kBlock);
  std::vector<SharedBytes> table;
  for (int i = 0; i < 20; ++i) table.push_back(share_of(lease, Retention::detached));

  EXPECT_EQ(pool.available_bytes(), 3 * kBlock);
  EXPECT_LE(pool.allocated_bytes(), 4 * kBlock);  // What is detached is not the pool's any more.
  bounded.reset();
  table.clear();
  EXPECT_EQ(pool.available_bytes(), 4 * kBlock);
}

TEST_F(DetachedShares, LeaveABlockAsGoodAsNew) {
  const ChunkPool pool(limits(1));
  PoolLease lease(pool, 0);
  const std::byte* memory = nullptr;
  // Whether a share or the stream let go of it last, the next round finds the same block.
  for (int round = 0; round < 4; ++round) {
    SharedBytes share = share_of(lease, Retention::bounded);
    EXPECT_EQ(pool.available_bytes(), 0u) << round;
    if (round != 0) {
      EXPECT_EQ(share.data(), memory);
    }
    memory = share.data();
    share.reset();
    EXPECT_EQ(pool.available_bytes(), kBlock) << round;
  }
}

TEST_F(DetachedShares, GiveTheReserveBack) {
  ChunkPool pool(limits(4));
  PoolLease lease(pool, 2 * kBlock);
  const PoolBlock first = pool.acquire();
  const PoolBlock second = pool.acquire();
  std::vector<SharedBytes> table;
  for (int i = 0; i < 10; ++i) table.push_back(share_of(lease, Retention::detached));

  EXPECT_FALSE(pool.try_acquire());
  EXPECT_TRUE(lease.acquire(kBlock, false));
}

TEST_F(DetachedShares, DoNotKeepWarmBlocksOfOthersFromBeingUsed) {
  ChunkPool pool(limits(4));
  PoolLease lease(pool, 0);
  std::vector<SharedBytes> table;
  for (int i = 0; i < 20; ++i) table.push_back(share_of(lease, Retention::detached));
  PoolLease other(pool, 0);
  std::size_t warm = 0;
  {
    const PoolBlock block = *other.acquire(2 * kBlock, false);
    warm = address(block);
  }
  table.push_back(share_of(lease, Retention::detached));

  EXPECT_EQ(address(*other.acquire(2 * kBlock, false)), warm);
}

TEST_F(DetachedShares, OutliveStreamLeaseAndPool) {
  SharedBytes detached;
  {
    const ChunkPool pool(limits(4));
    PoolLease lease(pool, kBlock);
    detached = share_of(lease, Retention::detached);
  }
  EXPECT_EQ(detached.size(), kBlock);
}

TEST_F(DetachedShares, LastHoldersMayGoAtOnceAndTakeThePoolAlong) {
  const std::size_t rounds = from_environment("FOREBAY_POOL_ROUNDS", kSanitized ? 300 : 3000);
  for (std::size_t i = 0; i < rounds; ++i) {
    SharedBytes bounded;
    SharedBytes detached;
    {
      const ChunkPool pool(limits(2));
      PoolLease lease(pool, 0);
      bounded = share_of(lease, Retention::bounded);
      auto [writer, reader] = make_stream(small(4 * kBlock));
      writer.add_next_chunk(std::move(*lease.acquire(kBlock, false)).to_chunk(kBlock));
      const ByteView view = reader.read(kBlock);
      bounded = reader.share(view);
      detached = reader.share(view, Retention::detached);
    }
    std::jthread other([&, share = std::move(detached)]() mutable { share.reset(); });
    bounded.reset();
  }
}

// --- Many threads --------------------------------------------------------------------------------

TEST(ChunkPoolStress, BudgetHoldsWhoeverTakesAndGives) {
  constexpr std::size_t kBlocks = 8;
  constexpr int kThreads = 4;
  const int rounds =
      static_cast<int>(from_environment("FOREBAY_POOL_ROUNDS", kSanitized ? 300 : 3000));
  ChunkPool pool(limits(kBlocks));
  std::atomic<bool> over{false};
  {
    std::vector<std::unique_ptr<PoolLease>> leases;
    for (int t = 0; t < kThreads; ++t) leases.push_back(std::make_unique<PoolLease>(pool, kBlock));
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(static_cast<unsigned>(t));
        PoolLease& lease = *leases[static_cast<std::size_t>(t)];
        std::vector<PoolBlock> held;
        for (int i = 0; i < rounds; ++i) {
          const std::size_t bytes = kBlock / (1 + random() % 3) * (1 + random() % 2);
          // Who waits holds nothing.
          const bool may_wait = held.empty();
          if (std::optional<PoolBlock> block = lease.acquire(
                  bytes, may_wait, i % 3 == 0 ? Deadline::after(10us) : Deadline::never())) {
            block->data()[0] = std::byte{1};
            block->data()[block->capacity() - 1] = std::byte{1};
            held.push_back(std::move(*block));
          }
          if (pool.allocated_bytes() > kBlocks * kBlock) over = true;
          if (random() % 3 == 0 || held.size() > 2) held.clear();
        }
      });
    }
  }
  EXPECT_FALSE(over);
  EXPECT_EQ(pool.available_bytes(), kBlocks * kBlock);
}

// What is given back is given back to the system, and not kept between the blocks of an allocator.
TEST(PoolThreads, ResidentMemoryStaysWithinTheBudgetWhateverSizesAreAskedFor) {
  if (kSanitized) GTEST_SKIP() << "sanitizers keep memory of their own resident";
  constexpr std::size_t kBlocks = 256;
  constexpr std::size_t kSlackBytes = std::size_t{4} << 20;
  constexpr int kThreads = 4;
  const ChunkPool pool(limits(kBlocks));
  const std::size_t before = resident_bytes();
  std::atomic<std::size_t> most{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(static_cast<unsigned>(t));
        PoolLease lease(pool, 0);
        std::vector<PoolBlock> held;
        for (int i = 0; i < 400; ++i) {
          const std::size_t bytes = kBlock * (1 + random() % 8);
          std::optional<PoolBlock> block = lease.acquire(bytes, held.empty());
          if (!block) {
            held.erase(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(held.size() / 2));
            continue;
          }
          std::memset(block->data(), 1, block->capacity());
          held.push_back(std::move(*block));
          std::swap(held.back(), held[random() % held.size()]);
        }
        std::size_t seen = most;
        const std::size_t now = resident_bytes();
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
      });
    }
  }
  EXPECT_LE(most, before + kBlocks * kBlock + kSlackBytes);
}

}  // namespace
}  // namespace forebay::test
