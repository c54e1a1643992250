// SPDX-License-Identifier: Apache-2.0
#include "forebay/chunk_pool.h"

#include <concurrentqueue/concurrentqueue.h>
#include <sched.h>

#include <array>
#include <bit>
#include <mutex>
#include <new>
#include <stdexcept>
#include <utility>
#include <vector>

#include "block_memory.h"
#include "forebay/detail/credit_gate.h"
#include "forebay/detail/warm_cache.h"
#include "forebay/error.h"

namespace forebay {
namespace detail {

namespace {

using Policy = SystemPolicy;
using Record = BasicBlock<Policy>;

constexpr std::size_t kClassBytesMin = 4096;
constexpr std::size_t kClassesPerOctave = 4;

// Sizes are rounded up to a quarter of a power of two: at most a fifth is lost, and bodies that
// differ a little share a class.
std::size_t class_bytes(std::size_t bytes) noexcept {
  if (bytes <= kClassBytesMin) return kClassBytesMin;
  const std::size_t step = std::bit_floor(bytes - 1) / kClassesPerOctave;
  return (bytes + step - 1) / step * step;
}

std::size_t class_index(std::size_t size) noexcept {
  const std::size_t floor = std::bit_floor(size);
  const auto octave = static_cast<std::size_t>(std::countr_zero(floor));
  return octave * kClassesPerOctave + (size - floor) / (floor / kClassesPerOctave);
}

}  // namespace

// A block and where it goes back to. The memory follows in the same allocation.
struct PoolRecord : Record {
  PoolRecord(std::byte* memory, std::size_t capacity);
  static void give_back(Block* block, bool owned_credit) noexcept;

  std::shared_ptr<PoolCore> owner;   // while in use
  std::shared_ptr<LeaseCore> lease;  // while in use, when it was acquired through one
};

constexpr std::size_t kHeaderBytes = (sizeof(PoolRecord) + 63) / 64 * 64;

class PoolCore final : public CreditSource, public std::enable_shared_from_this<PoolCore> {
 public:
  explicit PoolCore(const PoolOptions& limits)
      : options(limits), gate(static_cast<std::int64_t>(limits.budget_bytes)) {}
  ~PoolCore() { trim(SIZE_MAX); }

  /// The block goes on outside the pool: its memory is not the pool's any more.
  void give_back_credit(std::size_t bytes) noexcept override {
    forget(bytes);
    gate.give(static_cast<std::int64_t>(bytes));
  }
  void forget(std::size_t bytes) noexcept {
    allocated.fetch_sub(bytes, relaxed);  // Relaxed: a number.
  }

  /// A block of the class, for credit that was taken.
  PoolRecord* supply(std::size_t capacity) {
    PoolRecord* block = nullptr;
    if (free_[class_index(capacity)].try_dequeue(block)) return block;
    take_memory(capacity);
    void* memory = nullptr;
    try {
      memory = take_block_memory(kHeaderBytes + capacity);
    } catch (...) {
      forget(capacity);
      throw;
    }
    return ::new (memory) PoolRecord(static_cast<std::byte*>(memory) + kHeaderBytes, capacity);
  }

  void store(PoolRecord* block) noexcept {
    bool kept = false;
    try {
      kept = free_[class_index(block->capacity_bytes)].enqueue(block);
    } catch (const std::bad_alloc&) {
      // The list could not grow: the block goes back to the system.
    }
    if (!kept) discard(block);
  }

  void discard(PoolRecord* block) noexcept {
    forget(block->capacity_bytes);
    destroy(block);
  }
  static void destroy(PoolRecord* block) noexcept {
    const std::size_t bytes = kHeaderBytes + block->capacity_bytes;
    block->~PoolRecord();
    give_block_memory(block, bytes);
  }

  void attach(LeaseCore* lease) {
    const std::lock_guard lock(leases_mutex_);
    leases_.push_back(lease);
  }
  void detach(LeaseCore* lease) noexcept {
    const std::lock_guard lock(leases_mutex_);
    std::erase(leases_, lease);
  }

  const PoolOptions options;
  CreditGate<Policy> gate;
  Policy::atomic<std::size_t> allocated{0};

 private:
  // Counts memory that is about to be taken from the system. Blocks that are kept warm in other
  // sizes count against the budget too, and make place.
  void take_memory(std::size_t bytes) noexcept;
  // Gives free blocks back to the system until `bytes` more fit the budget, or none is left.
  void trim(std::size_t bytes) noexcept;

  static constexpr std::size_t kClasses = 64 * kClassesPerOctave;
  std::array<moodycamel::ConcurrentQueue<PoolRecord*>, kClasses> free_;
  Policy::mutex leases_mutex_;
  std::vector<LeaseCore*> leases_;
};

class LeaseCore final : public CreditSource {
 public:
  LeaseCore(std::shared_ptr<PoolCore> pool_core, std::int64_t reserve_bytes)
      : pool(std::move(pool_core)), reserve_max(reserve_bytes) {
    pool->attach(this);
  }
  ~LeaseCore() {
    pool->detach(this);
    store_warm();
  }

