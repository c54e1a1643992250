// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a message of Arrow's IPC format announces, checked before anything is done about it.

#include <cstddef>
#include <cstdint>

#include "flatbuffer.h"

namespace forebay::arrow {

/// The kinds of messages, with Arrow's numbers.
enum class MessageKind : std::uint8_t {
  none = 0,
  schema = 1,
  dictionary = 2,
  record_batch = 3,
  tensor = 4,
  sparse_tensor = 5,
};

/// The outside of a message.
struct MessageHeader {
  MessageKind kind = MessageKind::none;
  std::uint64_t body_bytes = 0;
};

/// Reads the outside. Throws ProtocolError.
[[nodiscard]] MessageHeader read_header(const Metadata& metadata);

/// What a record batch says of its body.
struct BatchLayout {
  /// So many bytes can one compressed byte become at the very most; zero: nothing is compressed.
  std::uint64_t expansion_max = 0;
};

/// Checks what a record batch message claims against the size of its body. Throws ProtocolError.
BatchLayout check_record_batch(const Metadata& metadata, std::uint64_t body_bytes);

/// What a dictionary message says.
struct DictionaryHeader {
  std::int64_t id = 0;
  bool is_delta = false;
};

/// Reads a dictionary message.
[[nodiscard]] DictionaryHeader read_dictionary_header(const Metadata& metadata);

/// Makes a dictionary message the record batch message that lies inside of it, in place: Arrow has
/// no public call that reads dictionaries, and one that reads record batches. Offsets in a
/// flatbuffer point forward, so the message can point at the inner table as well as at the outer
/// one.
void unwrap_dictionary(const Metadata& metadata);

}  // namespace forebay::arrow
