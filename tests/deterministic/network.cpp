// SPDX-License-Identifier: Apache-2.0
#include "network.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace forebay::deterministic {

namespace {

Scheduler& scheduler() { return *Scheduler::running(); }
bool one_in(std::size_t count) { return scheduler().random().one_in(count); }

int failed(int error) noexcept {
  errno = error;
  return -1;
}

}  // namespace

Network::Network(const Hardships& hardships) noexcept : hardships_(hardships) { g_current = this; }
Network::~Network() { g_current = nullptr; }

std::size_t Network::open_descriptors() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(),
                    [](const Entry& entry) { return entry.kind != Kind::none; }));
}

Network::Entry& Network::entry(int descriptor) {
  Entry& found = entries_[static_cast<std::size_t>(descriptor - kFirst)];
  require(found.kind != Kind::none, "a descriptor was used after it was closed");
  return found;
}

int Network::put(Entry made) {
  for (std::size_t i = 0; i < kDescriptorsMax; ++i) {
    if (entries_[i].kind != Kind::none) continue;
    entries_[i] = made;
    return kFirst + static_cast<int>(i);
  }
  return failed(EMFILE);
}

int Network::connect(std::span<const std::byte> bytes, bool is_socket) {
  return put({.kind = is_socket ? Kind::socket : Kind::pipe, .bytes = bytes});
}

bool Network::send_some(int descriptor, std::size_t bytes) {
  scheduler().step("send", Site::current());
  // The receiver may have closed its end.
  Entry& to = entries_[static_cast<std::size_t>(descriptor - kFirst)];
  if (to.kind == Kind::none || to.shut_down) return false;
  to.sent = std::min(to.bytes.size(), to.sent + bytes);
  changed();
  return to.sent < to.bytes.size();
}

void Network::hang_up(int descriptor, int error) {
  scheduler().step("hang up", Site::current());
  Entry& to = entries_[static_cast<std::size_t>(descriptor - kFirst)];
  if (to.kind == Kind::none) return;
  to.hung_up = true;
  to.error = error;
  changed();
}

bool Network::readable(const Entry& entry) noexcept {
  if (entry.kind == Kind::event) return entry.raised != 0;
  return entry.sent > entry.received || entry.hung_up || entry.shut_down;
}

void Network::changed() noexcept { scheduler().wake(this); }

long Network::take(Entry& from, std::byte* to, std::size_t size) noexcept {
  size = std::min(size, from.sent - from.received);
  if (size > 1 && one_in(hardships_.short_once_in)) size = scheduler().random().up_to(size);
  if (size != 0) std::memcpy(to, from.bytes.data() + from.received, size);
  from.received += size;
  return static_cast<long>(size);
}

long Network::receive(int descriptor, std::byte* to, std::size_t size, int flags,
                      const Site& site) {
  scheduler().step("receive", site);
  scheduler().drain();
  Entry& from = entry(descriptor);
  if (one_in(hardships_.interrupted_once_in)) return failed(EINTR);
  const bool whole = (flags & MSG_WAITALL) != 0;
  if ((flags & MSG_DONTWAIT) != 0 || from.kind == Kind::pipe) {
    if (one_in(hardships_.not_ready_once_in)) return failed(EAGAIN);
    // Only sockets know MSG_DONTWAIT; the library asks poll() before it reads from a pipe.
    require(readable(from) || from.kind == Kind::socket, "a pipe is read that has nothing", site);
    if (!readable(from)) return failed(EAGAIN);
  }
  long done = 0;
  for (;;) {
    while (!readable(from)) {
      scheduler().wait(this, "receive", site);
      // A signal may end the wait.
      if (!readable(from) && one_in(hardships_.interrupted_once_in)) {
        return done != 0 ? done : failed(EINTR);
      }
    }
    if (from.sent == from.received) break;
    const std::size_t wanted = size - static_cast<std::size_t>(done);
    done += take(from, to + done, wanted);
    if (!whole || static_cast<std::size_t>(done) == size) return done;
  }
  if (done != 0) return done;
  if (from.error != 0 && !from.shut_down) return failed(from.error);
  return 0;
}

int Network::make_event() {
  scheduler().step("eventfd", Site::current());
  if (one_in(hardships_.descriptor_once_in)) return failed(EMFILE);
  return put({.kind = Kind::event});
}

long Network::write_event(int descriptor) {
  scheduler().step("write", Site::current());
  scheduler().drain();
  ++entry(descriptor).raised;
  changed();
  return static_cast<long>(sizeof(std::uint64_t));
}

