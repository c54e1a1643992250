// SPDX-License-Identifier: Apache-2.0

// SpscQueue under the model checker: exact order, no slot touched out of turn, bounded, and nothing
// lost over several laps, for one item to a line and for several.

#include "forebay/spsc_queue.h"
#include "model.h"

namespace forebay::model {
namespace {

/// An item of `kWords` 8-byte words that points to a payload whose races are reported.
template <int kWords>
struct Item {
  Var<int>* payload = nullptr;
  std::uint64_t number = 0;
};
template <>
struct Item<1> {
  Var<int>* payload = nullptr;
};
template <>
struct Item<4> {
  Var<int>* payload = nullptr;
  std::uint64_t padding[3] = {};
};

/// What the producer hands over with its items, and the consumer hands back with their slots.
template <int kCount>
struct Payloads {
  Var<int> values[kCount];

  template <class T>
  T item(int number) {
    values[number] = number + 1;
    T made;
    made.payload = &values[number];
    return made;
  }
  template <class T>
  void take(const T& item, int number) {
    MODEL_CHECK(item.payload == &values[number]);
    MODEL_CHECK(static_cast<int>(values[number]) == number + 1);
    values[number] = -1;
  }
};

template <class Derived, int kWords, int kCapacity, int kCount>
struct QueueTest : Test<Derived, 2> {
  using T = Item<kWords>;
  using Queue = SpscQueue<T, ModelPolicy>;

  std::unique_ptr<Queue> queue;
  std::unique_ptr<Payloads<kCount>> payloads;

  void before() {
    queue = std::make_unique<Queue>(kCapacity);
    payloads = std::make_unique<Payloads<kCount>>();
  }
  void after() {
    MODEL_CHECK(queue->front() == nullptr);
    queue.reset();
    payloads.reset();
  }
  void produce_one_by_one() {
    for (int i = 0; i < kCount; ++i) {
      T item = payloads->template item<T>(i);
      while (!queue->try_push(std::move(item))) yield();
    }
  }
  void consume_one_by_one() {
    for (int i = 0; i < kCount; ++i) {
      T item;
      while (!queue->try_pop(item)) yield();
      payloads->take(item, i);
    }
  }
};

/// One item to a line, a ring of one slot: full and empty all the time.
struct OneSlot : QueueTest<OneSlot, 4, 1, 3> {
  static constexpr const char* kName = "one_slot";
  static_assert(Queue::kItemsPerLine == 1);
  void thread(unsigned index) { index == 0 ? produce_one_by_one() : consume_one_by_one(); }
};

/// Seven items to a line, laps inside one line.
struct SharedLine : QueueTest<SharedLine, 1, 2, 9> {
  static constexpr const char* kName = "shared_line";
  static constexpr unsigned kPreemptions = 1;
  static_assert(Queue::kItemsPerLine == 7);
  void thread(unsigned index) { index == 0 ? produce_one_by_one() : consume_one_by_one(); }
};

/// Three items to a line, several lines, slots given back two at a time, more than two laps.
struct LazyRelease : QueueTest<LazyRelease, 2, 8, 20> {
  static constexpr const char* kName = "lazy_release";
  static constexpr unsigned kPreemptions = 0;
  static_assert(Queue::kItemsPerLine == 3);
  void thread(unsigned index) { index == 0 ? produce_one_by_one() : consume_one_by_one(); }
};

/// Both sides in bulk, lines cut in the middle.
struct Bulk : QueueTest<Bulk, 2, 3, 7> {
  static constexpr const char* kName = "bulk";
  void thread(unsigned index) {
    if (index == 0) {
      T items[kCount];
      for (int i = 0; i < kCount; ++i) items[i] = payloads->item<T>(i);
      for (std::size_t done = 0; done < kCount;) {
        const std::size_t some = std::min<std::size_t>(done == 0 ? 2 : 4, kCount - done);
        const std::size_t pushed = queue->try_push_n(std::span<T>(items + done, some));
        if (pushed == 0) yield();
        done += pushed;
      }
    } else {
      for (int done = 0; done < kCount;) {
        T items[3];
        const std::size_t popped = queue->try_pop_n(items);
        if (popped == 0) yield();
        for (std::size_t i = 0; i < popped; ++i) payloads->take(items[i], done++);
      }
    }
  }
  static constexpr int kCount = 7;
};

/// The consumer looks ahead as far as there is something, then drops what it saw.
struct LookAhead : QueueTest<LookAhead, 4, 2, 4> {
  static constexpr const char* kName = "look_ahead";
  static constexpr int kCount = 4;
  void thread(unsigned index) {
    if (index == 0) return produce_one_by_one();
    for (int done = 0; done < kCount;) {
      int seen = 0;
      while (T* item = queue->look(static_cast<std::size_t>(seen))) {
        payloads->take(*item, done + seen);
        ++seen;
      }
      for (int i = 0; i < seen; ++i) queue->pop();
      if (seen == 0) {
        queue->flush();
        yield();
      }
      done += seen;
    }
  }
};

/// The producer never waits: what did not fit is counted, and at least `capacity` items fit.
struct Full : QueueTest<Full, 4, 2, 4> {
  static constexpr const char* kName = "full";
  int pushed = 0;
  void thread(unsigned index) {
    if (index == 0) {
      for (int i = 0; i < 4; ++i) {
        T item = payloads->item<T>(pushed);
        if (queue->try_push(std::move(item))) ++pushed;
      }
      MODEL_CHECK(pushed >= 2);
    } else {
      T item;
      for (int i = 0, done = 0; i < 2; ++i) {
        if (queue->try_pop(item)) payloads->take(item, done++);
      }
    }
  }
  void after() {
    T item;
    while (queue->try_pop(item)) MODEL_CHECK(item.payload != nullptr);
    QueueTest::after();
  }
};

}  // namespace
}  // namespace forebay::model

int main(int argc, char** argv) {
  using namespace forebay::model;
  return run_models<OneSlot, SharedLine, LazyRelease, Bulk, LookAhead, Full>("spsc_queue", argc,
                                                                             argv);
}
