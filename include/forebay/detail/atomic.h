// SPDX-License-Identifier: Apache-2.0
#pragma once

// The seam between the lock-free core and the world it runs in.
//
// Every template of the core takes a policy P that names its atomics, its plain cells, its barriers
// and its futex. SystemPolicy is the machine; the model tests supply one for Relacy, so that what
// is checked is what is shipped. This is the only header that names std::atomic, and the only place
// where a fence may stand.
//
// FOREBAY_POLICY_HEADER is for the tests of this project alone: they compile the library's bodies
// once more in a world of their own, and that header then defines SystemPolicy. A program that
// defines it does not link with a library that was built without it.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

#include "forebay/deadline.h"
#include "forebay/detail/futex.h"

#if defined(__SANITIZE_THREAD__)
#define FOREBAY_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FOREBAY_THREAD_SANITIZER 1
#endif
#endif
#ifndef FOREBAY_THREAD_SANITIZER
#define FOREBAY_THREAD_SANITIZER 0
#endif

namespace forebay::detail {

using Order = std::memory_order;
inline constexpr Order relaxed = std::memory_order_relaxed;
inline constexpr Order acquire = std::memory_order_acquire;
inline constexpr Order release = std::memory_order_release;
inline constexpr Order acq_rel = std::memory_order_acq_rel;

/// Bytes that two threads must not share when both write: a pair of lines, since the adjacent-line
/// prefetcher of x86 moves lines in pairs.
inline constexpr std::size_t kInterferenceBytes = 128;

/// Raw storage for one T: what the queue keeps in a slot. The checker's twin of it reports races.
template <class T>
class PlainCell {
 public:
  /// Moves or copies straight into the slot.
  template <class U>
  void put(U&& value) noexcept {
    ::new (static_cast<void*>(storage_)) T(std::forward<U>(value));
  }
  T& ref() noexcept { return *std::launder(reinterpret_cast<T*>(storage_)); }
  void destroy() noexcept { std::destroy_at(&ref()); }

 private:
  alignas(T) std::byte storage_[sizeof(T)];
};

/// Says that P::asymmetric() is known to hold.
struct Asymmetric {};
inline constexpr Asymmetric kAsymmetric;

}  // namespace forebay::detail

#ifdef FOREBAY_POLICY_HEADER
#include FOREBAY_POLICY_HEADER
#else

namespace forebay::detail {

struct SystemPolicy {
  template <class T>
  using atomic = std::atomic<T>;
  template <class T>
  using cell = PlainCell<T>;
  using mutex = std::mutex;
  using thread = std::thread;
  using futex_word = std::atomic<std::uint32_t>;

  /// Pairs with heavy_barrier() of another thread as two seq_cst fences would; nearly free.
  static void light_barrier() noexcept {
    if (asymmetric_barriers()) {
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      fence();
    }
  }

  /// Whether the light barrier is free, and the heavy one a system call.
  static bool asymmetric() noexcept { return asymmetric_barriers(); }
  static void light_barrier(Asymmetric) noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }

  /// The expensive half: membarrier where the kernel has it, a fence where it has not.
  static void heavy_barrier() noexcept {
    if (asymmetric_barriers()) {
      process_barrier();
    } else {
      fence();
    }
  }

  /// Sleeps while `word` holds `expected`. False when the deadline passed; may return early.
  static bool futex_wait(futex_word& word, std::uint32_t expected, Deadline deadline) noexcept {
    return detail::futex_wait(reinterpret_cast<const std::uint32_t*>(&word), expected, deadline);
  }
  static void futex_wake(futex_word& word) noexcept {
    detail::futex_wake(reinterpret_cast<const std::uint32_t*>(&word));
  }

  static constexpr bool kCanSpin = true;
  static void yield() noexcept { std::this_thread::yield(); }

  /// A number of the calling thread, 64 or more. It may be used again by a thread that begins after
  /// this one has ended: the C library hands on the memory of a thread, which the number is the
  /// address of, as it does with the stack.
  static std::uintptr_t this_thread() noexcept {
    return reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
  }

 private:
  // ThreadSanitizer does not understand fences; a read-modify-write is one that it does.
  static void fence() noexcept {
#if FOREBAY_THREAD_SANITIZER
    static std::atomic<std::uint32_t> word{0};
    word.fetch_add(1, std::memory_order_acq_rel);
#else
    std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
  }
};

static_assert(sizeof(SystemPolicy::futex_word) == sizeof(std::uint32_t) &&
              SystemPolicy::futex_word::is_always_lock_free);

}  // namespace forebay::detail

#endif
