// SPDX-License-Identifier: Apache-2.0
#pragma once

// The handshakes of the worker channel, and the daemon's orders, without I/O:
//
//     while (!shake.done()) {
//       send(shake.to_send()); shake.sent();
//       if (shake.wanted_bytes() != 0) shake.received(receive_exactly(shake.wanted_bytes()));
//     }
//
// A machine never wants a byte that belongs to what follows it, so that whoever reads next finds
// the session untouched.
//
// Thread role: one thread at a time. Blocking: never.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace forebay::spark {

/// Longest secret that is listened to, in bytes; Spark's own have 43.
inline constexpr std::size_t kSecretBytesMax = 1024;

/// One side of a handshake. Errors of received(): ProtocolError, LimitExceeded, PermissionDenied;
/// the connection is of no use then.
class Handshake {
 public:
  /// A worker that Spark started for one task connects, gives the secret, hears whether it was
  /// right, and gives its process id. Without a secret, on a Unix socket, it only gives the process
  /// id.
  [[nodiscard]] static Handshake of_worker(std::optional<std::string> secret, std::int32_t pid);

  /// A worker that a daemon made for a connection gives its process id first; then Spark gives the
  /// secret and hears whether it was right. Without a secret, on a Unix socket, that is all.
  [[nodiscard]] static Handshake of_daemon(std::optional<std::string> secret, std::int32_t pid);

  /// A worker that fetches broadcasts from the server that decrypts them gives its secret and hears
  /// whether it was right. Without a secret, on a Unix socket, there is nothing to be said.
  [[nodiscard]] static Handshake of_client(std::optional<std::string> secret);

  /// Whether both sides are through.
  [[nodiscard]] bool done() const noexcept { return step_ == Step::done && to_send_.empty(); }
  /// What must be sent next; may be empty. Lifetime: until sent().
  [[nodiscard]] std::span<const std::byte> to_send() const noexcept { return to_send_; }
  /// All of to_send() was sent.
  void sent() noexcept { to_send_.clear(); }
  /// How many bytes must be received next; 0 for none.
  [[nodiscard]] std::size_t wanted_bytes() const noexcept { return wanted_bytes_; }
  /// Goes on with exactly wanted_bytes().
  void received(std::span<const std::byte> bytes);
  /// The peer closed after `got_bytes` of wanted_bytes(): throws Truncated.
  [[noreturn]] void ended(std::size_t got_bytes) const;
  /// What refuses the peer before the error of received() is reported; empty for nothing.
  [[nodiscard]] std::span<const std::byte> refusal() const noexcept { return refusal_; }

 private:
  enum class Step : std::uint8_t { length, text, done };

  Handshake(bool daemon, std::optional<std::string> secret, std::optional<std::int32_t> pid);
  static Handshake of_starting(std::optional<std::string> secret, std::optional<std::int32_t> pid);
  void received_text(std::string_view text);

  bool daemon_;
  std::string secret_;
  std::optional<std::int32_t> pid_;
  Step step_ = Step::done;
  std::size_t wanted_bytes_ = 0;
  std::uint64_t offset_ = 0;
  std::vector<std::byte> to_send_;
  std::vector<std::byte> refusal_;
};

/// The orders that Spark gives a daemon on its standard input: process ids of workers to be killed.
class DaemonOrders {
 public:
  /// Takes bytes as they come and gives back the process ids that are complete.
  [[nodiscard]] std::vector<std::int32_t> received(std::span<const std::byte> bytes);

 private:
  std::vector<std::byte> partial_;
};

}  // namespace forebay::spark
