// SPDX-License-Identifier: Apache-2.0
#pragma once

// The world in which the deterministic tests run the library: fibers of which one runs at a time,
// and a seed that decides at every step who is next.
//
// A step is every operation of the policy (atomics, barriers, futex, mutex), every system call and
// every yield. Between two steps a fiber is alone. Time is the scheduler's too: a step takes some
// nanoseconds, and when nobody can run, or when the seed says so, it jumps to the next deadline.
// When nobody can run and nobody waits for a deadline, the run has failed; so it has when it does
// not end within kStepsMax.
//
// Stores go through a store buffer per fiber in most seeds, so what another fiber sees may lag as
// it does on x86. What is weaker than that (a core of ARM) is for the models, not for this.

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

#include "fiber.h"
#include "random.h"
#include "site.h"
#include "store_buffer.h"
#include "strategy.h"

namespace forebay::deterministic {

/// Nanoseconds of this world.
using Time = std::int64_t;
inline constexpr Time kNever = INT64_MAX;

/// How a wait ended.
enum class Woken : std::uint8_t { by_other, by_deadline };

class Scheduler {
 public:
  static constexpr std::uint64_t kStepsMax = 1'000'000;

  explicit Scheduler(StackPool& stacks, std::uint64_t seed);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  ~Scheduler();

  /// Runs the body and all fibers that come of it to their ends.
  void run(std::function<void()> body);

  /// The one that runs now; null outside of a run.
  [[nodiscard]] static Scheduler* running() noexcept { return g_running; }
  /// From here on operations are what they are without a scheduler: for a run that has failed.
  static void stop_running() noexcept { g_running = nullptr; }

  // The rest is for fibers.

  /// Makes a fiber. Its name must outlive the run.
  [[nodiscard]] std::size_t spawn(const char* name, std::function<void()> body);
  void join(std::size_t fiber);

  /// A point at which others may run.
  void step(const char* what, const Site& site) {
    note(what, site);
    if (frozen_ != 0) return;
    if (pending_ != 0 && random_.one_in(drain_once_in_)) drain_somewhere();
    if (now_ >= next_deadline_ || random_.one_in(oddity_once_in_)) expire_or_disturb();
    const std::size_t next = strategy_.next(current_, runnable_);
    if (next != current_) change_to(next);
  }
  /// The same, for a loop that waits for others.
  void yield(const Site& site = Site::current());

  /// Sleeps until wake(on) or the deadline. `may_end_early`: also for no reason at all.
  Woken wait(const void* on, const char* what, const Site& site, Time deadline = kNever,
             bool may_end_early = false);
  /// Wakes all who sleep on it.
  void wake(const void* on) noexcept;
  /// Whether this fiber alone runs, whatever it does; see Freeze.
  [[nodiscard]] bool frozen() const noexcept { return frozen_ != 0; }

  // Stores that others do not see yet.
  void store(void* to, const void* value, std::size_t bytes) noexcept;
  [[nodiscard]] const void* buffered(const void* at) const noexcept {
    if ((pending_ & bit(current_)) == 0) return nullptr;
    return fibers_[current_].stores.find(at);
  }
  /// This fiber's stores become seen.
  void drain() noexcept { drain(current_); }
  /// Everybody's: what a membarrier does.
  void drain_all() noexcept {
    while (pending_ != 0) drain(static_cast<std::size_t>(std::countr_zero(pending_)));
  }
  /// The object that was stored to is about to end.
  void end_of_object(const void* at, const Site& site) noexcept;
  /// Stores when this fiber has made some more steps, or waits: a planted fault.
  void store_late(void* to, const void* value, std::size_t bytes) noexcept;

  /// Whether the light half of a barrier costs nothing, and the heavy half does the work of both.
  [[nodiscard]] bool asymmetric_barriers() const noexcept { return asymmetric_; }

  [[nodiscard]] Time now() noexcept { return now_ += kLookNs; }
  [[nodiscard]] Random& random() noexcept { return random_; }
  [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }

  /// The number of this fiber, which another may have when it was joined.
  [[nodiscard]] std::size_t current() const noexcept { return current_; }

  /// Whether memory for this fiber may be refused; see memory.h.
  [[nodiscard]] bool& memory_may_fail() noexcept { return fibers_[current_].memory_may_fail; }

  /// Prints what each fiber is doing, and the last steps.
  void describe() const noexcept;

 private:
  friend class Freeze;

