// SPDX-License-Identifier: Apache-2.0

// The queue alone: every item comes out once and in order, whatever calls the two sides use, and
// no item is left behind or kept alive.

#include <array>
#include <span>

#include "forebay/spsc_queue.h"
#include "scenario.h"

namespace forebay::deterministic {

namespace {

// An item that counts those alive; `kBytes` decides how many share a line of the ring.
template <std::size_t kBytes>
class Item {
 public:
  explicit Item(std::uint32_t number) noexcept : number_(number) { ++alive; }
  Item(Item&& other) noexcept : number_(std::exchange(other.number_, kMovedFrom)) { ++alive; }
  Item& operator=(Item&& other) noexcept {
    number_ = std::exchange(other.number_, kMovedFrom);
    return *this;
  }
  ~Item() { --alive; }
  [[nodiscard]] std::uint32_t number() const noexcept { return number_; }

  static constexpr std::uint32_t kMovedFrom = UINT32_MAX;
  static inline int alive = 0;

 private:
  std::uint32_t number_;
  [[maybe_unused]] std::array<char, kBytes - sizeof(std::uint32_t)> rest_{};
};

template <class T>
void produce(SpscQueue<T>& queue, std::uint32_t count, std::uint64_t seed) {
  Random random(seed);
  const bool in_bulk = random.one_in(2);
  for (std::uint32_t next = 0; next < count;) {
    const bool had_room = queue.has_room();
    std::size_t done = 0;
    if (in_bulk) {
      std::vector<T> items;
      const std::size_t size = std::min<std::size_t>(random.up_to(5), count - next);
      for (std::uint32_t i = 0; i < size; ++i) items.emplace_back(next + i);
      done = queue.try_push_n(items);
      for (std::size_t i = 0; i < size; ++i) {
        require((items[i].number() == T::kMovedFrom) == (i < done), "the wrong items were taken");
      }
    } else {
      T item(next);
      done = queue.try_push(std::move(item)) ? 1 : 0;
      require(done == 1 || item.number() == next, "an item was taken that did not fit");
    }
    require(done != 0 || !had_room, "there was room, and nothing fitted");
    next += static_cast<std::uint32_t>(done);
    if (done == 0) yield();
  }
}

template <class T>
std::uint32_t consume_some(SpscQueue<T>& queue, std::uint32_t expected, Random& random) {
  const auto check = [](const T& item, std::uint32_t number) {
    require(item.number() == number, "an item is not the one that is due");
  };
  switch (random.below(4)) {
    case 0: {
      T item(T::kMovedFrom);
      if (!queue.try_pop(item)) return 0;
      check(item, expected);
      return 1;
    }
    case 1: {
      std::array<T, 3> items{T(T::kMovedFrom), T(T::kMovedFrom), T(T::kMovedFrom)};
      const auto count = static_cast<std::uint32_t>(queue.try_pop_n(items));
      for (std::uint32_t i = 0; i < count; ++i) check(items[i], expected + i);
      return count;
    }
    case 2: {
      std::uint32_t seen = 0;
      const T* item = nullptr;
      while (seen < 4 && (item = queue.look(seen)) != nullptr) check(*item, expected + seen++);
      const std::size_t popped = seen != 0 ? random.below(seen + 1) : 0;
      for (std::size_t i = 0; i < popped; ++i) queue.pop();
      if (random.one_in(2)) queue.flush();
      return static_cast<std::uint32_t>(popped);
    }
    default: {
      const T* const item = queue.front();
      if (item == nullptr) return 0;
      check(*item, expected);
      queue.pop();
      return 1;
    }
  }
}

template <class T>
void run_with(Random& random) {
  T::alive = 0;
  {
    const std::size_t capacity = random.up_to(9);
    SpscQueue<T> queue(capacity);
    const auto count = static_cast<std::uint32_t>(random.below(30));
    // Some are left in the queue, which destroys them.
    const auto left = static_cast<std::uint32_t>(random.one_in(4) ? random.below(capacity + 1) : 0);
    const std::uint64_t seed = random.next();
    const Task producer("producer", [&] { produce(queue, count, seed); });
    std::uint32_t next = 0;
    while (next + left < count) {
      const std::uint32_t done = consume_some(queue, next, random);
      next += done;
      if (done == 0) {
        // Looking is what gives slots back; items that stay must not be waited for.
        (void)queue.front();
        queue.flush();
        yield();
      }
    }
    require(next <= count, "there are more items than were pushed");
  }
  require(T::alive == 0, "items live on without their queue");
}

}  // namespace

void run_queue(Random& random) {
  switch (random.below(3)) {
    case 0:
      return run_with<Item<8>>(random);
    case 1:
      return run_with<Item<16>>(random);
    default:
      return run_with<Item<24>>(random);
  }
}

}  // namespace forebay::deterministic
