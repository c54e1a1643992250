// SPDX-License-Identifier: Apache-2.0
#include "forebay/spark/handshake.h"

#include <utility>

#include "forebay/error.h"
#include "forebay/spark/protocol.h"
#include "wire.h"

namespace forebay::spark {

namespace {

constexpr std::size_t kWordBytes = sizeof(std::int32_t);
constexpr std::string_view kAccepted = "ok";
constexpr std::string_view kRefused = "err";

// Takes as long for every wrong secret of the right length.
bool same_secret(std::string_view one, std::string_view other) noexcept {
  if (one.size() != other.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    difference |= static_cast<unsigned char>(one[i]) ^ static_cast<unsigned char>(other[i]);
  }
  return difference == 0;
}

}  // namespace

Handshake::Handshake(bool daemon, std::optional<std::string> secret,
                     std::optional<std::int32_t> pid)
    : daemon_(daemon), secret_(std::move(secret).value_or("")), pid_(pid) {}

Handshake Handshake::of_worker(std::optional<std::string> secret, std::int32_t pid) {
  return of_starting(std::move(secret), pid);
}

Handshake Handshake::of_client(std::optional<std::string> secret) {
  return of_starting(std::move(secret), std::nullopt);
}

// The side that gives the secret.
Handshake Handshake::of_starting(std::optional<std::string> secret,
                                 std::optional<std::int32_t> pid) {
  const bool with_secret = secret.has_value();
  Handshake shake(false, std::move(secret), pid);
  if (with_secret) {
    append_text(shake.to_send_, shake.secret_);
    shake.step_ = Step::length;
    shake.wanted_bytes_ = kWordBytes;
  } else if (pid) {
    append_be(shake.to_send_, *pid);
  }
  return shake;
}

Handshake Handshake::of_daemon(std::optional<std::string> secret, std::int32_t pid) {
  const bool with_secret = secret.has_value();
  // An empty secret would let everybody in.
  if (with_secret && secret->empty()) throw InvalidConnection("the secret is empty");
  Handshake shake(true, std::move(secret), pid);
  append_be(shake.to_send_, pid);
  if (with_secret) {
    shake.step_ = Step::length;
    shake.wanted_bytes_ = kWordBytes;
  }
  return shake;
}

void Handshake::received(std::span<const std::byte> bytes) {
  const std::uint64_t at = std::exchange(offset_, offset_ + bytes.size());
  if (step_ == Step::text) {
    received_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return;
  }
  const auto length = load_be<std::int32_t>(bytes);
  const char* const what = daemon_ ? "the length of a secret" : "the length of an answer";
  if (length < 0) {
    throw ProtocolError(std::string("instead of ") + what + " came " + marker_name(length), at);
  }
  const auto size = static_cast<std::size_t>(length);
  if (size > kSecretBytesMax) throw LimitExceeded(what, kSecretBytesMax, size);
  if (size == 0) {
    received_text({});
    return;
  }
  step_ = Step::text;
  wanted_bytes_ = size;
}

void Handshake::received_text(std::string_view text) {
  step_ = Step::done;
  wanted_bytes_ = 0;
  if (daemon_) {
    if (!same_secret(text, secret_)) {
      append_text(refusal_, kRefused);
      throw PermissionDenied("the peer gave a wrong secret");
    }
    append_text(to_send_, kAccepted);
    return;
  }
  if (text != kAccepted) throw PermissionDenied("Spark did not take the secret");
  if (pid_) append_be(to_send_, *pid_);
}

void Handshake::ended(std::size_t got_bytes) const {
  throw Truncated(daemon_ ? "the secret of a handshake" : "the answer of a handshake",
                  wanted_bytes_, got_bytes, offset_);
}

std::vector<std::int32_t> DaemonOrders::received(std::span<const std::byte> bytes) {
  std::vector<std::int32_t> pids;
  for (const std::byte byte : bytes) {
    partial_.push_back(byte);
    if (partial_.size() != kWordBytes) continue;
    pids.push_back(load_be<std::int32_t>(partial_));
    partial_.clear();
  }
  return pids;
}

}  // namespace forebay::spark
