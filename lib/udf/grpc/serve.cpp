// SPDX-License-Identifier: Apache-2.0
#include "serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <thread>

#include "forebay/grpc/server.h"
#include "forebay/socket/descriptor.h"
#include "function_session.h"
#include "log.h"

namespace forebay::udf {

namespace {

using socket::Descriptor;

[[noreturn]] void raise_errno(const char* what) {
  throw std::system_error(errno, std::system_category(), what);
}

// Of this thread and of all that it starts.
Descriptor catch_signals() {
  sigset_t caught;
  ::sigemptyset(&caught);
  for (const int signal : {SIGTERM, SIGINT}) ::sigaddset(&caught, signal);
  if (::sigprocmask(SIG_BLOCK, &caught, nullptr) != 0) raise_errno("sigprocmask");
  Descriptor descriptor(::signalfd(-1, &caught, SFD_CLOEXEC));
  if (!descriptor) raise_errno("signalfd");
  return descriptor;
}

// Readable when the process that started this one is no more: an engine that was killed tells its
// workers nothing. Without a descriptor where the kernel has no such thing.
Descriptor watch_parent() {
  const pid_t parent = ::getppid();
  Descriptor descriptor(static_cast<int>(::syscall(SYS_pidfd_open, parent, 0)));
  if (!descriptor) log_debug("the process that started this one is not watched");
  return descriptor;
}

void serve(const std::string& connection, const Registry& registry) {
  const grpc::Connection at = grpc::parse_connection(connection);
  const Descriptor signals = catch_signals();
  Descriptor parent = watch_parent();
  const Descriptor settled(::eventfd(0, EFD_CLOEXEC));
  if (!settled) raise_errno("eventfd");
  log_from_threads();
  grpc::Server server(at, [&registry] { return std::make_unique<FunctionSession>(registry); });
  log_debug("listens at {}", connection);
  std::jthread waiter([&](const std::stop_token& stop) {
    (void)server.wait(Deadline::never(), stop);
    const std::uint64_t one = 1;
    (void)!::write(settled.get(), &one, sizeof one);
  });
  bool draining = false;
  for (;;) {
    // One that is not there, of -1, is passed over.
    std::array<pollfd, 3> ready{
        {{signals.get(), POLLIN, 0}, {settled.get(), POLLIN, 0}, {parent.get(), POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), -1) < 0) {
      if (errno == EINTR) continue;
      raise_errno("poll");
    }
    if (ready[1].revents != 0) break;
    if (ready[2].revents != 0) {
      parent = Descriptor();
      server.cancel("the process that started the worker has ended");
    }
    if (ready[0].revents == 0) continue;
    signalfd_siginfo info{};
    if (::read(signals.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) continue;
    if (std::exchange(draining, true)) {
      server.cancel("the worker was told twice to end");
    } else {
      server.drain();
    }
  }
  waiter.join();
  server.close();
  // A function that was told to stop and has not is not waited for.
  if (server.functions() != 0) std::_Exit(EXIT_SUCCESS);
}

}  // namespace
}  // namespace forebay::udf

extern "C" void forebay_serve_grpc_0_1(const std::string& connection,
                                       const forebay::udf::Registry& registry) {
  forebay::udf::serve(connection, registry);
}
