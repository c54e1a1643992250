// SPDX-License-Identifier: Apache-2.0
#pragma once

// The typed errors of Forebay. The text of each begins with the name of its type, wherever a person
// meets it, and says what was expected and what came.

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <system_error>

namespace forebay {

/// Base of all errors that Forebay throws itself.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The stream ended before as many bytes came as were asked for. Nothing was consumed.
class EndOfStream : public Error {
 public:
  /// `requested` and `available` in bytes.
  EndOfStream(std::size_t requested, std::size_t available);
  /// Bytes asked for.
  [[nodiscard]] std::size_t requested() const noexcept { return requested_; }
  /// Bytes that were left; they can still be read.
  [[nodiscard]] std::size_t available() const noexcept { return available_; }

 private:
  std::size_t requested_;
  std::size_t available_;
};

/// A chunk was added after finish() or fail().
class StreamFinished : public Error {
 public:
  StreamFinished();
};

/// The stream was cancelled, or its reader is gone.
class Cancelled : public Error {
 public:
  /// `what`: who cancelled, or why.
  explicit Cancelled(const std::string& what = "the stream was cancelled");
};

/// A deadline passed before the operation was complete.
class DeadlineExceeded : public Error {
 public:
  /// `what`: the case, for the text.
  explicit DeadlineExceeded(const std::string& what);
};

/// The reader waits for bytes, the writer for memory, and guards or shared bytes hold all of it.
class RetainedBudgetExhausted : public Error {
 public:
  /// `retained_bytes` of a bound of `bound_bytes`.
  RetainedBudgetExhausted(std::size_t retained_bytes, std::size_t bound_bytes);
  /// Bytes that guards and bounded shares held.
  [[nodiscard]] std::size_t retained_bytes() const noexcept { return retained_bytes_; }

 private:
  std::size_t retained_bytes_;
};

/// The peer ended in the middle of something: `got` of `expected` bytes, at stream offset `offset`.
class Truncated : public Error {
 public:
  /// `what` ended after `got` of `expected` bytes, at `offset`.
  Truncated(const std::string& what, std::uint64_t expected, std::uint64_t got,
            std::uint64_t offset);
  /// Bytes that were announced or needed.
  [[nodiscard]] std::uint64_t expected() const noexcept { return expected_; }
  /// Bytes that came.
  [[nodiscard]] std::uint64_t got() const noexcept { return got_; }
  /// Offset in the stream, in bytes.
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }

 private:
  std::uint64_t expected_;
  std::uint64_t got_;
  std::uint64_t offset_;
};

/// The bytes at stream offset `offset` break the protocol.
class ProtocolError : public Error {
 public:
  /// `what` is wrong at `offset`.
  ProtocolError(const std::string& what, std::uint64_t offset);
  /// Offset in the stream, in bytes.
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }

 private:
  std::uint64_t offset_;
};

/// A documented limit would be passed: `asked` of at most `limit`, in the unit that the text names.
class LimitExceeded : public Error {
 public:
  /// `what` would be `asked`, and at most `limit` is allowed.
  LimitExceeded(const std::string& what, std::uint64_t limit, std::uint64_t asked);
  /// The limit.
  [[nodiscard]] std::uint64_t limit() const noexcept { return limit_; }
  /// What was asked for.
  [[nodiscard]] std::uint64_t asked() const noexcept { return asked_; }

 private:
  std::uint64_t limit_;
  std::uint64_t asked_;
};

/// A socket path, host or port that cannot be one.
class InvalidConnection : public Error {
 public:
  /// `what`: the case, for the text.
  explicit InvalidConnection(const std::string& what);
};

/// Another server listens at the address.
class AddressInUse : public Error {
 public:
  /// `what`: the case, for the text.
  explicit AddressInUse(const std::string& what);
};

/// A file, a folder or a peer is not ours to use.
class PermissionDenied : public Error {
 public:
  /// `what`: the case, for the text.
  explicit PermissionDenied(const std::string& what);
};

/// Well-formed input of a kind that is not handled.
class Unsupported : public Error {
 public:
  /// `what`: the case, for the text.
  explicit Unsupported(const std::string& what);
};

/// The writer was destroyed without finish() or fail().
class Abandoned : public Error {
 public:
  Abandoned();
};

/// An error that the application's own code raised.
class UserError : public Error {
 public:
  /// `what`: the case, for the text.
  explicit UserError(const std::string& what);
};

/// A stream of the parent process was used in a forked child.
class ForkedChild : public Error {
 public:
  ForkedChild();
};

}  // namespace forebay
