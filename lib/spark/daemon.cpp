// SPDX-License-Identifier: Apache-2.0
#include "forebay/spark/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <exception>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "forebay/error.h"
#include "wire.h"

namespace forebay::spark {

namespace {

using socket::Descriptor;
using socket::Listener;

// A peer that connects and then says nothing must not keep a process for ever.
constexpr std::chrono::seconds kHandshakeTime(15);

[[noreturn]] void raise_errno(const char* what) {
  throw std::system_error(errno, std::system_category(), what);
}

void write_all(int descriptor, const Bytes& bytes) {
  std::size_t written = 0;
  while (written != bytes.size()) {
    const ssize_t done = ::write(descriptor, bytes.data() + written, bytes.size() - written);
    if (done >= 0) {
      written += static_cast<std::size_t>(done);
    } else if (errno != EINTR) {
      raise_errno("write the daemon's address");
    }
  }
}

class Daemon {
 public:
  Daemon(const Rendezvous& rendezvous, const DaemonStreams& streams,
         const std::function<int(Descriptor)>& serve)
      : rendezvous_(rendezvous),
        streams_(streams),
        serve_(serve),
        signals_(catch_signals()),
        listener_(rendezvous.path.empty() ? Listener::listen_loopback(0, rendezvous.address)
                                          : Listener::listen_unix(rendezvous.path)) {}
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon() { end_workers(); }

  void run() {
    tell_address();
    while (!ending_) {
      std::array<pollfd, 3> ready{{{streams_.orders, POLLIN, 0},
                                   {listener_.descriptor(), POLLIN, 0},
                                   {signals_.get(), POLLIN, 0}}};
      if (::poll(ready.data(), ready.size(), -1) < 0) {
        if (errno == EINTR) continue;
        raise_errno("poll");
      }
      if (ready[2].revents != 0) take_signals();
      if (ready[0].revents != 0 && !ending_) take_orders();
      if (ready[1].revents != 0 && !ending_) accept();
    }
  }

 private:
  // Signals become readable instead of interrupting; so no handler runs at an awkward moment.
  Descriptor catch_signals() {
    // Out of the terminal's process group: an interrupt at the driver's keyboard is Spark's to
    // handle. Fails where the process leads a group already.
    (void)::setpgid(0, 0);
    sigset_t caught;
    ::sigemptyset(&caught);
    for (const int signal : {SIGTERM, SIGINT, SIGCHLD}) ::sigaddset(&caught, signal);
    if (::sigprocmask(SIG_BLOCK, &caught, &signals_before_) != 0) raise_errno("sigprocmask");
    Descriptor descriptor(::signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!descriptor) raise_errno("signalfd");
    return descriptor;
  }

  void tell_address() {
    Bytes address;
    if (rendezvous_.path.empty()) {
      append_be(address, static_cast<std::int32_t>(listener_.port()));
    } else {
      append_text(address, rendezvous_.path);
    }
    write_all(streams_.address, address);
  }

  void take_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (info.ssi_signo != SIGCHLD) ending_ = true;
    }
    reap(WNOHANG);
  }

  void reap(int options) {
    int status = 0;
    pid_t pid = 0;
    while ((pid = ::waitpid(-1, &status, options)) > 0 || (pid < 0 && errno == EINTR)) {
      workers_.erase(pid);
    }
  }

  void take_orders() {
    std::array<std::byte, 256> buffer;
    const ssize_t got = ::read(streams_.orders, buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got <= 0) {
      ending_ = true;
      return;
    }
    const std::span<const std::byte> bytes(buffer.data(), static_cast<std::size_t>(got));
    for (const std::int32_t pid : orders_.received(bytes)) {
      // Nobody else's process: a number may have been given to another since.
      if (workers_.contains(pid)) ::kill(pid, SIGKILL);
    }
  }

  void accept() {
    std::optional<Descriptor> connection;
    try {
      connection = listener_.accept(Deadline::after(std::chrono::milliseconds(0)));
    } catch (const DeadlineExceeded&) {
      return;  // The peer is gone already.
    }
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid > 0) workers_.insert(pid);
    if (pid == 0) {
      // Ends without destructors: what they would undo is the daemon's.
      const int status = serve(*std::move(connection), parent);
      std::fflush(nullptr);
      ::_exit(status);
    }
    // Without a process, for lack of memory or ids, the connection closes, and Spark tries again.
    if (pid < 0) std::fprintf(stderr, "forebay: no worker: %s\n", ::strerror(errno));
  }

  // In the worker's process.
  int serve(Descriptor connection, pid_t daemon) noexcept {
    try {
      ::close(listener_.descriptor());
      ::close(streams_.address);
      ::close(signals_.get());
      const Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      if (!nothing || ::dup2(nothing.get(), streams_.orders) < 0) raise_errno("/dev/null");
      // A worker does not outlive its daemon, however that ends.
      if (::prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) raise_errno("prctl");
      if (::sigprocmask(SIG_SETMASK, &signals_before_, nullptr) != 0) raise_errno("sigprocmask");
      if (::getppid() != daemon) return 1;
      Handshake handshake = Handshake::of_daemon(rendezvous_.secret, ::getpid());
      shake_hands(connection, handshake, Deadline::after(kHandshakeTime));
      return serve_(std::move(connection));
    } catch (const std::exception& error) {
      std::fprintf(stderr, "forebay: worker %d: %s\n", static_cast<int>(::getpid()), error.what());
    } catch (...) {
      std::fprintf(stderr, "forebay: worker %d: an error without a text\n",
                   static_cast<int>(::getpid()));
    }
    return 1;
  }

  void end_workers() noexcept {
    for (const pid_t pid : workers_) ::kill(pid, SIGKILL);
    if (!workers_.empty()) reap(0);
  }

  const Rendezvous& rendezvous_;
  const DaemonStreams streams_;
  const std::function<int(Descriptor)>& serve_;
  sigset_t signals_before_{};
  Descriptor signals_;
  Listener listener_;
  DaemonOrders orders_;
  std::set<pid_t> workers_;
  bool ending_ = false;
};

}  // namespace

void run_daemon(const Rendezvous& rendezvous, const DaemonStreams& streams,
                const std::function<int(Descriptor)>& serve) {
  Daemon(rendezvous, streams, serve).run();
}

}  // namespace forebay::spark
