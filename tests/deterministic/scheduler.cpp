// SPDX-License-Identifier: Apache-2.0
#include "scheduler.h"

#include <bit>
#include <cstdio>
#include <cstring>
#include <exception>
#include <utility>

#include "memory.h"

namespace forebay::deterministic {

Scheduler* Scheduler::g_running = nullptr;

Scheduler::Scheduler(StackPool& stacks, std::uint64_t seed)
    : stacks_(stacks), random_(seed), strategy_(random_) {
  buffers_stores_ = !random_.one_in(8);
  asymmetric_ = !random_.one_in(4);
  drain_once_in_ = std::size_t{1} << random_.below(8);
  disturbs_ = random_.one_in(2);
  if (!random_.one_in(3)) oddity_once_in_ = std::size_t{64} << random_.below(4);
}

Scheduler::~Scheduler() { g_running = nullptr; }

void Scheduler::run(std::function<void()> body) {
  g_running = this;
  current_ = spawn("main", std::move(body));
  go(home_, fibers_[current_].place);
  g_running = nullptr;
}

std::size_t Scheduler::spawn(const char* name, std::function<void()> body) {
  if (used_ != 0) drain();
  require(~used_ != 0, "more fibers than the scheduler has room for");
  const auto fiber = static_cast<std::size_t>(std::countr_one(used_));
  used_ |= bit(fiber);
  Fiber& made = fibers_[fiber];
  made.name = name;
  made.state = State::runnable;
  made.traced = 0;
  runnable_ |= bit(fiber);
  const Untracked untracked;
  start(made.place, stacks_, [this, body = std::move(body)]() mutable -> Place* {
    try {
      body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "an exception left a fiber: %s\n", error.what());
      fail("an exception left a fiber");
    }
    body = nullptr;
    return end_of_fiber();
  });
  return fiber;
}

void Scheduler::join(std::size_t fiber) {
  step("join", Site::current());
  while (fibers_[fiber].state != State::done) wait(&fibers_[fiber], "join", Site::current());
  used_ &= ~bit(fiber);  // Its place is free for another.
  drain();
}

void Scheduler::yield(const Site& site) {
  note("yield", site);
  if (frozen_ != 0) return;
  drain();
  strategy_.lower(current_);
  if (now_ >= next_deadline_) expire(now_);
  change_to(strategy_.other(runnable_));
}

Woken Scheduler::wait(const void* on, const char* what, const Site& site, Time deadline,
                      bool may_end_early) {
  require(frozen_ == 0, "a fiber waits where nobody else can run", site);
  Fiber& self = fibers_[current_];
  finish_late();
  drain();
  trace(what, site);
  self.on = on;
  self.deadline = deadline;
  self.may_end_early = may_end_early;
  self.state = State::waiting;
  runnable_ &= ~bit(current_);
  waiting_ |= bit(current_);
  next_deadline_ = std::min(next_deadline_, deadline);
  change_to(next_to_run());
  return self.woken;
}

void Scheduler::wake(const void* on) noexcept {
  for (FiberSet rest = waiting_; rest != 0; rest &= rest - 1) {
    const auto fiber = static_cast<std::size_t>(std::countr_zero(rest));
    if (fibers_[fiber].on == on) end_wait(fiber, Woken::by_other);
  }
}

void Scheduler::end_wait(std::size_t fiber, Woken how) noexcept {
  Fiber& waiter = fibers_[fiber];
  waiter.state = State::runnable;
  waiter.woken = how;
  waiter.on = nullptr;
  waiter.deadline = kNever;
  waiting_ &= ~bit(fiber);
  runnable_ |= bit(fiber);
}

// Somebody who can run; time goes on until there is one.
std::size_t Scheduler::next_to_run() {
  if (runnable_ == 0) {
    find_next_deadline();
    if (next_deadline_ == kNever) fail("every fiber waits for another: a deadlock");
    expire(next_deadline_);
  }
  return strategy_.other(runnable_);
}

void Scheduler::change_to(std::size_t next) {
  if (next == current_) return;
  Fiber& from = fibers_[current_];
  current_ = next;
  go(from.place, fibers_[next].place);
}

Place* Scheduler::end_of_fiber() {
  finish_late();
  drain();
  Fiber& self = fibers_[current_];
  self.state = State::done;
  runnable_ &= ~bit(current_);
  wake(&self);
  if (runnable_ == 0 && waiting_ == 0) return &home_;
  current_ = next_to_run();
  return &fibers_[current_].place;
}

// --- Time ----------------------------------------------------------------------------------------

void Scheduler::expire(Time until) noexcept {
  now_ = std::max(now_, until);
  for (FiberSet rest = waiting_; rest != 0; rest &= rest - 1) {
    const auto fiber = static_cast<std::size_t>(std::countr_zero(rest));
    if (fibers_[fiber].deadline <= now_) end_wait(fiber, Woken::by_deadline);
  }
  find_next_deadline();
}

