// SPDX-License-Identifier: Apache-2.0
#pragma once

// Turn: one end of a stream, for several Python threads one after the other.
//
// The interpreter's lock keeps calls apart that never let it go. A call that does takes the turn
// first, and every other call on that end looks whether it is taken. A thread that has the turn may
// run Python code in between, a signal handler or a finalizer: that code cannot have it as well.

#include <condition_variable>
#include <mutex>
#include <thread>

#include "python.h"

namespace forebay::python {

class Turn {
 public:
  /// Whether a thread has it that may have let the interpreter's lock go. That lock is held.
  [[nodiscard]] bool taken() const noexcept { return taken_; }

  /// Takes it. False when that was not to be had before the deadline. The interpreter's lock is
  /// held, and let go while waiting. Throws nb::python_error when a signal handler raised, and with
  /// RuntimeError when this thread has it.
  [[nodiscard]] bool take(Deadline deadline) {
    while (taken_) {
      if (owner_ == std::this_thread::get_id()) {
        PyErr_SetString(PyExc_RuntimeError,
                        "a call on this side of the stream goes on in this thread: a signal "
                        "handler may cancel() the stream, and not use it");
        throw nb::python_error();
      }
      if (deadline.passed()) return false;
      const Deadline until = next_look_at_signals(deadline);
      without_lock([&] {
        std::unique_lock lock(mutex_);
        const auto is_free = [&] { return !taken_; };
        if (until.is_never()) {
          changed_.wait(lock, is_free);
        } else {
          changed_.wait_until(lock, until.when(), is_free);
        }
        return true;
      });
      look_at_signals();
    }
    owner_ = std::this_thread::get_id();
    set(true);
    return true;
  }

  void give_back() noexcept {
    set(false);
    changed_.notify_one();
  }

 private:
  // Under the interpreter's lock for who looks with that, under the mutex for who waits.
  void set(bool taken) noexcept {
    const std::scoped_lock lock(mutex_);
    taken_ = taken;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool taken_ = false;
  std::thread::id owner_;  // while taken; under the interpreter's lock
};

/// Has the turn while it lives; made by who took it.
class TurnTaken {
 public:
  explicit TurnTaken(Turn& turn) noexcept : turn_(turn) {}
  TurnTaken(const TurnTaken&) = delete;
  TurnTaken& operator=(const TurnTaken&) = delete;
  ~TurnTaken() { turn_.give_back(); }

 private:
  Turn& turn_;
};

}  // namespace forebay::python
