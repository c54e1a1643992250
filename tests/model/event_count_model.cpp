// SPDX-License-Identifier: Apache-2.0

// EventCount under the model checker: no wake is lost (it would be a deadlock), an armed callback
// runs exactly once or is taken back, a time-out leaves nothing behind.

#include "forebay/event_count.h"
#include "forebay/spsc_queue.h"
#include "model.h"

namespace forebay::model {
namespace {

using EventCount = BasicEventCount<ModelPolicy>;

/// A deadline that does not pass by itself: only the checker lets it.
Deadline some_deadline() { return Deadline::after(std::chrono::hours(24)); }

/// What is published here is relaxed on purpose: only the event count may order it.
using Flag = Atomic<int>;
int read(const Flag& flag) { return flag.load(std::memory_order_relaxed); }
void write(Flag& flag, int value) { flag.store(value, std::memory_order_relaxed); }

/// One waiter, two notifiers, each with a part of the condition.
struct TwoNotifiers : Test<TwoNotifiers, 3> {
  static constexpr const char* kName = "two_notifiers";
  static constexpr unsigned kPreemptionsLong = 3;
  std::unique_ptr<EventCount> event;
  Flag flags[2];
  void before() { event = std::make_unique<EventCount>(); }
  void after() { event.reset(); }
  void thread(unsigned index) {
    if (index < 2) {
      write(flags[index], 1);
      event->notify();
    } else {
      const WaitStatus status =
          event->await([this] { return read(flags[0]) == 1 && read(flags[1]) == 1; });
      MODEL_CHECK(status == WaitStatus::ready);
    }
  }
};

/// Two waits in a row against one notifier: a wake of the first must not be missed by the second.
struct NotifyAfterWake : Test<NotifyAfterWake, 2> {
  static constexpr const char* kName = "notify_after_wake";
  static constexpr unsigned kPreemptionsLong = 3;
  std::unique_ptr<EventCount> event;
  Flag flag;
  void before() { event = std::make_unique<EventCount>(); }
  void after() { event.reset(); }
  void thread(unsigned index) {
    for (int round = 1; round <= 3; ++round) {
      if (index == 0) {
        write(flag, round);
        event->notify();
      } else {
        MODEL_CHECK(event->await([&] { return read(flag) >= round; }) == WaitStatus::ready);
      }
    }
  }
};

/// Both sides wait for each other, each on its own event count.
struct PingPong : Test<PingPong, 2> {
  static constexpr const char* kName = "ping_pong";
  static constexpr unsigned kPreemptionsLong = 3;
  std::unique_ptr<EventCount> events[2];
  Flag flags[2];
  void before() {
    for (auto& event : events) event = std::make_unique<EventCount>();
  }
  void after() {
    for (auto& event : events) event.reset();
  }
  void thread(unsigned index) {
    const unsigned peer = 1 - index;
    for (int round = 1; round <= 2; ++round) {
      if (index == 0) {
        write(flags[peer], round);
        events[peer]->notify();
      }
      MODEL_CHECK(events[index]->await([&] { return read(flags[index]) == round; }) ==
                  WaitStatus::ready);
      if (index == 1) {
        write(flags[peer], round);
        events[peer]->notify();
      }
    }
  }
};

/// A time-out against a notify: `ready` only when the condition holds, and the next wait is whole.
struct TimeoutOrNotify : Test<TimeoutOrNotify, 2> {
  static constexpr const char* kName = "timeout_or_notify";
  static constexpr unsigned kPreemptionsLong = 3;
  std::unique_ptr<EventCount> event;
  Flag flag;
  void before() { event = std::make_unique<EventCount>(); }
  void after() { event.reset(); }
  void thread(unsigned index) {
    if (index == 0) {
      write(flag, 1);
      event->notify();
      write(flag, 2);
      event->notify();
    } else {
      const WaitStatus first = event->await([this] { return read(flag) >= 1; }, some_deadline());
      if (first == WaitStatus::ready) MODEL_CHECK(read(flag) >= 1);
      MODEL_CHECK(event->await([this] { return read(flag) == 2; }) == WaitStatus::ready);
      MODEL_CHECK(!event->has_waiter());
    }
  }
};

/// A stop request against a notify and the waiter.
struct StopOrNotify : Test<StopOrNotify, 3> {
  static constexpr const char* kName = "stop_or_notify";
  static constexpr unsigned kPreemptionsLong = 3;
  std::unique_ptr<EventCount> event;
  std::optional<std::stop_source> source;
  Flag flag;
  void before() {
    event = std::make_unique<EventCount>();
    source.emplace();
  }
  void after() {
    event.reset();
    source.reset();
  }
  void thread(unsigned index) {
    if (index == 0) {
      source->request_stop();
    } else if (index == 1) {
      write(flag, 1);
      event->notify();
    } else {
      const std::stop_token token = source->get_token();
      const WaitStatus status =
          event->await([this] { return read(flag) == 2; }, Deadline::never(), token);
      MODEL_CHECK(status == WaitStatus::stopped);
      MODEL_CHECK(event->await([this] { return read(flag) == 1; }) == WaitStatus::ready);
    }
  }
};

/// A callback that is armed, taken back, or armed again, against two notifiers.
struct Callback : Test<Callback, 3> {
  static constexpr const char* kName = "callback";
  std::unique_ptr<EventCount> event;
  struct Context {
    Var<int> runs = 0;
    Flag done;
  };
  std::unique_ptr<Context> contexts[2];
  Flag flag;

