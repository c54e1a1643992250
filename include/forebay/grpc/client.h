// SPDX-License-Identifier: Apache-2.0
#pragma once

// The engine's side of Spark's gRPC channel, for programs that are not Spark:
//
//     grpc::Client client("/run/w/1.sock");
//     grpc::ClientSession session = client.open(init);
//     session.send(batch);
//     session.finish();
//     while (auto reply = session.receive()) use(*reply);
//
// Thread roles: a client by any thread, one at a time; of a session, one thread may send while
// another receives. Destruction: a session that has not ended is broken off, and
// waits for that.

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "forebay/chunk.h"
#include "forebay/deadline.h"
#include "forebay/grpc/messages.h"

namespace forebay::grpc {

/// Limits of a client's sessions.
struct ClientOptions {
  /// Bytes of one message from the worker. A larger one breaks the session.
  std::size_t message_bytes_max = std::size_t{128} << 20;
  /// Bytes that may have come and not been taken; the next message is not asked for beyond that.
  std::size_t input_bytes_max = std::size_t{16} << 20;
  /// Bytes that may be waiting to be sent.
  std::size_t output_bytes_max = std::size_t{16} << 20;
};

/// One data message, in the pieces that it came in.
struct DataReply {
  std::vector<Chunk> pieces;   ///< in order
  std::size_t size_bytes = 0;  ///< of all pieces
};

/// The call ended without a last word.
struct BrokenReply {
  int code = 0;      ///< gRPC's status code; 0 for a call that was closed as if all were well
  std::string text;  ///< gRPC's
};

/// What a worker says. FinishResponse and CancelResponse are last words.
using Reply = std::variant<DataReply, InitResponse, ErrorResponse, FinishResponse, CancelResponse,
                           BrokenReply>;

/// One session. Move-only.
class ClientSession {
 public:
  class Impl;
  /// Made by Client::open().
  explicit ClientSession(std::unique_ptr<Impl> impl) noexcept;
  /// Takes the session over.
  ClientSession(ClientSession&&) noexcept;
  /// Breaks its own off, and takes the other over.
  ClientSession& operator=(ClientSession&&) noexcept;
  ~ClientSession();

  /// Sends one data message. Blocking: while output_bytes_max are waiting. False when the call has
  /// ended.
  bool send(std::vector<Chunk> message);
  /// Sends anything but data, also what the protocol does not allow now. False as above.
  bool send(const Request& request);
  /// Sends bytes as they are, as one message. False as above.
  bool send_raw(const std::string& bytes);
  /// All input was sent.
  bool finish() { return send(Request(Finish{})); }
  /// The session is to end.
  bool cancel(std::optional<std::string> reason = std::nullopt) {
    return send(Request(Cancel{std::move(reason)}));
  }
  /// Closes this side of the call, behind what was sent.
  void half_close();
  /// Breaks the call off.
  void break_off();

  /// The next reply; nothing after BrokenReply, or after a last word and the end of the call.
  /// Blocking: until there is one. Errors: DeadlineExceeded.
  [[nodiscard]] std::optional<Reply> receive(Deadline deadline = Deadline::never());

 private:
  std::unique_ptr<Impl> impl_;
};

/// A connection to one worker.
class Client {
 public:
  /// Connects; `connection` is as a worker is given it. Errors: InvalidConnection,
  /// DeadlineExceeded, std::system_error.
  explicit Client(const std::string& connection, const ClientOptions& options = {},
                  Deadline deadline = Deadline::after(std::chrono::seconds(10)));
  /// Takes the connection over.
  Client(Client&&) noexcept;
  /// Closes its own connection, and takes the other over.
  Client& operator=(Client&&) noexcept;
  ~Client();

  /// Opens a session, with Init as its first message.
  [[nodiscard]] ClientSession open(const Init& init);
  /// Opens a session that says nothing yet.
  [[nodiscard]] ClientSession open();

  /// Asks whether the worker answers. Errors: DeadlineExceeded; Error with gRPC's text.
  [[nodiscard]] Settings heartbeat(Deadline deadline);
  /// Tells the worker to end, and gives back whether all sessions had ended when it answered.
  /// Errors: as of heartbeat().
  bool shut_down(bool cancel_sessions, Deadline deadline,
                 std::optional<std::string> reason = std::nullopt);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace forebay::grpc
