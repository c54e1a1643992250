// SPDX-License-Identifier: Apache-2.0
#pragma once

// Makes chosen system calls of the library fail. The linker puts these functions in the place of
// the C library's (--wrap), for everything that is linked into the test program.

#include <array>
#include <cstdint>

namespace forebay::test {

enum class Call : std::uint8_t {
  socket,
  connect,
  bind,
  listen,
  accept4,
  getsockopt,
  setsockopt,
  getsockname,
  ioctl,
  fchmod,
  open,
  fstat,
  lstat,
  unlink,
  flock,
  send,
  recv,
  read,
  ppoll,
  eventfd,
  // These take effect and fail all the same, as calls do that are interrupted late: the kernel
  // gives no reason to undo them.
  write,
  shutdown,
  close,
  futex_wait,
  membarrier,
};
inline constexpr std::array<const char*, 25> kCallNames = {
    "socket",      "connect", "bind",       "listen",    "accept4", "getsockopt", "setsockopt",
    "getsockname", "ioctl",   "fchmod",     "open",      "fstat",   "lstat",      "unlink",
    "flock",       "send",    "recv",       "read",      "ppoll",   "eventfd",    "write",
    "shutdown",    "close",   "futex_wait", "membarrier"};

/// While it lives, the `nth` call of this kind fails with `error`, counted from 0 over all threads.
class FailingCall {
 public:
  FailingCall(Call call, std::uint64_t nth, int error) noexcept;
  FailingCall(const FailingCall&) = delete;
  FailingCall& operator=(const FailingCall&) = delete;
  ~FailingCall();
  /// Whether it came to that call.
  [[nodiscard]] bool failed() const noexcept;
};

/// Calls made so far, by threads that are not exempt.
[[nodiscard]] std::uint64_t calls_made(Call call) noexcept;

/// While it lives, calls of this thread neither fail nor count: they are the test's own.
class ExemptThread {
 public:
  ExemptThread() noexcept;
  ExemptThread(const ExemptThread&) = delete;
  ExemptThread& operator=(const ExemptThread&) = delete;
  ~ExemptThread();
};

/// While it lives, whatever receives gets one byte at a time, and a quarter of the calls are
/// interrupted.
class ShortReads {
 public:
  ShortReads() noexcept;
  ShortReads(const ShortReads&) = delete;
  ShortReads& operator=(const ShortReads&) = delete;
  ~ShortReads();
};

}  // namespace forebay::test
