// SPDX-License-Identifier: Apache-2.0
#pragma once

// Waiting for a descriptor. A futex cannot interrupt a system call, so a wait that something may
// have to end polls the descriptor together with an eventfd.

#include <cstdint>
#include <stop_token>

#include "forebay/deadline.h"
#include "forebay/event_count.h"
#include "forebay/socket/descriptor.h"

namespace forebay::socket::detail {

/// Ends waits from any thread; sticky until cleared.
class Interrupt {
 public:
  /// Throws std::system_error when no eventfd can be had.
  Interrupt();
  [[nodiscard]] int descriptor() const noexcept { return event_.get(); }
  /// Thread role: any.
  void raise() noexcept;

 private:
  Descriptor event_;
};

/// Waits until `events` (of poll(2)) or an error are there on the descriptor: ready; the deadline:
/// timed_out; a stop request, or `interrupt` (may be null) was raised: stopped. Throws
/// std::system_error.
[[nodiscard]] WaitStatus wait_ready(int descriptor, short events, Deadline deadline,
                                    const std::stop_token& stop, const Interrupt* interrupt);

/// The same for calls that throw DeadlineExceeded and Cancelled; `what` says what was waited for.
void wait_ready_or_throw(int descriptor, short events, Deadline deadline,
                         const std::stop_token& stop, const char* what);

}  // namespace forebay::socket::detail
