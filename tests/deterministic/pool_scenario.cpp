// SPDX-License-Identifier: Apache-2.0

// The pool alone: fibers with and without a lease take blocks, write into them, hand them on and
// drop them; some wait, some give up. Nobody starves, no block has two users, the budget is kept,
// and in the end all of it is free.

#include <cstring>
#include <optional>

#include "forebay/chunk_pool.h"
#include "forebay/error.h"
#include "scenario.h"

namespace forebay::deterministic {

namespace {

struct Full {
  std::optional<PoolBlock> block;
  unsigned char mark = 0;
};

void check(const Full& full) {
  const auto* const bytes = reinterpret_cast<const unsigned char*>(full.block->data());
  require(bytes[0] == full.mark && bytes[full.block->capacity() - 1] == full.mark,
          "a block has two users");
}

class User {
 public:
  User(ChunkPool& pool, Mailbox<Full>& mail, std::uint64_t seed)
      : pool_(pool), mail_(mail), random_(seed) {}

  void run(std::size_t rounds) {
    if (random_.one_in(2)) {
      try {
        lease_.emplace(pool_, random_.below(2) * PoolLease::charge_for(1));
      } catch (const LimitExceeded&) {
        // Another fiber holds what would be reserved.
      }
    }
    for (std::size_t i = 0; i < rounds; ++i) {
      Full full{take(), static_cast<unsigned char>(random_.below(256))};
      if (!full.block) continue;
      require(pool_.allocated_bytes() <= pool_.options().budget_bytes, "the budget is exceeded");
      std::memset(full.block->data(), full.mark, 1);
      std::memset(full.block->data() + full.block->capacity() - 1, full.mark, 1);
      yield();
      check(full);
      if (random_.one_in(2)) {
        mail_.put(std::move(full));
      } else if (random_.one_in(3)) {
        (void)std::move(*full.block).to_chunk(1);  // A chunk gives its block back as well.
      }
    }
  }

 private:
  // Holds nothing while it waits, so that nobody waits for ever.
  std::optional<PoolBlock> take() {
    const ScarceMemory memory(true);
    try {
      if (lease_) return take_by_lease();
      switch (random_.below(4)) {
        case 0:
          return pool_.try_acquire();
        case 1:
          return pool_.acquire_until(some_deadline(random_, 50'000));
        case 2: {
          std::stop_source stop;
          const Task stopper("stopper", [&stop] { request_stop(stop); });
          return pool_.acquire_until(Deadline::never(), stop.get_token());
        }
        default:
          return pool_.acquire();
      }
    } catch (const std::bad_alloc&) {
      require(g_memory_was_refused, "memory was refused that is there");
      return std::nullopt;
    }
  }

  std::optional<PoolBlock> take_by_lease() {
    // Two blocks may never be free at once, where each lease has one of the few in reserve.
    if (random_.one_in(3)) return lease_->acquire(8192, true, some_deadline(random_, 50'000));
    if (random_.one_in(6)) {
      const Task interrupter("interrupter", [this] { lease_->interrupt(); });
      return lease_->acquire(1, true);
    }
    if (random_.one_in(3)) return lease_->acquire(1, true, some_deadline(random_, 50'000));
    return lease_->acquire(1, !random_.one_in(3));
  }

  ChunkPool& pool_;
  Mailbox<Full>& mail_;
  Random random_;
  std::optional<PoolLease> lease_;
};

}  // namespace

void run_pool(Random& random) {
  constexpr std::size_t kBlock = 4096;
  const std::size_t budget = kBlock * (3 + random.below(3));
  g_memory_refused_once_in = random.one_in(3) ? 3 : 0;
  ChunkPool pool({.budget_bytes = budget, .block_bytes = kBlock, .large_block_bytes = 2 * kBlock});
  {
    Mailbox<Full> mail;
    const Task dropper("dropper", [&mail] {
      Full full;
      while (mail.take(full)) {
        check(full);
        full = {};
      }
    });
    {
      std::vector<Task> users;
      for (std::size_t i = 2 + random.below(2); i-- > 0;) {
        users.emplace_back("user", [&, seed = random.next(), rounds = random.up_to(5)] {
          User(pool, mail, seed).run(rounds);
        });
      }
    }
    mail.close();
  }
  require(pool.available_bytes() == budget, "credit of the pool was lost, or made of nothing");
  require(pool.allocated_bytes() <= budget, "the budget is exceeded");
}

}  // namespace forebay::deterministic
