// SPDX-License-Identifier: Apache-2.0
#pragma once

// Finds where a pickle ends, without I/O and without building anything of what it says.
//
// A broadcast of Python's is a pickle, and the server that decrypts broadcasts sends one after the
// other and says of none how long it is. All opcodes of protocols 0 to 5 are known; of what they
// mean, only as much as it takes to step over their arguments.
//
// Thread role: one thread at a time. Blocking: never.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace forebay::spark {

/// Follows one pickle from its first byte to its last.
class PickleScanner {
 public:
  /// Where a string of bytes lies in the pickle.
  struct Place {
    std::uint64_t offset = 0;      ///< from the pickle's first byte
    std::uint64_t size_bytes = 0;  ///< of the string
  };

  /// Takes bytes as they come, and gives back how many of them are the pickle's: all, or fewer when
  /// it ends before. Errors: ProtocolError for a byte that is no opcode, at its offset in the
  /// pickle; nothing can be said of what follows it.
  [[nodiscard]] std::size_t consume(std::span<const std::byte> bytes);
  /// Whether the pickle's last byte was consumed.
  [[nodiscard]] bool done() const noexcept { return step_ == Step::done; }
  /// Bytes that were consumed.
  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
  /// Of a pickle that is done and of a bytes, a bytearray or a str alone: where its bytes are,
  /// those of a str in UTF-8. Empty for every other pickle.
  [[nodiscard]] std::optional<Place> string_alone() const noexcept;

 private:
  enum class Step : std::uint8_t { opcode, length, skip, lines, done };

  void begin(std::byte opcode);
  void know_length();
  void skip(std::uint64_t bytes) noexcept;

  Step step_ = Step::opcode;
  std::uint64_t position_ = 0;
  std::uint64_t length_ = 0;   // of an argument, as far as it is known
  unsigned length_bytes_ = 0;  // of the length itself
  unsigned length_bytes_read_ = 0;
  std::uint64_t left_ = 0;  // of an argument, or of lines
  bool in_string_ = false;  // the argument that begins is a string of bytes
  bool others_ = false;     // there was more than one string
  std::optional<Place> string_;
};

}  // namespace forebay::spark