  /// The receiver is gone. Blocks that are still held do not keep the reserve from the others.
  void close() noexcept {
    const std::int64_t held = reserve.exchange(kClosed, relaxed);  // Relaxed: a number.
    store_warm();
    pool->gate.give(held);
  }

  void give_back_credit(std::size_t bytes) noexcept override {
    pool->forget(bytes);
    give(static_cast<std::int64_t>(bytes));
  }

  /// Any thread: ends waits for credit, now and in future.
  void interrupt() noexcept {
    // (K1) release store, synchronizes-with the acquire load (K2): who gives up sees why.
    interrupted.store(1, release);
    event.notify();
  }

  [[nodiscard]] bool is_interrupted() const noexcept {
    // (K2) acquire load, synchronizes-with the release store (K1).
    return interrupted.load(acquire) != 0;
  }

  PoolRecord* take_warm(std::size_t capacity) noexcept {
    return warm.take(capacity, [this](PoolRecord* block) { pool->store(block); });
  }

  bool take_reserve(std::int64_t amount) noexcept {
    std::int64_t held = reserve.load(relaxed);  // Relaxed, all: a number, as in CreditGate.
    while (held >= amount) {
      if (reserve.compare_exchange_weak(held, held - amount, relaxed, relaxed)) return true;
    }
    return false;
  }

  /// The reserve is filled first; the rest is everybody's.
  void give(std::int64_t amount) noexcept {
    std::int64_t held = reserve.load(relaxed);  // Relaxed, all: a number.
    std::int64_t mine = 0;
    do {
      mine = held == kClosed ? 0 : std::min(amount, reserve_max - held);
    } while (mine > 0 && !reserve.compare_exchange_weak(held, held + mine, relaxed, relaxed));
    if (mine > 0) event.notify();
    if (amount > mine) pool->gate.give(amount - mine);
  }

  const std::shared_ptr<PoolCore> pool;
  const std::int64_t reserve_max;
  Policy::atomic<std::int64_t> reserve{0};
  Policy::atomic<std::uint32_t> interrupted{0};
  EventCount event{0};  // waiter: the receiver that this lease belongs to
  WarmCache<PoolRecord, Policy> warm;

 private:
  static constexpr std::int64_t kClosed = -1;

