// SPDX-License-Identifier: Apache-2.0
#pragma once

// Follows what Spark sends on a connection, for a receiver that puts each Arrow body where it
// belongs, and for those who look for init messages.
//
// Spark frames its init message, from 4.3 on, and the groups of a task; Arrow's streams stand
// between these without a header of their own. The scanner knows which by the words before: after
// an init message comes either the continuation marker of an Arrow stream or a number of streams.
// It judges nothing: what it cannot follow is `opaque`, and whoever reads the same bytes says what
// is wrong with them.
//
// Thread role: one thread at a time. Blocking: never.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "forebay/framing.h"
#include "forebay/spark/protocol.h"

namespace forebay::spark {

/// Begins where a handshake has ended. Before Spark 4.3 the init message has no length, and is
/// parsed as it comes: then exact_bytes() goes from field to field, too little to receive by.
class ChannelFrameScanner final : public FrameScanner {
 public:
  /// Of a connection to such a Spark.
  explicit ChannelFrameScanner(ChannelVersion version) noexcept;

  [[nodiscard]] Part part() const noexcept override;
  [[nodiscard]] std::uint64_t left() const noexcept override;
  [[nodiscard]] std::uint64_t exact_bytes() const noexcept override;
  [[nodiscard]] bool at_body() const noexcept override;
  /// The largest of the present task: the last of a stream is but a rest, and the next task's may
  /// be of another size.
  [[nodiscard]] std::uint64_t expected_body_bytes() const noexcept override;
  std::size_t consume(std::span<const std::byte> bytes) override;
  void consume_body(std::uint64_t bytes) noexcept override;

  /// Whether the next byte belongs to an init message, its marker and length not counted.
  [[nodiscard]] bool in_init() const noexcept { return state_ == State::init; }

 private:
  enum class State : std::uint8_t {
    word,         // a marker, or the number of Arrow streams of a group
    length,       // of an init message
    init,         // an init message
    behind_init,  // a word, or the first of an Arrow stream
    arrow,        // an Arrow stream
    opaque,       // bytes that cannot be followed
  };

  void begin(State state, std::uint64_t left) noexcept;
  void begin_task() noexcept;
  void begin_stream() noexcept;
  void take_word();
  void take_init();
  void after_arrow() noexcept;

  const ChannelVersion version_;
  State state_ = State::word;
  std::uint64_t left_ = 0;
  int streams_left_ = 0;
  std::uint64_t largest_body_bytes_ = 0;  // of this task
  std::vector<std::byte> gathered_;       // of a word, a length, or an init message without one
  ArrowFrameScanner arrow_;
};

}  // namespace forebay::spark
