// SPDX-License-Identifier: Apache-2.0
#pragma once

// ModelPolicy: the machine as Relacy plays it, behind the seam of forebay/detail/atomic.h.
//
// Atomics follow the C++11 memory model: a relaxed load may return an older value, and only acquire
// and release order anything. Cells and variables report races on plain data. A futex parks the
// model thread without giving any happens-before edge, so that nothing can lean on one: a wake that
// is lost is a deadlock, which Relacy detects; a wait with a deadline may time out at any point; a
// wait may return early for no reason. The two halves of the asymmetric barrier are both full
// fences here, unless a test asks for a membarrier: see Barriers.

#include <new>
#include <type_traits>

#include "forebay/detail/atomic.h"
#include "reduction.h"
#include "relacy.h"
#include "site.h"

namespace forebay::model {

inline rl::memory_order to_relacy(std::memory_order order) noexcept {
  switch (order) {
    case std::memory_order_relaxed:
      return rl::mo_relaxed;
    case std::memory_order_consume:
      return rl::mo_consume;
    case std::memory_order_acquire:
      return rl::mo_acquire;
    case std::memory_order_release:
      return rl::mo_release;
    case std::memory_order_acq_rel:
      return rl::mo_acq_rel;
    case std::memory_order_seq_cst:
      return rl::mo_seq_cst;
  }
  return rl::mo_relaxed;
}

/// The ordering of the failed half of a compare-and-swap whose whole has `order`.
inline std::memory_order failure_of(std::memory_order order) noexcept {
  if (order == std::memory_order_acq_rel) return std::memory_order_acquire;
  if (order == std::memory_order_release) return std::memory_order_relaxed;
  return order;
}

inline rl::debug_info info_of(const Site& site) noexcept {
  return rl::debug_info("", base_name(site.file_name()), site.line());
}

// Relacy prints values: enumerations are kept as their numbers, pointers without their type.
template <class T>
auto to_rep(T value) noexcept {
  if constexpr (std::is_enum_v<T>) {
    return static_cast<std::underlying_type_t<T>>(value);
  } else if constexpr (std::is_pointer_v<T>) {
    return const_cast<void*>(static_cast<const volatile void*>(value));
  } else {
    return value;
  }
}

/// std::atomic<T> as the templates use it; each operation also takes the line that called it.
template <class T>
class Atomic {
  using Rep = decltype(to_rep(T{}));

 public:
  Atomic() noexcept : Atomic(T{}) {}
  Atomic(T value) noexcept {
    // Nobody else has it yet.
    const rl::preemption_disabler whole(rl::ctx());
    touches_.note(true);
    value_.store(to_rep(value), rl::mo_relaxed, rl::debug_info());
  }
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;
  ~Atomic() { touches_.note(true); }

  T load(std::memory_order order, Site site = Site::current()) const {
    const std::memory_order now = order_at(order, "load", site);
    return static_cast<T>(
        touch(false, site, [&] { return value_.load(to_relacy(now), info_of(site)); }));
  }
  void store(T value, std::memory_order order, Site site = Site::current()) {
    const std::memory_order now = order_at(order, "store", site);
    touch(true, site, [&] { value_.store(to_rep(value), to_relacy(now), info_of(site)); });
  }
  T exchange(T value, std::memory_order order, Site site = Site::current()) {
    const std::memory_order now = order_at(order, "exchange", site);
    return static_cast<T>(touch(
        true, site, [&] { return value_.exchange(to_rep(value), to_relacy(now), info_of(site)); }));
  }
  template <class D>
  T fetch_add(D by, std::memory_order order, Site site = Site::current()) {
    const std::memory_order now = order_at(order, "fetch_add", site);
    return touch(true, site, [&] {
      return value_.fetch_add(static_cast<Rep>(by), to_relacy(now), info_of(site));
    });
  }
  template <class D>
  T fetch_sub(D by, std::memory_order order, Site site = Site::current()) {
    const std::memory_order now = order_at(order, "fetch_sub", site);
    return touch(true, site, [&] {
      return value_.fetch_sub(static_cast<Rep>(by), to_relacy(now), info_of(site));
    });
  }
  T fetch_or(T bits, std::memory_order order, Site site = Site::current()) {
    const std::memory_order now = order_at(order, "fetch_or", site);
    return touch(true, site, [&] { return value_.fetch_or(bits, to_relacy(now), info_of(site)); });
  }
  T fetch_and(T bits, std::memory_order order, Site site = Site::current()) {
    const std::memory_order now = order_at(order, "fetch_and", site);
    return touch(true, site, [&] { return value_.fetch_and(bits, to_relacy(now), info_of(site)); });
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                               std::memory_order failure, Site site = Site::current()) {
    return compare_exchange<false>(expected, desired, success, failure, site);
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order order,
                               Site site = Site::current()) {
    return compare_exchange<false>(expected, desired, order, failure_of(order), site);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                             std::memory_order failure, Site site = Site::current()) {
    return compare_exchange<true>(expected, desired, success, failure, site);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order order,
                             Site site = Site::current()) {
    return compare_exchange<true>(expected, desired, order, failure_of(order), site);
  }

