// SPDX-License-Identifier: Apache-2.0

// SpscQueue alone, in both of its layouts: every item comes out once and in order. Queues of all
// sizes, one by one and in bulk, so that the two sides meet in every way: full, empty, one behind.

#include <memory>
#include <thread>

#include "scenario.h"

namespace forebay::stress {

namespace {

constexpr std::size_t kItemsMost = 256;  // pushed or popped at once

// Spins for a while, then lets the other side run: it may have no processor of its own.
class Backoff {
 public:
  void wait() {
    if (++times_ % 64 == 0) {
      std::this_thread::yield();
    } else {
      detail::cpu_pause();
    }
  }

 private:
  unsigned times_ = 0;
};

// An item of the size of a slice, whose layout has one item to a line.
struct Wide {
  std::uint64_t sequence = 0;
  std::uint64_t check = 0;
  std::uint64_t more[2] = {};
};

void set(std::uint64_t& item, std::uint64_t sequence) { item = sequence; }
bool is(const std::uint64_t& item, std::uint64_t sequence) { return item == sequence; }
void set(Wide& item, std::uint64_t sequence) {
  item = {sequence, ~sequence, {sequence * 3, sequence * 5}};
}
bool is(const Wide& item, std::uint64_t sequence) {
  return item.sequence == sequence && item.check == ~sequence && item.more[0] == sequence * 3 &&
         item.more[1] == sequence * 5;
}

template <class Item>
void push(SpscQueue<Item>& queue, std::uint64_t items, Random random,
          const std::atomic<bool>& over) {
  std::array<Item, kItemsMost> batch;
  Backoff backoff;
  for (std::uint64_t at = 0; at < items && !over.load(std::memory_order_relaxed);) {
    const std::size_t count = std::min<std::uint64_t>(1 + pick(random, kItemsMost), items - at);
    for (std::size_t i = 0; i < count; ++i) set(batch[i], at + i);
    const std::size_t done = count == 1 ? static_cast<std::size_t>(queue.try_push(Item(batch[0])))
                                        : queue.try_push_n(std::span(batch).first(count));
    if (done == 0) backoff.wait();
    at += done;
  }
}

template <class Item>
void one_queue(Run& run, Random& random) {
  // As often tiny as large. A tiny one is mostly full or empty, and each item may take as long as
  // the other side takes to get a processor.
  const std::size_t capacity = std::size_t{1} << pick(random, 13);
  const std::uint64_t items = 1 + pick(random, capacity * (capacity < 256 ? 64 : 4096));
  SpscQueue<Item> queue(capacity);
  std::atomic<bool> over{false};
  std::jthread pushing([&, seed = random()] { push(queue, items, Random(seed), over); });
  std::array<Item, kItemsMost> batch;
  Backoff backoff;
  try {
    for (std::uint64_t at = 0; at < items;) {
      const std::size_t most = 1 + pick(random, kItemsMost);
      std::size_t count = 0;
      if (most % 4 == 0) {
        for (const Item* item; count < most && (item = queue.front()) != nullptr; ++count) {
          require(is(*item, at + count), "an item is not the next one");
          queue.pop();
        }
      } else {
        count = queue.try_pop_n(std::span(batch).first(most));
        for (std::size_t i = 0; i < count; ++i) {
          require(is(batch[i], at + i), "an item is not the next one");
        }
      }
      if (count == 0) backoff.wait();
      at += count;
      run.count(Counted::hand_overs, count);
    }
    require(queue.front() == nullptr, "there are more items than were pushed");
  } catch (...) {
    over = true;
    throw;
  }
  run.checked();
}

}  // namespace

void queues(Run& run) {
  run.on_threads(std::max(1, run.threads() / 2), [&run](int thread) {
    Random random = run.random(static_cast<std::uint64_t>(thread));
    while (!run.expired()) {
      if (pick(random, 2) == 0) {
        one_queue<std::uint64_t>(run, random);
      } else {
        one_queue<Wide>(run, random);
      }
    }
  });
}

}  // namespace forebay::stress
