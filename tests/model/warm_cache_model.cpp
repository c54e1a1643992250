// SPDX-License-Identifier: Apache-2.0

// WarmCache under the model checker: a block is in one hand at a time, with all that its last owner
// did to it, and none is lost.

#include "forebay/detail/warm_cache.h"
#include "model.h"

namespace forebay::model {
namespace {

struct CachedBlock {
  std::size_t capacity_bytes = 1;
  Var<int> uses = 0;
};
using Cache = detail::WarmCache<CachedBlock, ModelPolicy>;

template <class Derived, int kThreads>
struct CacheTest : Test<Derived, kThreads> {
  std::unique_ptr<Cache> cache;
  std::unique_ptr<CachedBlock[]> blocks;
  Atomic<int> fallen;

  void before() {
    cache = std::make_unique<Cache>();
    blocks = std::make_unique<CachedBlock[]>(Cache::kSlots + kThreads);
  }
  void use(CachedBlock* block) { block->uses = static_cast<int>(block->uses) + 1; }
  void put(CachedBlock* block) {
    use(block);
    if (CachedBlock* const out = cache->put(block)) fell(out);
  }
  void fell(CachedBlock* block) {
    use(block);
    fallen.fetch_add(1, std::memory_order_relaxed);
  }
  CachedBlock* take(std::size_t capacity) {
    CachedBlock* const block = cache->take(capacity, [this](CachedBlock* out) { fell(out); });
    if (block != nullptr) use(block);
    return block;
  }
  /// Blocks that are still in the cache.
  int drain() {
    int count = 0;
    while (take(0) != nullptr) ++count;
    return count;
  }
  void end() {
    cache.reset();
    blocks.reset();
  }
};

/// Three threads take what others put.
struct PutAndTake : CacheTest<PutAndTake, 3> {
  static constexpr const char* kName = "put_and_take";
  Atomic<int> held;
  void thread(unsigned index) {
    put(&blocks[index]);
    if (take(0) != nullptr) held.fetch_add(1, std::memory_order_relaxed);
  }
  void after() {
    MODEL_CHECK(drain() + held.newest() + fallen.newest() == 3);
    end();
  }
};

/// A taker of another size puts back what it found, against one who puts into a full cache.
struct OtherSize : CacheTest<OtherSize, 2> {
  static constexpr const char* kName = "other_size";
  bool found = false;
  void before() {
    CacheTest::before();
    blocks[0].capacity_bytes = 2;
    for (std::size_t i = 0; i < Cache::kSlots; ++i) MODEL_CHECK(cache->put(&blocks[i]) == nullptr);
  }
  void thread(unsigned index) {
    if (index == 0) {
      found = take(2) != nullptr;
    } else {
      put(&blocks[Cache::kSlots]);
    }
  }
  void after() {
    MODEL_CHECK(drain() + (found ? 1 : 0) + fallen.newest() == static_cast<int>(Cache::kSlots) + 1);
    end();
  }
};

}  // namespace
}  // namespace forebay::model

int main(int argc, char** argv) {
  using namespace forebay::model;
  return run_models<PutAndTake, OtherSize>("warm_cache", argc, argv);
}
