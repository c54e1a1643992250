// SPDX-License-Identifier: Apache-2.0

// The seat of an epoch under the model checker: a guard that is dropped with plain stores on the
// thread that pinned it, while the issuer's calls have moved to another thread. Thread 0 pins first
// in all of these, and hands the issuer's role on.

#include "epoch_model.h"

namespace forebay::model {
namespace {

/// The new issuer retires what the guard on the seat holds, and ends the domain, while the guard is
/// dropped.
struct LeaveOrLose : EpochTest<LeaveOrLose, 2, 1, 0> {
  static constexpr const char* kName = "leave_or_lose";
  Gate moved;
  void thread(unsigned index) {
    if (index == 0) {
      fill(0);
      HeldGuard guard = domain->pin();
      moved.open();
      objects[0].hold();
      guard.reset();
    } else {
      moved.pass();
      domain->retire(&objects[0]);
      domain.reset();
    }
  }
};

/// The new issuer pins as well: it gets the seat when that is free, and what it drops then must
/// come after what was done under the first guard.
struct SeatGoesOver : EpochTest<SeatGoesOver, 2, 2, 0> {
  static constexpr const char* kName = "seat_goes_over";
  Gate moved;
  void thread(unsigned index) {
    if (index == 0) {
      fill(0);
      fill(1);
      HeldGuard guard = domain->pin();
      moved.open();
      objects[0].hold();
    } else {
      moved.pass();
      HeldGuard guard = domain->pin();
      domain->retire(&objects[0]);
      objects[1].hold();
      guard.reset();
      domain->retire(&objects[1]);
    }
  }
};

/// The guard on the seat is copied before it goes: whoever finds the seat free sees the copy.
struct CopyStays : EpochTest<CopyStays, 3, 1, 1> {
  static constexpr const char* kName = "copy_stays";
  Gate moved;
  void thread(unsigned index) {
    if (index == 0) {
      fill(0);
      HeldGuard guard = domain->pin();
      moved.open();
      boxes[0].send(HeldGuard(guard));
      guard.reset();
    } else if (index == 1) {
      moved.pass();
      domain->retire(&objects[0]);
    } else {
      HeldGuard mine = boxes[0].receive();
      objects[0].hold();
    }
  }
};

/// The role comes back to the thread that lost the seat, whose first guard still lives.
struct RoleComesBack : EpochTest<RoleComesBack, 2, 3, 0> {
  static constexpr const char* kName = "role_comes_back";
  Gate moved;
  Gate back;
  void thread(unsigned index) {
    if (index == 0) {
      for (int i = 0; i < 3; ++i) fill(i);
      HeldGuard first = domain->pin();
      HeldGuard second = domain->pin();
      moved.open();
      objects[0].hold();
      second.reset();
      back.pass();
      HeldGuard third = domain->pin();
      domain->retire(&objects[1]);
      first.reset();
      objects[1].hold();
      HeldGuard fourth = domain->pin();
      third.reset();
      domain->retire(&objects[2]);
      objects[2].hold();
    } else {
      moved.pass();
      g_memory_may_be_short = true;
      HeldGuard guard = domain->pin();
      domain->retire(&objects[0]);
      g_memory_may_be_short = false;
      back.open();
      objects[1].hold();
    }
  }
};

/// A guard on the seat is dropped elsewhere, and the seat is given again when nobody is left.
struct DroppedElsewhere : EpochTest<DroppedElsewhere, 3, 2, 2> {
  static constexpr const char* kName = "dropped_elsewhere";
  void thread(unsigned index) {
    if (index == 0) {
      fill(0);
      fill(1);
      boxes[0].send(domain->pin());
      boxes[1].send(domain->pin());
      (void)domain->held_back();
      HeldGuard again = domain->pin();
      domain->retire(&objects[0]);
      again.reset();
      HeldGuard last = domain->pin();
      domain->retire(&objects[1]);
    } else {
      HeldGuard mine = boxes[index - 1].receive();
      objects[0].hold();
      objects[1].hold();
    }
  }
};

/// Who waits for drops hears of one that could have been a plain store, had the role not moved.
struct HeardElsewhere : EpochTest<HeardElsewhere, 2, 1, 0> {
  static constexpr const char* kName = "heard_elsewhere";
  std::unique_ptr<Watch> watch;
  Gate moved;
  Gate armed;
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
      HeldGuard guard = domain->pin();
      moved.open();
      armed.pass();
      objects[0].hold();
    } else {
      moved.pass();
      domain->hear_drops();
      watch->armed.store(1, std::memory_order_relaxed);
      armed.open();
      while (watch->drops.load(std::memory_order_relaxed) == 0) yield();
      domain->retire(&objects[0]);
    }
  }
};

/// Where there is no asymmetric barrier nobody has a seat, and every drop is counted.
struct NoSeats : EpochTest<NoSeats, 2, 2, 1> {
  static constexpr const char* kName = "no_seats";
  Gate moved;
  void before() {
    g_barriers = Barriers::none;
    EpochTest::before();
  }
  void after() {
    EpochTest::after();
    g_barriers = Barriers::fences;
  }
  void thread(unsigned index) {
    if (index == 0) {
      fill(0);
      fill(1);
      HeldGuard guard = domain->pin();
      boxes[0].send(domain->pin());
      objects[0].hold();
    } else {
      HeldGuard mine = boxes[0].receive();
      domain->retire(&objects[0]);
      mine.reset();
      HeldGuard other = domain->pin();
      domain->retire(&objects[1]);
    }
  }
};

/// The same where the light barrier does nothing and the heavy one reaches every thread. A fence
/// beside an ordering makes the ordering needless; here there is none.
template <class Case>
struct ByMembarrier : Case {
  static inline const std::string name = std::string(Case::kName) + "_by_membarrier";
  static inline const char* const kName = name.c_str();
  void before() {
    g_barriers = Barriers::membarrier;
    Case::before();
  }
  void after() {
    Case::after();
    g_barriers = Barriers::fences;
  }
};

}  // namespace
}  // namespace forebay::model

int main(int argc, char** argv) {
  using namespace forebay::model;
  return run_models<LeaveOrLose, SeatGoesOver, CopyStays, RoleComesBack, DroppedElsewhere,
                    HeardElsewhere, NoSeats, ByMembarrier<LeaveOrLose>, ByMembarrier<SeatGoesOver>,
                    ByMembarrier<CopyStays>, ByMembarrier<RoleComesBack>>("epoch_seat", argc, argv);
}