void Scheduler::find_next_deadline() noexcept {
  next_deadline_ = kNever;
  for (FiberSet rest = waiting_; rest != 0; rest &= rest - 1) {
    const auto fiber = static_cast<std::size_t>(std::countr_zero(rest));
    next_deadline_ = std::min(next_deadline_, fibers_[fiber].deadline);
  }
}

// A deadline passes because it is due or because this machine was busy elsewhere; or a wait ends
// for no reason, as those on a futex may.
void Scheduler::expire_or_disturb() noexcept {
  if (now_ >= next_deadline_) {
    expire(now_);
    return;
  }
  FiberSet early = 0;
  for (FiberSet rest = waiting_; rest != 0; rest &= rest - 1) {
    const auto fiber = static_cast<std::size_t>(std::countr_zero(rest));
    if (fibers_[fiber].may_end_early) early |= bit(fiber);
  }
  if (disturbs_ && early != 0 && random_.one_in(2)) {
    end_wait(pick(early, random_), Woken::by_other);
  } else {
    find_next_deadline();
    if (next_deadline_ != kNever) expire(next_deadline_);
  }
}

// --- Stores --------------------------------------------------------------------------------------

void Scheduler::store(void* to, const void* value, std::size_t bytes) noexcept {
  if (buffers_stores_) {
    fibers_[current_].stores.put(to, value, bytes);
    pending_ |= bit(current_);
  } else {
    std::memcpy(to, value, bytes);
  }
}

void Scheduler::drain_somewhere() noexcept {
  const std::size_t fiber = pick(pending_, random_);
  StoreBuffer& stores = fibers_[fiber].stores;
  stores.drain_one();
  if (stores.empty()) pending_ &= ~bit(fiber);
}

void Scheduler::end_of_object(const void* at, const Site& site) noexcept {
  if (pending_ == 0) return;
  if (buffered(at) != nullptr) drain();
  for (FiberSet rest = pending_ & ~bit(current_); rest != 0; rest &= rest - 1) {
    const auto fiber = static_cast<std::size_t>(std::countr_zero(rest));
    require(fibers_[fiber].stores.find(at) == nullptr,
            "an object ends while a store to it is on its way", site);
  }
}

void Scheduler::store_late(void* to, const void* value, std::size_t bytes) noexcept {
  finish_late();
  late_ = {.to = to, .bytes = bytes, .fiber = current_, .steps_left = kLateSteps};
  std::memcpy(late_.value, value, bytes);
}

void Scheduler::count_late() noexcept {
  if (late_.fiber == current_ && --late_.steps_left == 0) finish_late();
}

void Scheduler::finish_late() noexcept {
  if (late_.to == nullptr || late_.fiber != current_) return;
  std::memcpy(late_.to, late_.value, late_.bytes);
  late_ = {};
}

// --- Reports -------------------------------------------------------------------------------------

void Scheduler::give_up() { fail("the run does not come to an end"); }

void Scheduler::describe() const noexcept {
  static constexpr const char* kStates[] = {"runnable", "waiting", "done"};
  const auto print = [](const Fiber& fiber, const Step& step) {
    std::fprintf(stderr, "%8llu  %-12s %-18s %s:%u\n", static_cast<unsigned long long>(step.number),
                 fiber.name, step.what, step.site.file(), step.site.line());
  };
  std::fprintf(stderr, "the last steps of each fiber:\n");
  // Those of all fibers, in their order.
  std::array<std::size_t, kFibersMax> at{};
  for (std::size_t i = 0; i < kFibersMax; ++i) {
    const std::size_t traced = fibers_[i].traced;
    at[i] = (used_ & bit(i)) == 0 ? traced : traced - std::min(traced, kTraceSteps);
  }
  for (;;) {
    const Fiber* next = nullptr;
    std::size_t* at_next = nullptr;
    for (std::size_t i = 0; i < kFibersMax; ++i) {
      const Fiber& one = fibers_[i];
      if (at[i] == one.traced) continue;
      if (next != nullptr &&
          one.trace[at[i] % kTraceSteps].number >= next->trace[*at_next % kTraceSteps].number) {
        continue;
      }
      next = &one;
      at_next = &at[i];
    }
    if (next == nullptr) break;
    print(*next, next->trace[(*at_next)++ % kTraceSteps]);
  }
  std::fprintf(stderr, "the fibers:\n");
  for (std::size_t i = 0; i < kFibersMax; ++i) {
    const Fiber& fiber = fibers_[i];
    if ((used_ & bit(i)) == 0 || fiber.traced == 0) continue;
    std::fprintf(stderr, "%c %-12s %-9s %-18s %s:%u%s%s\n", i == current_ ? '*' : ' ', fiber.name,
                 kStates[static_cast<int>(fiber.state)], fiber.last().what,
                 fiber.last().site.file(), fiber.last().site.line(),
                 fiber.deadline != kNever ? ", with a deadline" : "",
                 fiber.stores.empty() ? "" : ", with stores on their way");
  }
}

}  // namespace forebay::deterministic
