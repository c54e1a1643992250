// SPDX-License-Identifier: Apache-2.0
#pragma once

// Who receives: the reader, on its own thread when it has nothing to read, or a thread that
// receives ahead. The role is one token. What belongs to it (the partial block, the framing state,
// the producer's end of the ring) is plain data of whoever holds it.
//
// The reader lends the role to the thread and asks for it back; the thread gives it back between
// two system calls. The reader then empties the ring before it receives, since the thread's last
// slices come first.

#include <cstdint>

#include "forebay/detail/atomic.h"
#include "forebay/event_count.h"

namespace forebay::detail {

template <class P>
class RoleToken {
 public:
  // Reader.
  /// Whether the reader holds the role; when it does, all that the thread did with it is seen.
  [[nodiscard]] bool with_reader() const noexcept {
    // (T2) acquire load, synchronizes-with the release store (T4).
    return holder_.load(acquire) == kReader;
  }
  /// Lends the role, which the reader holds, to the thread.
  void lend() noexcept {
    recalled_.store(0, relaxed);  // Relaxed: published by (T1).
    // (T1) release store, synchronizes-with the acquire load (T3).
    holder_.store(kThread, release);
    thread_event_.notify();
  }
  /// Asks for the role; with_reader() tells when it has come.
  void recall() noexcept { recalled_.store(1, relaxed); }  // Relaxed: a wish, carries no data.

  // Thread.
  /// Waits for the role. False when quit() was called.
  [[nodiscard]] bool await() {
    thread_event_.await([this] {
      // (T3) acquire load, synchronizes-with the release store (T1).
      return holder_.load(acquire) == kThread || quit_.load(relaxed) != 0;
    });
    return quit_.load(relaxed) == 0;  // Relaxed: carries no data.
  }
  [[nodiscard]] bool recalled() const noexcept { return recalled_.load(relaxed) != 0; }
  [[nodiscard]] bool quitting() const noexcept { return quit_.load(relaxed) != 0; }
  /// Gives the role back. The caller then notifies the reader.
  void give_back() noexcept {
    // (T4) release store, synchronizes-with the acquire load (T2).
    holder_.store(kReader, release);
  }

  // Any thread.
  /// Makes the thread leave, whoever holds the role.
  void quit() noexcept {
    quit_.store(1, relaxed);  // Relaxed: carries no data; the event count orders the sleep.
    thread_event_.notify();
  }

 private:
  static constexpr std::uint32_t kReader = 0;
  static constexpr std::uint32_t kThread = 1;

  typename P::template atomic<std::uint32_t> holder_{kReader};
  typename P::template atomic<std::uint32_t> recalled_{0};
  typename P::template atomic<std::uint32_t> quit_{0};
  BasicEventCount<P> thread_event_{0};
};

}  // namespace forebay::detail
