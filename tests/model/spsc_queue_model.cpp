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

/// `kCount` items, of which the first `kBefore` have gone through before the threads begin: what
/// matters happens where lines and laps end.
template <class Derived, int kWords, int kCapacity, int kCount, int kBefore = 0>
struct QueueTest : Test<Derived, 2> {
  using T = Item<kWords>;
  using Queue = SpscQueue<T, ModelPolicy>;

  std::unique_ptr<Queue> queue;
  std::unique_ptr<Payloads<kCount>> payloads;
  int pushed = 0;  // the producer's
  int popped = 0;  // the consumer's

  void before() {
    queue = std::make_unique<Queue>(kCapacity);
    payloads = std::make_unique<Payloads<kCount>>();
    while (popped < kBefore) {
      produce_up_to(pushed + 1);
      consume_up_to(popped + 1);
    }
  }
  void after() {
    consume_up_to(pushed);
    MODEL_CHECK(queue->front() == nullptr);
    queue.reset();
    payloads.reset();
  }
  void produce_up_to(int count) {
    for (; pushed < count; ++pushed) {
      T item = payloads->template item<T>(pushed);
      while (!queue->try_push(std::move(item))) yield();
    }
  }
  void consume_up_to(int count) {
    for (; popped < count; ++popped) {
      T item;
      while (!queue->try_pop(item)) yield();
      payloads->take(item, popped);
    }
  }
};

/// One item to a line, a ring of one slot: full and empty all the time.
struct OneSlot : QueueTest<OneSlot, 4, 1, 3> {
  static constexpr const char* kName = "one_slot";
  static_assert(Queue::kItemsPerLine == 1);
  void thread(unsigned index) { index == 0 ? produce_up_to(3) : consume_up_to(3); }
};

/// Seven items to a line, laps inside one line; the threads go over its end.
struct SharedLine : QueueTest<SharedLine, 1, 2, 9, 5> {
  static constexpr const char* kName = "shared_line";
  static_assert(Queue::kItemsPerLine == 7);
  void thread(unsigned index) { index == 0 ? produce_up_to(9) : consume_up_to(8); }
};

/// Three items to a line, several lines, slots given back two at a time; the threads begin in the
/// second lap, with a ring that is full but for one slot, and go on into the third.
struct LazyRelease : QueueTest<LazyRelease, 2, 8, 20, 9> {
  static constexpr const char* kName = "lazy_release";
  static_assert(Queue::kItemsPerLine == 3);
  void before() {
    QueueTest::before();
    produce_up_to(17);
  }
  void thread(unsigned index) { index == 0 ? produce_up_to(20) : consume_up_to(13); }
};

/// The same where the ring is all but empty: the consumer is at the producer's heels from line to
/// line.
struct AtTheHeels : QueueTest<AtTheHeels, 2, 8, 13, 10> {
  static constexpr const char* kName = "at_the_heels";
  void thread(unsigned index) { index == 0 ? produce_up_to(13) : consume_up_to(13); }
};

/// Both sides in bulk, lines cut in the middle.
struct Bulk : QueueTest<Bulk, 2, 3, 6, 1> {
  static constexpr const char* kName = "bulk";
  void thread(unsigned index) {
    if (index == 0) {
      T items[5];
      for (int i = 0; i < 5; ++i) items[i] = payloads->item<T>(pushed + i);
      for (std::size_t done = 0; done < 5;) {
        const std::size_t some = std::min<std::size_t>(done == 0 ? 2 : 4, 5 - done);
        const std::size_t count = queue->try_push_n(std::span<T>(items + done, some));
        if (count == 0) yield();
        done += count;
      }
      pushed += 5;
    } else {
      while (popped < 4) {
        T items[3];
        const std::size_t count = queue->try_pop_n(items);
        if (count == 0) yield();
        for (std::size_t i = 0; i < count; ++i) payloads->take(items[i], popped++);
      }
    }
  }
};

/// The consumer looks ahead as far as there is something, then drops what it saw.
struct LookAhead : QueueTest<LookAhead, 4, 2, 3> {
  static constexpr const char* kName = "look_ahead";
  void thread(unsigned index) {
    if (index == 0) return produce_up_to(3);
    while (popped < 3) {
      int seen = 0;
      while (T* item = queue->look(static_cast<std::size_t>(seen))) {
        payloads->take(*item, popped + seen);
        ++seen;
      }
      for (int i = 0; i < seen; ++i) queue->pop();
      if (seen == 0) {
        queue->flush();
        yield();
      }
      popped += seen;
    }
  }
};

/// The producer never waits: what did not fit is counted, and at least `capacity` items fit.
struct Full : QueueTest<Full, 4, 2, 4> {
  static constexpr const char* kName = "full";
  void thread(unsigned index) {
    if (index == 0) {
      for (int i = 0; i < 4; ++i) {
        T item = payloads->item<T>(pushed);
        if (queue->try_push(std::move(item))) ++pushed;
      }
      MODEL_CHECK(pushed >= 2);
    } else {
      T item;
      for (int i = 0; i < 2; ++i) {
        if (queue->try_pop(item)) payloads->take(item, popped++);
      }
    }
  }
};

}  // namespace
}  // namespace forebay::model

int main(int argc, char** argv) {
  using namespace forebay::model;
  return run_models<OneSlot, SharedLine, LazyRelease, AtTheHeels, Bulk, LookAhead, Full>(
      "spsc_queue", argc, argv);
}
