// SPDX-License-Identifier: Apache-2.0
#include "forebay/socket/detail/ready.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <system_error>

#include "forebay/error.h"

namespace forebay::socket::detail {

Interrupt::Interrupt() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!event_) throw std::system_error(errno, std::system_category(), "eventfd");
}

void Interrupt::raise() noexcept {
  const std::uint64_t one = 1;
  // The only failure is a full counter, which is raised already.
  [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof one);
}

WaitStatus wait_ready(int descriptor, short events, Deadline deadline, const std::stop_token& stop,
                      const Interrupt* interrupt) {
  std::optional<Interrupt> on_stop;
  if (stop.stop_possible()) on_stop.emplace();
  const auto raise = [&on_stop] { on_stop->raise(); };
  std::optional<std::stop_callback<decltype(raise)>> callback;
  if (on_stop) callback.emplace(stop, raise);

  // poll(2) passes over negative descriptors.
  pollfd waited[3] = {{descriptor, events, 0},
                      {interrupt != nullptr ? interrupt->descriptor() : -1, POLLIN, 0},
                      {on_stop ? on_stop->descriptor() : -1, POLLIN, 0}};
  for (;;) {
    timespec left{};
    const timespec* timeout = nullptr;
    if (!deadline.is_never()) {
      const auto now = Deadline::clock::now();
      // Compared before it is subtracted, since a deadline may be at either end of the clock.
      const std::chrono::nanoseconds ns =
          deadline.when() > now ? deadline.when() - now : std::chrono::nanoseconds(0);
      left.tv_sec = static_cast<time_t>(ns.count() / 1'000'000'000);
      left.tv_nsec = static_cast<long>(ns.count() % 1'000'000'000);
      timeout = &left;
    }
    const int count = ::ppoll(waited, 3, timeout, nullptr);
    if (count < 0) {
      if (errno == EINTR) continue;
      throw std::system_error(errno, std::system_category(), "poll");
    }
    if (waited[0].revents != 0) return WaitStatus::ready;
    if (waited[1].revents != 0 || waited[2].revents != 0) return WaitStatus::stopped;
    if (count == 0 && deadline.passed()) return WaitStatus::timed_out;
  }
}

void wait_ready_or_throw(int descriptor, short events, Deadline deadline,
                         const std::stop_token& stop, const char* what) {
  switch (wait_ready(descriptor, events, deadline, stop, nullptr)) {
    case WaitStatus::timed_out:
      throw DeadlineExceeded(what);
    case WaitStatus::stopped:
      throw Cancelled(std::string("stopped while waiting to ") + what);
    case WaitStatus::ready:
      return;
  }
}

}  // namespace forebay::socket::detail