  static constexpr Time kStepNs = 40;
  static constexpr Time kLookNs = 150;
  static constexpr std::size_t kLateSteps = 60;
  static constexpr std::size_t kTraceSteps = 32;

  enum class State : std::uint8_t { runnable, waiting, done };
  struct Step {
    std::uint64_t number = 0;
    const char* what = nullptr;
    Site site;
  };
  struct Fiber {
    Place place;
    State state = State::runnable;
    const char* name = "";
    StoreBuffer stores;
    // While it waits.
    const void* on = nullptr;
    Time deadline = kNever;
    bool may_end_early = false;
    Woken woken = Woken::by_other;
    bool memory_may_fail = false;
    // The last steps.
    std::array<Step, kTraceSteps> trace;
    std::size_t traced = 0;
    [[nodiscard]] const Step& last() const noexcept {
      return trace[(traced + kTraceSteps - 1) % kTraceSteps];
    }
  };
  struct Late {
    void* to = nullptr;
    std::size_t bytes = 0;
    std::size_t fiber = 0;
    std::size_t steps_left = 0;
    alignas(8) std::byte value[8] = {};
  };

  static constexpr FiberSet bit(std::size_t fiber) noexcept { return FiberSet{1} << fiber; }

  void trace(const char* what, const Site& site) noexcept {
    Fiber& self = fibers_[current_];
    self.trace[self.traced++ % kTraceSteps] = {steps_, what, site};
  }
  void note(const char* what, const Site& site) {
    trace(what, site);
    now_ += kStepNs;
    if (++steps_ > kStepsMax) give_up();
    if (late_.to != nullptr) count_late();
  }
  [[noreturn]] void give_up();
  void change_to(std::size_t next);
  void leave();
  std::size_t next_to_run();
  Place* end_of_fiber();
  void end_wait(std::size_t fiber, Woken how) noexcept;
  void expire(Time until) noexcept;
  void find_next_deadline() noexcept;
  void expire_or_disturb() noexcept;
  void drain(std::size_t fiber) noexcept {
    fibers_[fiber].stores.drain();
    pending_ &= ~bit(fiber);
  }
  void drain_somewhere() noexcept;
  void count_late() noexcept;
  void finish_late() noexcept;

  static Scheduler* g_running;

  StackPool& stacks_;
  Random random_;
  Strategy strategy_;
  std::array<Fiber, kFibersMax> fibers_;
  Place home_;
  std::size_t current_ = 0;
  FiberSet used_ = 0;
  FiberSet runnable_ = 0;
  FiberSet waiting_ = 0;
  FiberSet pending_ = 0;  // those with stores that others do not see
  int frozen_ = 0;
  Time now_ = Time{1'000'000'000'000};
  Time next_deadline_ = kNever;
  std::uint64_t steps_ = 0;
  Late late_;
  // What the seed has chosen for the whole run.
  bool buffers_stores_ = true;
  bool asymmetric_ = true;
  bool disturbs_ = false;
  std::size_t drain_once_in_ = 1;
  std::size_t oddity_once_in_ = 0;
};

/// While it lives, nobody else runs: for code of others that takes fibers of one thread for one.
class Freeze {
 public:
  Freeze() noexcept : scheduler_(Scheduler::running()) {
    if (scheduler_ != nullptr) ++scheduler_->frozen_;
  }
  Freeze(const Freeze&) = delete;
  Freeze& operator=(const Freeze&) = delete;
  ~Freeze() {
    if (scheduler_ != nullptr) --scheduler_->frozen_;
  }

 private:
  Scheduler* scheduler_;
};

/// While it lives, a failure says what it says, too.
class Explanation {
 public:
  explicit Explanation(std::function<void()> say) : say_(std::move(say)) { g_latest = this; }
  Explanation(const Explanation&) = delete;
  Explanation& operator=(const Explanation&) = delete;
  ~Explanation() { g_latest = nullptr; }
  static void say() {
    if (g_latest != nullptr) std::exchange(g_latest, nullptr)->say_();
  }

 private:
  static inline Explanation* g_latest = nullptr;
  std::function<void()> say_;
};

/// The run has failed: prints why, how to run it again, and what everybody was doing, and leaves.
[[noreturn]] void fail(const char* why, const Site& site = Site::current());

/// Fails unless the condition holds.
inline void require(bool condition, const char* otherwise, const Site& site = Site::current()) {
  if (!condition) [[unlikely]]
    fail(otherwise, site);
}

}  // namespace forebay::deterministic