  void store_warm() noexcept {
    while (PoolRecord* block = take_warm(0)) pool->store(block);
  }
};

void PoolCore::take_memory(std::size_t bytes) noexcept {
  // The credit for `bytes` was taken, so what is too much is free. For a moment a free block may be
  // on its way from one list to another, and not be found.
  constexpr int kTriesMax = 1000;
  std::size_t held = allocated.load(relaxed);  // Relaxed, all: a number.
  for (int tries = 0; tries < kTriesMax;) {
    if (held + bytes > options.budget_bytes) {
      if (tries++ != 0) ::sched_yield();
      trim(bytes);
      held = allocated.load(relaxed);
    } else if (allocated.compare_exchange_weak(held, held + bytes, relaxed, relaxed)) {
      return;
    }
  }
  allocated.fetch_add(bytes, relaxed);
}

void PoolCore::trim(std::size_t bytes) noexcept {
  const auto fits = [&] {
    const std::size_t held = allocated.load(relaxed);
    return held == 0 || (bytes <= options.budget_bytes && held <= options.budget_bytes - bytes);
  };
  PoolRecord* block = nullptr;
  for (auto& list : free_) {
    while (!fits() && list.try_dequeue(block)) discard(block);
  }
  const std::lock_guard lock(leases_mutex_);
  for (LeaseCore* lease : leases_) {
    while (!fits() && (block = lease->take_warm(0)) != nullptr) discard(block);
  }
}

PoolRecord::PoolRecord(std::byte* memory, std::size_t capacity)
    : Record(memory, capacity, &give_back) {}

void PoolRecord::give_back(Block* block, bool owned_credit) noexcept {
  auto* record = static_cast<PoolRecord*>(static_cast<Record*>(block));
  const std::shared_ptr<PoolCore> pool = std::move(record->owner);
  const std::shared_ptr<LeaseCore> lease = std::move(record->lease);
  const auto credit = static_cast<std::int64_t>(record->capacity_bytes);
  record->home = nullptr;
  // Relaxed, both: whoever gets the block next gets it through (W1) or the free list.
  record->holders.store(Record::kBounded, relaxed);
  record->charge_bytes.store(0, relaxed);
  if (!owned_credit) {
    // The budget has long counted these bytes as free: the memory is not the pool's any more.
    PoolCore::destroy(record);
    return;
  }
  if (lease != nullptr) record = lease->warm.put(record);
  if (record != nullptr) pool->store(record);
  if (lease != nullptr) {
    lease->give(credit);
  } else {
    pool->gate.give(credit);
  }
}

namespace {

PoolRecord* dress(PoolRecord* block, const std::shared_ptr<PoolCore>& pool,
                  std::shared_ptr<LeaseCore> lease) noexcept {
  block->pool = lease != nullptr ? static_cast<CreditSource*>(lease.get()) : pool.get();
  block->owner = pool;
  block->lease = std::move(lease);
  return block;
}

}  // namespace
}  // namespace detail

Chunk PoolBlock::to_chunk(std::size_t size) && {
  if (size > record_->capacity_bytes) {
    throw std::invalid_argument("PoolBlock::to_chunk: more bytes than the block holds");
  }
  return Chunk(record_.release(), size);
}

ChunkPool::ChunkPool(const PoolOptions& options) {
  if (options.block_bytes == 0 || options.large_block_bytes < options.block_bytes ||
      options.budget_bytes > std::size_t{INT64_MAX} ||
      options.large_block_bytes > options.budget_bytes ||
      detail::class_bytes(options.large_block_bytes) > options.budget_bytes) {
    throw std::invalid_argument(
        "ChunkPool: needs 0 < block_bytes <= large_block_bytes, and one large block in the budget");
  }
  core_ = std::make_shared<detail::PoolCore>(options);
}

std::optional<PoolBlock> ChunkPool::acquire_until(Deadline deadline, std::stop_token stop) {
  const std::size_t capacity = detail::class_bytes(core_->options.block_bytes);
  EventCount event(0);
  const auto taken = core_->gate.take(static_cast<std::int64_t>(capacity),
                                      {.deadline = deadline, .stop = std::move(stop)}, event,
                                      [] { return false; });
  if (!taken.granted) return std::nullopt;
  return supply(capacity);
}

PoolBlock ChunkPool::acquire() { return std::move(*acquire_until(Deadline::never())); }

std::optional<PoolBlock> ChunkPool::try_acquire() {
  const std::size_t capacity = detail::class_bytes(core_->options.block_bytes);
  if (!core_->gate.try_take(static_cast<std::int64_t>(capacity))) return std::nullopt;
  return supply(capacity);
}

PoolBlock ChunkPool::supply(std::size_t capacity) {
  try {
    return PoolBlock(detail::dress(core_->supply(capacity), core_, nullptr));
  } catch (...) {
    core_->gate.give(static_cast<std::int64_t>(capacity));
    throw;
  }
}

const PoolOptions& ChunkPool::options() const noexcept { return core_->options; }

std::size_t ChunkPool::available_bytes() const noexcept {
  const std::int64_t credit = core_->gate.available();
  return credit > 0 ? static_cast<std::size_t>(credit) : 0;
}

std::size_t ChunkPool::allocated_bytes() const noexcept {
  return core_->allocated.load(detail::relaxed);  // Relaxed: a figure.
}

PoolLease::PoolLease(const ChunkPool& pool, std::size_t reserve_bytes)
    : core_(std::make_shared<detail::LeaseCore>(pool.core_,
                                                static_cast<std::int64_t>(reserve_bytes))) {
  if (!pool.core_->gate.try_take(core_->reserve_max)) {
    throw LimitExceeded("bytes to reserve for one more stream on the pool", pool.available_bytes(),
                        reserve_bytes);
  }
  core_->reserve.store(core_->reserve_max, detail::relaxed);  // Relaxed: nobody else has it yet.
}

PoolLease::~PoolLease() { core_->close(); }

void PoolLease::interrupt() noexcept { core_->interrupt(); }

std::size_t PoolLease::charge_for(std::size_t bytes) noexcept { return detail::class_bytes(bytes); }

std::optional<PoolBlock> PoolLease::acquire(std::size_t bytes, bool may_wait, Deadline deadline,
                                            std::stop_token stop) {
  const auto& pool = core_->pool;
  if (bytes > pool->options.large_block_bytes) {
    throw LimitExceeded("bytes in one block", pool->options.large_block_bytes, bytes);
  }
  const std::size_t capacity = charge_for(bytes);
  const auto credit = static_cast<std::int64_t>(capacity);
  for (;;) {
    if (core_->take_reserve(credit)) break;
    const auto taken = pool->gate.take(
        credit, {.allowed = may_wait, .deadline = deadline, .stop = stop}, core_->event, [&] {
          // Relaxed: the reserve is taken by CAS after.
          return core_->reserve.load(detail::relaxed) >= credit || core_->is_interrupted();
        });
    if (taken.granted) break;
    if (taken.status != WaitStatus::ready) return std::nullopt;
    if (core_->is_interrupted()) return std::nullopt;
  }
  try {
    detail::PoolRecord* block = core_->take_warm(capacity);
    if (block == nullptr) block = pool->supply(capacity);
    return PoolBlock(detail::dress(block, pool, core_));
  } catch (...) {
    core_->give(credit);
    throw;
  }
}

}  // namespace forebay
