// SPDX-License-Identifier: Apache-2.0
#pragma once

// The worker's side of Spark's gRPC channel: serves sessions of UdfWorker to an engine.
//
//     grpc::Server server(grpc::parse_connection("/run/w/1.sock"), make_handler);
//     server.wait(Deadline::never());   // until the engine asks for the end, or drain() does
//
// A session's data comes as one Arrow IPC stream: the schema that opened the session, its batches,
// and the end marker when the engine has finished. It goes through a forebay stream, whose bound
// holds the engine back: while the stream is full, no message is asked for.
//
// Threads: each session's function runs on a thread of its own, each connection is received on one,
// which never waits for a function; whoever has something to send sends it.
//
// Chunks that a function sends are let go of with the connection's lock: their release must neither
// call the Execution nor wait.
//
// Destruction: cancels what runs and waits for its functions to return.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "forebay/chunk.h"
#include "forebay/deadline.h"
#include "forebay/grpc/messages.h"
#include "forebay/stream.h"

namespace forebay::grpc {

/// Where a worker listens: the path of a Unix socket, or a TCP port on both loopback addresses.
using Connection = std::variant<std::string, std::uint16_t>;

/// Reads a path, which has a slash, or a port. Errors: InvalidConnection.
[[nodiscard]] Connection parse_connection(const std::string& text);

/// Where the bytes of data messages are put.
enum class Placement : std::uint8_t {
  slices,   ///< where they were received with others: bodies lie in many pieces, and only those
            ///< of less than 4 KiB are copied
  aligned,  ///< bodies lie in one piece, 64-byte aligned, and large ones are received there; data
            ///< that is not one whole Arrow message breaks the protocol
};

/// Limits. Each is enforced before memory is spent on what is only announced.
struct ServerOptions {
  /// See Placement.
  Placement placement = Placement::aligned;
  /// Bytes of one message, either way. A larger one from the engine breaks its call.
  std::size_t message_bytes_max = std::size_t{128} << 20;
  /// Bytes of a function's payload.
  std::size_t payload_bytes_max = std::size_t{32} << 20;
  /// Bytes of input that a session may hold and its function has not let go of.
  std::size_t input_bytes_max = std::size_t{32} << 20;
  /// Bytes of output that a session may hold and the engine has not taken.
  std::size_t output_bytes_max = std::size_t{16} << 20;
  /// Sessions at once; more are refused with RESOURCE_EXHAUSTED. Manage is always served.
  std::size_t sessions_max = 256;
  /// Bytes of the metadata of one call.
  int metadata_bytes_max = 16 << 10;
  /// Pings that an engine may send no more often than this, without being cut off.
  int ping_interval_ms_min = 10'000;
};

/// Figures of a server since its start. Bytes are of data messages.
struct ServerStats {
  std::uint64_t sessions = 0;   ///< sessions opened
  std::uint64_t bytes_in = 0;   ///< bytes received
  std::uint64_t bytes_out = 0;  ///< bytes sent
  std::uint64_t bytes_gathered =
      0;  ///< bytes of aligned bodies that were received elsewhere, copied
  std::uint64_t bytes_inlined = 0;  ///< bytes of pieces too small to be shared, copied
  std::uint64_t bytes_adopted = 0;  ///< bytes of messages in an unusual encoding, parsed
};

/// A session as its function sees it. Lifetime: that of Handler::serve(). Thread role: its thread.
class Execution {
 public:
  virtual ~Execution() = default;
  /// How the session was opened; the payload is whole.
  [[nodiscard]] virtual const Init& init() const = 0;
  /// The input: see the head of this file.
  [[nodiscard]] virtual StreamReader& input() = 0;
  /// Tells the engine that data may come, once. Does nothing when the session is ending.
  virtual void ready(std::optional<std::string> data = std::nullopt) = 0;
  /// Sends one data message, after ready(). Blocking: while output_bytes_max are waiting.
  /// Errors: Cancelled when nothing can be sent any more: let it pass; LimitExceeded.
  virtual void send(std::vector<Chunk> message) = 0;
  /// Asked to stop when the session is cancelled or broken, and then the input is cancelled: a read
  /// that runs at that time may still return what had come, one that throws Cancelled for that
  /// reason finds the request made. Callbacks run with the session's lock: they must not call the
  /// Execution, nor wait for its function.
  [[nodiscard]] virtual std::stop_token stop() const = 0;
};

/// What a function has to say in the end.
struct Farewell {
  Settings metrics = {};                 ///< beside those that the server counts
  std::optional<std::string> data = {};  ///< goes with FinishResponse
};

/// Runs one session's function.
class Handler {
 public:
  virtual ~Handler() = default;
  /// Runs it, from the payload to the last output. What it throws fails the session: UserError is
  /// the user's, ProtocolError, Truncated and LimitExceeded are the engine's, the rest the
  /// worker's.
  virtual void serve(Execution& execution) = 0;
  /// After serve(), when the engine has finished or cancelled. What it throws is told with the
  /// session's last word.
  virtual Farewell end(bool cancelled);
};

/// Makes one handler for a session, on the session's thread.
using MakeHandler = std::function<std::unique_ptr<Handler>()>;

/// See the head of this file. Thread role: any, one at a time.
class Server {
 public:
  /// Listens, and serves from now on. Errors: those of socket::Listener.
  Server(const Connection& connection, MakeHandler make_handler, const ServerOptions& options = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  /// Takes no more sessions; those that run may end.
  void drain();
  /// The same, and ends those that run with an error.
  void cancel(const std::string& reason);
  /// Waits until the server is draining, whoever asked for it, and no session is left. False at
  /// the deadline or on a stop request.
  bool wait(Deadline deadline, std::stop_token stop = {});

  /// Takes no more connections, removes the socket file, and cuts off what does not end at once,
  /// when its answers are out. For one who cannot wait for the functions.
  void close();

  /// Sessions that run.
  [[nodiscard]] std::size_t sessions() const;
  /// Functions that have not returned; after cancel() they may outlast their sessions.
  [[nodiscard]] std::size_t functions() const;
  /// The port; 0 for a Unix socket.
  [[nodiscard]] std::uint16_t port() const;
  /// Figures. Thread role: any.
  [[nodiscard]] ServerStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace forebay::grpc
