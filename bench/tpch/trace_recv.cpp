// SPDX-License-Identifier: Apache-2.0

// recv() of this program: the system call, seen in the timeline. The library keeps no timeline of
// its own, and whoever receives calls recv(): all modes alike, on whatever thread. The linker takes
// this definition before the one of the C library.

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "tpch/trace.h"

extern "C" ssize_t recv(int descriptor, void* out, std::size_t size, int flags) {
  tpch::Span span("recv");
  const long got = syscall(SYS_recvfrom, descriptor, out, size, flags, nullptr, nullptr);
  span.count(got > 0 ? static_cast<std::uint64_t>(got) : 0);
  return got;
}
