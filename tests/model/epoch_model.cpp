// SPDX-License-Identifier: Apache-2.0

// EpochDomain under the model checker: an object is reclaimed exactly once, never while a guard
// lives that was pinned before it was retired, and after everything its holders did.

#include "epoch_model.h"

namespace forebay::model {
namespace {

/// Two copies of a guard on two workers, each of which copies it once more; they end in any order
/// around the retire.
struct Copies : EpochTest<Copies, 3, 1, 0> {
  static constexpr const char* kName = "copies";
  HeldGuard guards[2];
  void before() {
    EpochTest::before();
    fill(0);
    guards[0] = domain->pin();
    guards[1] = guards[0];
  }
  void thread(unsigned index) {
    if (index == 0) {
      domain->retire(&objects[0]);
    } else {
      HeldGuard& mine = guards[index - 1];
      objects[0].hold();
      HeldGuard more = mine;
      mine.reset();
      objects[0].hold();
    }
  }
};

/// Three epochs, of which two have a guard, dropped by two workers: nodes come free in order or
/// not.
struct Epochs : EpochTest<Epochs, 3, 3, 0> {
  static constexpr const char* kName = "epochs";
  HeldGuard guards[2];
  void before() {
    EpochTest::before();
    for (int i = 0; i < 3; ++i) fill(i);
    guards[0] = domain->pin();
    domain->retire(&objects[0]);
    guards[1] = domain->pin();
  }
  void thread(unsigned index) {
    if (index == 0) {
      domain->retire(&objects[1]);
      domain->retire(&objects[2]);
    } else {
      // Worker 1 pinned before all three were retired, worker 2 after the first was.
      for (unsigned i = index - 1; i < 3; ++i) objects[i].hold();
      guards[index - 1].reset();
    }
  }
};

/// The issuer pins and retires while a worker drops the guard of an older epoch.
struct PinWhileDropping : EpochTest<PinWhileDropping, 2, 3, 0> {
  static constexpr const char* kName = "pin_while_dropping";
  HeldGuard first;
  void before() {
    EpochTest::before();
    for (int i = 0; i < 3; ++i) fill(i);
    first = domain->pin();
    domain->retire(&objects[0]);
  }
  void thread(unsigned index) {
    if (index == 0) {
      HeldGuard second = domain->pin();
      domain->retire(&objects[1]);
      objects[1].hold();
      second.reset();
      domain->retire(&objects[2]);
    } else {
      for (int i = 0; i < 3; ++i) objects[i].hold();
      first.reset();
    }
  }
};

/// The issuer sees that nobody holds anything, and reclaims at once what the worker looked at.
struct HeldBackOrNot : EpochTest<HeldBackOrNot, 2, 2, 1> {
  static constexpr const char* kName = "held_back_or_not";
  void thread(unsigned index) {
    if (index == 0) {
      fill(0);
      fill(1);
      boxes[0].send(domain->pin());
      domain->retire(&objects[0]);
      if (!domain->held_back()) {
        MODEL_CHECK(static_cast<int>(objects[0].reclaimed) == 1);
      }
      HeldGuard late = domain->pin();
      domain->retire(&objects[1]);
    } else {
      HeldGuard mine = boxes[0].receive();
      objects[0].hold();
    }
  }
};

/// Guards that outlive the domain, which is destroyed while they are dropped.
struct GuardsOutliveDomain : EpochTest<GuardsOutliveDomain, 3, 2, 0> {
  static constexpr const char* kName = "guards_outlive_domain";
  HeldGuard guards[2];
  void before() {
    EpochTest::before();
    fill(0);
    fill(1);
    guards[0] = domain->pin();
    domain->retire(&objects[0]);
    guards[1] = domain->pin();
  }
  void thread(unsigned index) {
    if (index == 0) {
      domain->retire(&objects[1]);
      domain.reset();
    } else {
      objects[index - 1].hold();
      guards[index - 1].reset();
    }
  }
};

/// As Epochs, where memory for a node may not be had.
struct ShortMemory : EpochTest<ShortMemory, 3, 3, 0> {
  static constexpr const char* kName = "short_memory";
  HeldGuard guards[2];
  void before() {
    EpochTest::before();
    for (int i = 0; i < 3; ++i) fill(i);
    g_memory_may_be_short = true;
    guards[0] = domain->pin();
    domain->retire(&objects[0]);
    guards[1] = domain->pin();
  }
  void thread(unsigned index) {
    if (index == 0) {
      domain->retire(&objects[1]);
      domain->retire(&objects[2]);
    } else {
      objects[index - 1].hold();
      guards[index - 1].reset();
    }
  }
  void after() {
    g_memory_may_be_short = false;
    EpochTest::after();
  }
};

/// The last object is reclaimed after all the others, also where they share a node for want of
/// memory.
struct RetireLast : EpochTest<RetireLast, 2, 3, 1> {
  static constexpr const char* kName = "retire_last";
  struct Home : Object {
    RetireLast* test = nullptr;
  } home;
  void before() {
    EpochTest::before();
    home.test = this;
    home.reclaim = [](Retirable* self) noexcept {
      auto* const home = static_cast<Home*>(self);
      home->reclaimed = static_cast<int>(home->reclaimed) + 1;
      for (int i = 0; i < 3; ++i) {
        MODEL_CHECK(static_cast<int>(home->test->objects[i].reclaimed) == 1);
      }
    };
  }
  void thread(unsigned index) {
    if (index == 0) {
      for (int i = 0; i < 3; ++i) fill(i);
      g_memory_may_be_short = true;
      boxes[0].send(domain->pin());
      for (int i = 0; i < 3; ++i) domain->retire(&objects[i]);
      g_memory_may_be_short = false;
      domain->retire_last(&home);
    } else {
      HeldGuard mine = boxes[0].receive();
      objects[2].hold();
    }
  }
  void after() {
    EpochTest::after();
    MODEL_CHECK(static_cast<int>(home.reclaimed) == 1);
  }
};

/// The limit folds the issuer's pins into the shared count while a worker drops.
struct Limit : EpochTest<Limit, 2, 2, 0> {
  static constexpr const char* kName = "limit";
  HeldGuard guards[2];
  void before() {
    EpochTest::before();
    domain = std::make_unique<Domain>(2);
    fill(0);
    fill(1);
    for (HeldGuard& guard : guards) guard = domain->pin();
  }
  void thread(unsigned index) {
    if (index == 0) {
      HeldGuard third;
      bool refused = false;
      try {
        third = domain->pin();
      } catch (const LimitExceeded&) {
        refused = true;
      }
      domain->retire(&objects[0]);
      if (!refused) objects[1].hold();
      third.reset();
      domain->retire(&objects[1]);
    } else {
      for (HeldGuard& guard : guards) {
        objects[0].hold();
        guard.reset();
      }
    }
  }
};

/// Drops that a starved writer counts: the watch outlives every guard, and nothing else.
struct Watched : EpochTest<Watched, 2, 1, 1> {
  static constexpr const char* kName = "watched";
  std::unique_ptr<Watch> watch;
  void before() {
    EpochTest::before();
    watch = std::make_unique<Watch>();
    domain = std::make_unique<Domain>(Domain::kGuardsMaxDefault, watch.get());
  }
  void after() {
    EpochTest::after();
    watch.reset();
  }
  void thread(unsigned index) {
    if (index == 0) {
      fill(0);
      watch->armed.store(1, std::memory_order_relaxed);
      boxes[0].send(domain->pin());
      domain->retire(&objects[0]);
      while (watch->drops.load(std::memory_order_relaxed) == 0) yield();
    } else {
      HeldGuard mine = boxes[0].receive();
      objects[0].hold();
    }
  }
};

}  // namespace
}  // namespace forebay::model

int main(int argc, char** argv) {
  using namespace forebay::model;
  return run_models<Copies, Epochs, PinWhileDropping, HeldBackOrNot, GuardsOutliveDomain,
                    ShortMemory, RetireLast, Limit, Watched>("epoch", argc, argv);
}