int Network::poll(pollfd* descriptors, std::size_t count, Time deadline) {
  const Site site = Site::current();
  scheduler().step("poll", site);
  scheduler().drain();
  if (one_in(hardships_.interrupted_once_in)) return failed(EINTR);
  if (one_in(hardships_.poll_refused_once_in)) return failed(ENOMEM);
  for (;;) {
    int ready = 0;
    for (std::size_t i = 0; i < count; ++i) {
      descriptors[i].revents = 0;
      if (descriptors[i].fd < 0) continue;
      if (readable(entry(descriptors[i].fd))) descriptors[i].revents = POLLIN;
      ready += descriptors[i].revents != 0 ? 1 : 0;
    }
    if (ready != 0) return ready;
    if (scheduler().now() >= deadline) return 0;
    scheduler().wait(this, "poll", site, deadline);
  }
}

int Network::shut_down(int descriptor) {
  scheduler().step("shutdown", Site::current());
  entry(descriptor).shut_down = true;
  changed();
  return 0;
}

int Network::type_of(int descriptor) {
  return entry(descriptor).kind == Kind::socket ? 0 : failed(ENOTSOCK);
}

int Network::close(int descriptor) {
  scheduler().step("close", Site::current());
  entry(descriptor) = {};
  return 0;
}

}  // namespace forebay::deterministic

// --- What the linker calls instead ---------------------------------------------------------------

using forebay::deterministic::Network;
using forebay::deterministic::Scheduler;
using forebay::deterministic::Site;
using forebay::deterministic::Time;

namespace {
bool ours(int descriptor) {
  return Network::current() != nullptr && Network::current()->has(descriptor);
}
}  // namespace

extern "C" {

ssize_t __real_recv(int descriptor, void* to, size_t size, int flags);
ssize_t __real_read(int descriptor, void* to, size_t size);
ssize_t __real_write(int descriptor, const void* from, size_t size);
int __real_eventfd(unsigned initial, int flags);
int __real_ppoll(pollfd* descriptors, nfds_t count, const timespec* timeout, const sigset_t* mask);
int __real_shutdown(int descriptor, int how);
int __real_getsockopt(int descriptor, int level, int name, void* value, socklen_t* size);
int __real_close(int descriptor);

ssize_t __wrap_recv(int descriptor, void* to, size_t size, int flags) {
  if (!ours(descriptor)) return __real_recv(descriptor, to, size, flags);
  return Network::current()->receive(descriptor, static_cast<std::byte*>(to), size, flags,
                                     Site::current());
}

ssize_t __wrap_read(int descriptor, void* to, size_t size) {
  if (!ours(descriptor)) return __real_read(descriptor, to, size);
  return Network::current()->receive(descriptor, static_cast<std::byte*>(to), size, 0,
                                     Site::current());
}

ssize_t __wrap_write(int descriptor, const void* from, size_t size) {
  if (!ours(descriptor)) return __real_write(descriptor, from, size);
  return Network::current()->write_event(descriptor);
}

int __wrap_eventfd(unsigned initial, int flags) {
  if (Network::current() == nullptr) return __real_eventfd(initial, flags);
  return Network::current()->make_event();
}

int __wrap_ppoll(pollfd* descriptors, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  if (Network::current() == nullptr) return __real_ppoll(descriptors, count, timeout, mask);
  Time deadline = forebay::deterministic::kNever;
  if (timeout != nullptr) {
    const Time wait = timeout->tv_sec * Time{1'000'000'000} + timeout->tv_nsec;
    const Time now = Scheduler::running()->now();
    if (wait < forebay::deterministic::kNever - now) deadline = now + wait;
  }
  return Network::current()->poll(descriptors, count, deadline);
}

int __wrap_shutdown(int descriptor, int how) {
  if (!ours(descriptor)) return __real_shutdown(descriptor, how);
  return Network::current()->shut_down(descriptor);
}

int __wrap_getsockopt(int descriptor, int level, int name, void* value, socklen_t* size) {
  if (!ours(descriptor)) return __real_getsockopt(descriptor, level, name, value, size);
  return Network::current()->type_of(descriptor);
}

int __wrap_close(int descriptor) {
  if (!ours(descriptor)) return __real_close(descriptor);
  return Network::current()->close(descriptor);
}

int __wrap_sched_yield() {
  if (Scheduler* const scheduler = Scheduler::running()) scheduler->yield();
  return 0;
}
}
