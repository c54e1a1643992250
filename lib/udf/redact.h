// SPDX-License-Identifier: Apache-2.0
#pragma once

// Keeps what is said on a channel out of a recording where it is a secret.

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "forebay/spark/frame_scanner.h"

namespace forebay::udf {

// Takes a connection's bytes as they come and gives them on, with the secrets of init messages (of
// the barrier's server, and of the one for broadcasts) replaced by as many crosses. An init message
// is held back until it is whole.
class Redactor {
 public:
  explicit Redactor(spark::ChannelVersion version) : scanner_(version) {}

  // Errors: those of `give`; ProtocolError for a message whose secret cannot be told from the rest:
  // nothing of it was given.
  void add(std::span<const std::byte> bytes,
           const std::function<void(std::span<const std::byte>)>& give);

 private:
  spark::ChannelFrameScanner scanner_;
  std::vector<std::byte> init_;
};

// Replaces the secrets of one whole init message, without its marker and length.
// Errors: ProtocolError; what parse_init() throws.
void redact_init(std::span<std::byte> message);

}  // namespace forebay::udf