  /// The newest value, outside of the memory model; fails the test when the object is gone.
  [[nodiscard]] T newest() const { return static_cast<T>(value_.debug_value()); }

 private:
  template <bool kMayFail>
  bool compare_exchange(T& expected, T desired, std::memory_order success,
                        std::memory_order failure, const Site& site) {
    const std::memory_order whole = order_at(success, "compare_exchange", site);
    // Also where the failed half alone has an ordering; never stronger than a weakened whole.
    if (failure != std::memory_order_relaxed) {
      failure = whole == success ? failure : failure_of(whole);
    }
    Rep rep = to_rep(expected);
    const bool done = touch(true, site, [&] {
      return value_.compare_exchange(rl::bool_t<kMayFail>(), rep, to_rep(desired), to_relacy(whole),
                                     to_relacy(failure), info_of(site));
    });
    expected = static_cast<T>(rep);
    return done;
  }

  // Without a preemption before it where that would make no difference.
  template <class Operation>
  auto touch(bool writes, const Site& site, Operation&& operation) const {
    if (!touches_.note(writes, site)) return operation();
    const rl::preemption_disabler whole(rl::ctx());
    return operation();
  }

  rl::atomic<Rep> value_;

 protected:
  mutable Touches touches_;
};

/// Plain data of the templates: a variable whose races are reported.
template <class T>
class Var {
 public:
  Var(T value = T{}) : value_(value) {}
  Var(const Var& other) : value_(static_cast<T>(other)) {}
  Var& operator=(const Var& other) { return *this = static_cast<T>(other); }
  Var& operator=(T value) {
    value_(rl::debug_info("", "plain store", 0)).store(value);
    return *this;
  }
  operator T() const { return value_(rl::debug_info("", "plain load", 0)).load(); }

 private:
  rl::var<T> value_;
};

/// detail::PlainCell with a variable beside the storage: putting and destroying write it, looking
/// reads it, so a side that touches a slot out of turn is a race or a wrong state.
template <class T>
class Cell {
 public:
  Cell() { full_ = 0; }

  template <class U>
  void put(U&& value) noexcept {
    RL_ASSERT(full_ == 0);
    full_ = 1;
    ::new (static_cast<void*>(storage_)) T(std::forward<U>(value));
  }
  T& ref() noexcept {
    RL_ASSERT(full_ == 1);
    return *std::launder(reinterpret_cast<T*>(storage_));
  }
  void destroy() noexcept {
    std::destroy_at(&ref());
    full_ = 0;
  }

 private:
  Var<int> full_;
  alignas(T) std::byte storage_[sizeof(T)];
};

class Mutex {
 public:
  void lock(Site site = Site::current()) { mutex_.lock(info_of(site)); }
  bool try_lock(Site site = Site::current()) { return mutex_.try_lock(info_of(site)); }
  void unlock(Site site = Site::current()) { mutex_.unlock(info_of(site)); }

 private:
  rl::mutex mutex_;
};

/// A 32-bit word on which model threads can sleep.
class FutexWord : public Atomic<std::uint32_t> {
 public:
  using Atomic::Atomic;

