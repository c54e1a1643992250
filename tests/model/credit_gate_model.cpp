// SPDX-License-Identifier: Apache-2.0

// CreditGate under the model checker: no waiter sleeps while its credit is there, and none of it is
// lost or made up, whoever times out.

#include "forebay/detail/credit_gate.h"
#include "model.h"

namespace forebay::model {
namespace {

using CreditGate = detail::CreditGate<ModelPolicy>;
using EventCount = BasicEventCount<ModelPolicy>;
using detail::Wait;

template <class Derived, int kThreads, int kCredit>
struct GateTest : Test<Derived, kThreads> {
  std::unique_ptr<CreditGate> gate;
  std::unique_ptr<EventCount> events[kThreads];

  void before() {
    gate = std::make_unique<CreditGate>(kCredit);
    for (auto& event : events) event = std::make_unique<EventCount>();
  }
  void after() {
    MODEL_CHECK(gate->available() == kCredit);
    gate.reset();
    for (auto& event : events) event.reset();
  }
  bool take(unsigned index, std::int64_t amount, const Wait& wait) {
    return gate->take(amount, wait, *events[index], [] { return false; }).granted;
  }
};

/// Two takers for one credit: each waits for the other's giving back.
struct TwoTakers : GateTest<TwoTakers, 2, 1> {
  static constexpr const char* kName = "two_takers";
  void thread(unsigned index) {
    MODEL_CHECK(take(index, 1, Wait{}));
    gate->give(1);
  }
};

/// A large wish and a small one, each of which may have to wait for the other's giving back.
struct LargeAndSmall : GateTest<LargeAndSmall, 2, 2> {
  static constexpr const char* kName = "large_and_small";
  void thread(unsigned index) {
    const std::int64_t amount = index == 0 ? 2 : 1;
    MODEL_CHECK(take(index, amount, Wait{}));
    gate->give(amount);
  }
};

/// A large wish that cannot be served times out, and whoever stands behind it is served then.
struct LargeWishTimesOut : GateTest<LargeWishTimesOut, 2, 2> {
  static constexpr const char* kName = "large_wish_times_out";
  void before() {
    GateTest::before();
    MODEL_CHECK(gate->try_take(1));
  }
  void thread(unsigned index) {
    if (index == 0) {
      const Wait wait{.deadline = Deadline::after(std::chrono::hours(24))};
      MODEL_CHECK(!take(index, 2, wait));
    } else {
      MODEL_CHECK(take(index, 1, Wait{}));
      gate->give(1);
    }
  }
  void after() {
    gate->give(1);
    GateTest::after();
  }
};

/// Something else than the credit ends the wait.
struct Instead : GateTest<Instead, 2, 1> {
  static constexpr const char* kName = "instead";
  Atomic<int> cancelled;
  void thread(unsigned index) {
    if (index == 0) {
      const auto [status, granted] = gate->take(
          2, Wait{}, *events[0], [this] { return cancelled.load(std::memory_order_relaxed) != 0; });
      MODEL_CHECK(status == WaitStatus::ready && !granted);
    } else {
      cancelled.store(1, std::memory_order_relaxed);
      events[0]->notify();
    }
  }
};

}  // namespace
}  // namespace forebay::model

int main(int argc, char** argv) {
  using namespace forebay::model;
  return run_models<TwoTakers, LargeAndSmall, LargeWishTimesOut, Instead>("credit_gate", argc,
                                                                          argv);
}
