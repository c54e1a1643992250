// SPDX-License-Identifier: Apache-2.0
#include "faults/system_calls.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdarg>

namespace forebay::test {

namespace {

constexpr std::uint8_t kNone = 255;
std::atomic<std::uint8_t> g_call{kNone};
std::atomic<std::uint64_t> g_nth{0};
std::atomic<int> g_error{0};
std::atomic<bool> g_failed{false};
std::atomic<bool> g_short_reads{false};
std::array<std::atomic<std::uint64_t>, kCallNames.size()> g_made{};
thread_local int t_exempt = 0;

// Counts the call, and says whether it is the one that fails; errno is set then.
bool fails(Call call) noexcept {
  if (t_exempt != 0) return false;
  const std::uint64_t before = g_made[static_cast<std::size_t>(call)].fetch_add(1);
  if (g_call.load() != static_cast<std::uint8_t>(call) || before != g_nth.load()) return false;
  g_failed = true;
  errno = g_error.load();
  return true;
}

// What a short read asks for; 0: it is interrupted.
std::size_t shortened(std::size_t size) noexcept {
  if (!g_short_reads.load() || t_exempt != 0) return size;
  thread_local unsigned calls = 0;
  if (++calls % 4 == 0) {
    errno = EINTR;
    return 0;
  }
  return std::min<std::size_t>(size, 1);
}

}  // namespace

FailingCall::FailingCall(Call call, std::uint64_t nth, int error) noexcept {
  g_failed = false;
  g_error = error;
  g_nth = calls_made(call) + nth;
  g_call = static_cast<std::uint8_t>(call);
}
FailingCall::~FailingCall() { g_call = kNone; }
bool FailingCall::failed() const noexcept { return g_failed; }

std::uint64_t calls_made(Call call) noexcept { return g_made[static_cast<std::size_t>(call)]; }

ExemptThread::ExemptThread() noexcept { ++t_exempt; }
ExemptThread::~ExemptThread() { --t_exempt; }

ShortReads::ShortReads() noexcept { g_short_reads = true; }
ShortReads::~ShortReads() { g_short_reads = false; }

}  // namespace forebay::test

using forebay::test::Call;
using forebay::test::fails;
using forebay::test::shortened;

extern "C" {

// The calls that fail instead of being made.
#define FOREBAY_WRAP(name, parameters, arguments) \
  int __real_##name parameters;                   \
  int __wrap_##name parameters { return fails(Call::name) ? -1 : __real_##name arguments; }
FOREBAY_WRAP(socket, (int family, int type, int protocol), (family, type, protocol))
FOREBAY_WRAP(bind, (int fd, const sockaddr* to, socklen_t size), (fd, to, size))
FOREBAY_WRAP(listen, (int fd, int backlog), (fd, backlog))
FOREBAY_WRAP(accept4, (int fd, sockaddr* from, socklen_t* size, int flags), (fd, from, size, flags))
FOREBAY_WRAP(getsockopt, (int fd, int level, int name, void* value, socklen_t* size),
             (fd, level, name, value, size))
FOREBAY_WRAP(setsockopt, (int fd, int level, int name, const void* value, socklen_t size),
             (fd, level, name, value, size))
FOREBAY_WRAP(getsockname, (int fd, sockaddr* to, socklen_t* size), (fd, to, size))
FOREBAY_WRAP(fchmod, (int fd, mode_t mode), (fd, mode))
FOREBAY_WRAP(fstat, (int fd, struct stat* status), (fd, status))
FOREBAY_WRAP(lstat, (const char* path, struct stat* status), (path, status))
FOREBAY_WRAP(unlink, (const char* path), (path))
FOREBAY_WRAP(flock, (int fd, int operation), (fd, operation))
FOREBAY_WRAP(ppoll, (pollfd * polled, nfds_t count, const timespec* timeout, const sigset_t* mask),
             (polled, count, timeout, mask))
FOREBAY_WRAP(eventfd, (unsigned value, int flags), (value, flags))
#undef FOREBAY_WRAP

int __real_connect(int fd, const sockaddr* to, socklen_t size);
int __wrap_connect(int fd, const sockaddr* to, socklen_t size) {
  if (!fails(Call::connect)) return __real_connect(fd, to, size);
  // tcp(7): an interrupted connect goes on.
  if (errno == EINTR && to->sa_family != AF_UNIX) {
    (void)__real_connect(fd, to, size);
    errno = EINTR;
  }
  return -1;
}
int __real_ioctl(int fd, unsigned long request, void* argument);
int __wrap_ioctl(int fd, unsigned long request, void* argument) {
  return fails(Call::ioctl) ? -1 : __real_ioctl(fd, request, argument);
}
int __real_open(const char* path, int flags, mode_t mode);
int __wrap_open(const char* path, int flags, mode_t mode) {
  return fails(Call::open) ? -1 : __real_open(path, flags, mode);
}

ssize_t __real_send(int fd, const void* bytes, size_t size, int flags);
ssize_t __wrap_send(int fd, const void* bytes, size_t size, int flags) {
  return fails(Call::send) ? -1 : __real_send(fd, bytes, size, flags);
}
ssize_t __real_recv(int fd, void* bytes, size_t size, int flags);
ssize_t __wrap_recv(int fd, void* bytes, size_t size, int flags) {
  if (fails(Call::recv)) return -1;
  const size_t asked = shortened(size);
  return asked == 0 && size != 0 ? -1 : __real_recv(fd, bytes, asked, flags);
}
ssize_t __real_read(int fd, void* bytes, size_t size);
ssize_t __wrap_read(int fd, void* bytes, size_t size) {
  if (fails(Call::read)) return -1;
  const size_t asked = shortened(size);
  return asked == 0 && size != 0 ? -1 : __real_read(fd, bytes, asked);
}

// The calls that take effect all the same.
ssize_t __real_write(int fd, const void* bytes, size_t size);
ssize_t __wrap_write(int fd, const void* bytes, size_t size) {
  const ssize_t result = __real_write(fd, bytes, size);
  return fails(Call::write) ? -1 : result;
}
int __real_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how) {
  const int result = __real_shutdown(fd, how);
  return fails(Call::shutdown) ? -1 : result;
}
int __real_close(int fd);
int __wrap_close(int fd) {
  const int result = __real_close(fd);
  return fails(Call::close) ? -1 : result;
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long arguments[6];
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  if (number == SYS_futex && (arguments[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET &&
      fails(Call::futex_wait)) {
    return -1;
  }
  if (number == SYS_membarrier && arguments[0] == MEMBARRIER_CMD_PRIVATE_EXPEDITED &&
      fails(Call::membarrier)) {
    return -1;
  }
  return __real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                        arguments[4], arguments[5]);
}

}  // extern "C"