  /// As the kernel: the comparison and the falling asleep are one step, and so is a wake.
  bool wait(std::uint32_t expected, bool timed) {
    rl::context& context = rl::ctx();
    touches_.note(false);
    context.sched();
    if (newest() != expected) return true;
    RL_ASSERT(sleeper_count_ < kSleepersMax);
    const int self = context.current_thread();
    sleepers_[sleeper_count_++] = self;
    // Early returns only under the random search: the complete one would never end.
    const bool may_return_early = early_returns_left_ > 0 && context.is_random_sched();
    const rl::unpark_reason reason =
        context.park_current_thread(timed, may_return_early, false, info("futex wait"));
    if (reason == rl::unpark_reason_normal) return true;
    int kept = 0;
    for (int i = 0; i < sleeper_count_; ++i) {
      if (sleepers_[i] != self) sleepers_[kept++] = sleepers_[i];
    }
    sleeper_count_ = kept;
    if (reason == rl::unpark_reason_spurious) --early_returns_left_;
    return reason != rl::unpark_reason_timeout;
  }
  void wake() {
    rl::context& context = rl::ctx();
    touches_.note(true);
    context.sched();
    (void)newest();  // fails the test when the word is gone
    while (sleeper_count_ > 0) {
      context.unpark_thread(sleepers_[--sleeper_count_], false, info("futex wake"));
    }
  }

 private:
  static constexpr int kSleepersMax = 8;
  static rl::debug_info info(const char* what) { return rl::debug_info("", what, 0); }

  int sleepers_[kSleepersMax] = {};
  int sleeper_count_ = 0;
  int early_returns_left_ = 2;
};

/// How the machine of the model makes an asymmetric barrier.
enum class Barriers {
  fences,      ///< of two full fences
  membarrier,  ///< the heavy half runs a full fence on every thread, the light one does nothing
  none,        ///< not at all: P::asymmetric() is false
};
inline Barriers g_barriers = Barriers::fences;

struct ModelPolicy {
  template <class T>
  using atomic = Atomic<T>;
  template <class T>
  using cell = Cell<T>;
  template <class T>
  using var = Var<T>;
  using mutex = Mutex;
  using futex_word = FutexWord;

  static void light_barrier(Site site = Site::current()) {
    if (barrier_at("light_barrier", site)) fence(site);
  }
  static void heavy_barrier(Site site = Site::current()) {
    if (!barrier_at("heavy_barrier", site)) return;
    if (g_barriers == Barriers::membarrier) {
      rl::ctx().sched();
      rl::systemwide_fence(info_of(site));
    } else {
      fence(site);
    }
  }
  static void light_barrier(detail::Asymmetric, Site site = Site::current()) {
    if (barrier_at("light_barrier", site) && g_barriers != Barriers::membarrier) fence(site);
  }
  static bool asymmetric() { return g_barriers != Barriers::none; }
  static bool futex_wait(futex_word& word, std::uint32_t expected, Deadline deadline) {
    return word.wait(expected, !deadline.is_never());
  }
  static void futex_wake(futex_word& word) { word.wake(); }

  static constexpr bool kCanSpin = false;
  static void yield() { rl::yield(1, rl::debug_info("", "yield", 0)); }
  // As the machine's: no small number. What is before and after the threads is the first one's.
  static std::uintptr_t this_thread() {
    return 64 + (g_threads_run ? static_cast<std::uintptr_t>(rl::ctx().current_thread()) : 0);
  }

 private:
  static void fence(const Site& site) { rl::atomic_thread_fence(rl::mo_seq_cst, info_of(site)); }
};

/// Lets the other threads of the model run. For loops of a model that wait for something.
inline void yield() { ModelPolicy::yield(); }

/// Where one thread of a model waits until another has come to a point. What happened before open()
/// happens before the return of pass(). Sleeps rather than spins, which keeps the searches small.
class Gate {
 public:
  void open() {
    word_.store(1, std::memory_order_release);
    word_.wake();
  }
  void pass() {
    // A read-modify-write sees the newest value.
    while (word_.fetch_add(0u, std::memory_order_acquire) == 0) word_.wait(0, false);
  }

 private:
  FutexWord word_;
};

}  // namespace forebay::model
