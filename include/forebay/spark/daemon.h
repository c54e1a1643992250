// SPDX-License-Identifier: Apache-2.0
#pragma once

// The daemon: one process that makes a worker process for every connection.
//
// It has one thread, so that fork() is safe: a worker may start threads, the daemon never does. It
// ends when Spark closes its standard input or sends SIGTERM, and takes its workers and its socket
// file with it.

#include <functional>

#include "forebay/socket/descriptor.h"
#include "forebay/spark/rendezvous.h"

namespace forebay::spark {

/// Where a daemon meets Spark beside its socket.
struct DaemonStreams {
  int orders = 0;   ///< Spark's orders come here; its end is the daemon's
  int address = 1;  ///< the socket's address is written here, once
};

/// Serves until told to end. `serve` is called in a process of its own for each connection, after
/// the handshake, and its result is that process's exit status; what it throws is status 1 and a
/// line on stderr. Must be called before this process has started a thread. Errors: those of
/// Listener, std::system_error.
void run_daemon(const Rendezvous& rendezvous, const DaemonStreams& streams,
                const std::function<int(socket::Descriptor)>& serve);

}  // namespace forebay::spark
