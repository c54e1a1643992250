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

/// A large wish in front that may time out, a small one behind it.
struct LargeWishTimesOut : GateTest<LargeWishTimesOut, 3, 2> {
  static constexpr const char* kName = "large_wish_times_out";
  static constexpr unsigned kPreemptions = 1;
  void thread(unsigned index) {
    if (index == 0) {
      const Wait wait{.deadline = Deadline::after(std::chrono::hours(24))};
      if (take(index, 2, wait)) gate->give(2);
    } else {
      MODEL_CHECK(take(index, 1, Wait{}));
      gate->give(1);
    }
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
  return run_models<TwoTakers, LargeWishTimesOut, Instead>("credit_gate", argc, argv);
}