  void before() {
    event = std::make_unique<EventCount>();
    for (auto& context : contexts) context = std::make_unique<Context>();
  }
  void after() {
    event.reset();
    for (auto& context : contexts) context.reset();
  }
  static void run(void* pointer) {
    auto* const context = static_cast<Context*>(pointer);
    context->runs = static_cast<int>(context->runs) + 1;
    context->done.store(1, std::memory_order_release);
  }
  void thread(unsigned index) {
    if (index < 2) {
      flag.fetch_add(1, std::memory_order_relaxed);
      event->notify();
      return;
    }
    for (int round = 0; round < 2; ++round) {
      Context* const context = contexts[round].get();
      context->runs = 10;
      const bool armed = event->arm(&run, context, [&] { return read(flag) > round; });
      // The last one is left armed; it must run, for both notifiers come.
      const bool taken_back = armed && round == 0 && event->disarm();
      if (armed && !taken_back) {
        while (context->done.load(std::memory_order_acquire) == 0) yield();
      }
      MODEL_CHECK(static_cast<int>(context->runs) == (armed && !taken_back ? 11 : 10));
      MODEL_CHECK(!armed || taken_back || round == 0 || read(flag) > 0);
    }
  }
};

/// The queue with both sides waiting, as a stream uses it.
struct QueueBothWait : Test<QueueBothWait, 2> {
  static constexpr const char* kName = "queue_both_wait";
  static constexpr int kCount = 3;
  struct Item {
    int number = -1;
    std::uint64_t padding[3] = {};
  };
  using Queue = SpscQueue<Item, ModelPolicy>;
  std::unique_ptr<Queue> queue;
  std::unique_ptr<EventCount> data;
  std::unique_ptr<EventCount> room;
  void before() {
    queue = std::make_unique<Queue>(1);
    data = std::make_unique<EventCount>();
    room = std::make_unique<EventCount>();
  }
  void after() {
    queue.reset();
    data.reset();
    room.reset();
  }
  void thread(unsigned index) {
    for (int i = 0; i < kCount; ++i) {
      if (index == 0) {
        MODEL_CHECK(room->await([this] { return queue->has_room(); }) == WaitStatus::ready);
        MODEL_CHECK(queue->try_push(Item{i}));
        data->notify();
      } else {
        MODEL_CHECK(data->await([this] { return queue->front() != nullptr; }) == WaitStatus::ready);
        Item item;
        MODEL_CHECK(queue->try_pop(item));
        MODEL_CHECK(item.number == i);
        room->notify();
      }
    }
  }
};

}  // namespace
}  // namespace forebay::model

int main(int argc, char** argv) {
  using namespace forebay::model;
  return run_models<TwoNotifiers, NotifyAfterWake, PingPong, TimeoutOrNotify, StopOrNotify,
                    Callback, QueueBothWait>("event_count", argc, argv);
}
