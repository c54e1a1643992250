// SPDX-License-Identifier: Apache-2.0
#pragma once

// The two halves of one task behind its init message, without I/O: what comes next on the input,
// and the bytes that frame the output.
//
// Thread role: one thread at a time. Blocking: never.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "forebay/spark/protocol.h"

namespace forebay::spark {

/// How a task's input is cut.
enum class InputShape : std::uint8_t {
  plain,   ///< one Arrow stream
  groups,  ///< for each group a word, 1, and one Arrow stream; 0 ends the groups
  pairs,   ///< for each group a word, 2, and two Arrow streams; 0 ends the groups
};

/// Follows a task's input from behind its init message to behind its END_OF_STREAM.
class TaskInput {
 public:
  /// What to do next.
  enum class Next : std::uint8_t {
    group_word,    ///< read a word and give it to word()
    arrow_stream,  ///< read one Arrow stream to behind its end marker, then stream_ended()
    end_word,      ///< read a word and give it to word()
    done,          ///< the input is complete
  };

  /// Starts behind the init message.
  explicit TaskInput(InputShape shape) noexcept;

  /// What to do next.
  [[nodiscard]] Next next() const noexcept { return next_; }
  /// Takes the word that was asked for, which lies at the offset in the connection.
  /// Errors: ProtocolError, naming the word.
  void word(std::int32_t word, std::uint64_t offset);
  /// An Arrow stream was read to behind its end marker.
  void stream_ended() noexcept;
  /// What the bytes of the next word are, for an error's text.
  [[nodiscard]] const char* wanted_for() const noexcept;

 private:
  InputShape shape_;
  Next next_;
  int streams_left_ = 0;
};

/// Figures of one task; times are milliseconds since 1970.
struct TaskFigures {
  std::int64_t boot_ms = 0;         ///< when the worker began to work for this task
  std::int64_t initialized_ms = 0;  ///< when the function was ready to be called
  std::int64_t finished_ms = 0;     ///< when its last output had been written
  std::int64_t processing_ms = 0;   ///< time spent in the function, in milliseconds
};

/// Makes the bytes that frame a task's output, in the order that Spark understands. What begins
/// with an error's marker inside an open Arrow stream would be taken for an Arrow length: so an
/// error closes the stream first.
class TaskOutput {
 public:
  /// To be sent as they are.
  using Bytes = std::vector<std::byte>;

  /// Before the schema of the Arrow stream; at most once a task.
  [[nodiscard]] Bytes begin_arrow();
  /// Whether begin_arrow() was called and the stream is open.
  [[nodiscard]] bool in_arrow() const noexcept { return state_ == State::arrow; }
  /// Ends the Arrow stream, when one is open, then gives the figures and no accumulators.
  [[nodiscard]] Bytes report(const TaskFigures& figures);
  /// Whether an error can still be told.
  [[nodiscard]] bool can_fail() const noexcept { return state_ < State::reported; }
  /// Ends the Arrow stream, when one is open, then gives the error's text, up to its limit.
  [[nodiscard]] Bytes failure(std::string_view text);
  /// After report(): whether the worker may be used again.
  [[nodiscard]] Bytes farewell(bool reusable);

  /// Longest text of an error, in bytes; what is longer is cut.
  static constexpr std::size_t kErrorBytesMax = std::size_t{256} << 10;

 private:
  enum class State : std::uint8_t { idle, arrow, reported, failed, done };
  void end_arrow(Bytes& to) noexcept;
  State state_ = State::idle;
};

}  // namespace forebay::spark
