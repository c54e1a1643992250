// SPDX-License-Identifier: Apache-2.0
#include "forebay/spark/pickle_scanner.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "forebay/error.h"

namespace forebay::spark {

namespace {

// What stands behind an opcode: so many bytes; a length of so many bytes, least significant first,
// and that many bytes; so many lines.
enum class Argument : std::uint8_t { unknown, fixed, counted, string, lines, stop };

struct Opcode {
  Argument argument = Argument::unknown;
  std::uint8_t count = 0;
  bool dressing = false;  // says nothing of the value itself
};

constexpr void set(std::array<Opcode, 256>& table, std::string_view codes, Opcode opcode) {
  for (const char code : codes) table[static_cast<unsigned char>(code)] = opcode;
}

constexpr std::array<Opcode, 256> opcodes() {
  std::array<Opcode, 256> table{};
  // Marks, constants, containers, calls and the stack.
  set(table, "(012NQRabdelost", {Argument::fixed, 0});
  set(table, "u}])\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x97\x98", {Argument::fixed, 0});
  set(table, "Kh\x82", {Argument::fixed, 1});         // BININT1, BINGET, EXT1
  set(table, "M\x83", {Argument::fixed, 2});          // BININT2, EXT2
  set(table, "Jj\x84", {Argument::fixed, 4});         // BININT, LONG_BINGET, EXT4
  set(table, "G", {Argument::fixed, 8});              // BINFLOAT
  set(table, "U\x8a", {Argument::counted, 1});        // SHORT_BINSTRING, LONG1
  set(table, "T\x8b", {Argument::counted, 4});        // BINSTRING, LONG4
  set(table, "C\x8c", {Argument::string, 1});         // SHORT_BINBYTES, SHORT_BINUNICODE
  set(table, "BX", {Argument::string, 4});            // BINBYTES, BINUNICODE
  set(table, "\x8d\x8e\x96", {Argument::string, 8});  // BINUNICODE8, BINBYTES8, BYTEARRAY8
  set(table, "FILSVPg", {Argument::lines, 1});        // numbers and texts of protocol 0
  set(table, "ci", {Argument::lines, 2});             // GLOBAL, INST
  set(table, "p", {Argument::lines, 1, true});        // PUT
  set(table, "q\x80", {Argument::fixed, 1, true});    // BINPUT, PROTO
  set(table, "r", {Argument::fixed, 4, true});        // LONG_BINPUT
  set(table, "\x95", {Argument::fixed, 8, true});     // FRAME: its opcodes follow as others do
  set(table, "\x94", {Argument::fixed, 0, true});     // MEMOIZE
  set(table, ".", {Argument::stop, 0, true});
  return table;
}

constexpr std::array<Opcode, 256> kOpcodes = opcodes();

}  // namespace

void PickleScanner::begin(std::byte code) {
  const Opcode opcode = kOpcodes[std::to_integer<std::size_t>(code)];
  if (opcode.argument == Argument::unknown) {
    throw ProtocolError("a pickle whose opcode is " + std::to_string(std::to_integer<int>(code)),
                        position_);
  }
  ++position_;
  in_string_ = opcode.argument == Argument::string;
  if (!opcode.dressing) others_ = others_ || !in_string_ || string_.has_value();
  switch (opcode.argument) {
    case Argument::stop:
      step_ = Step::done;
      break;
    case Argument::lines:
      step_ = Step::lines;
      left_ = opcode.count;
      break;
    case Argument::counted:
    case Argument::string:
      step_ = Step::length;
      length_ = 0;
      length_bytes_ = opcode.count;
      length_bytes_read_ = 0;
      break;
    case Argument::fixed:
    case Argument::unknown:
      skip(opcode.count);
      break;
  }
}

void PickleScanner::skip(std::uint64_t bytes) noexcept {
  left_ = bytes;
  step_ = bytes == 0 ? Step::opcode : Step::skip;
}

void PickleScanner::know_length() {
  if (in_string_ && !string_) string_ = Place{position_, length_};
  skip(length_);
}

std::size_t PickleScanner::consume(std::span<const std::byte> bytes) {
  std::size_t at = 0;
  while (at != bytes.size() && step_ != Step::done) {
    switch (step_) {
      case Step::opcode:
        begin(bytes[at++]);
        break;
      case Step::length:
        length_ |= std::to_integer<std::uint64_t>(bytes[at++]) << (8 * length_bytes_read_);
        ++position_;
        if (++length_bytes_read_ == length_bytes_) know_length();
        break;
      case Step::skip: {
        const auto part = std::min<std::uint64_t>(left_, bytes.size() - at);
        at += static_cast<std::size_t>(part);
        position_ += part;
        left_ -= part;
        if (left_ == 0) step_ = Step::opcode;
        break;
      }
      case Step::lines:
        ++position_;
        if (bytes[at++] == std::byte{'\n'} && --left_ == 0) step_ = Step::opcode;
        break;
      case Step::done:
        break;
    }
  }
  return at;
}

std::optional<PickleScanner::Place> PickleScanner::string_alone() const noexcept {
  return done() && !others_ ? string_ : std::nullopt;
}

}  // namespace forebay::spark
