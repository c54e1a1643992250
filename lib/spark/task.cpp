// SPDX-License-Identifier: Apache-2.0
#include "forebay/spark/task.h"

#include "forebay/detail/assert.h"
#include "forebay/error.h"
#include "wire.h"

namespace forebay::spark {

namespace {

constexpr std::int32_t word_of(Marker marker) noexcept { return static_cast<std::int32_t>(marker); }

constexpr std::int32_t streams_of(InputShape shape) noexcept {
  return shape == InputShape::pairs ? 2 : 1;
}

// Continuation marker and length 0: the end of an Arrow IPC stream.
constexpr std::int32_t kArrowContinuation = -1;

// Not in the middle of a character: Spark decodes the text.
std::string_view cut(std::string_view text, std::size_t size_max) noexcept {
  if (text.size() <= size_max) return text;
  std::size_t size = size_max;
  while (size != 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return text.substr(0, size);
}

}  // namespace

TaskInput::TaskInput(InputShape shape) noexcept
    : shape_(shape),
      next_(shape == InputShape::plain ? Next::arrow_stream : Next::group_word),
      streams_left_(shape == InputShape::plain ? 1 : 0) {}

void TaskInput::word(std::int32_t word, std::uint64_t offset) {
  if (next_ == Next::end_word) {
    if (word != word_of(Marker::end_of_stream)) {
      throw ProtocolError("instead of END_OF_STREAM (-4) came " + marker_name(word), offset);
    }
    next_ = Next::done;
  } else if (word == 0) {
    next_ = Next::end_word;
  } else if (word == streams_of(shape_)) {
    streams_left_ = word;
    next_ = Next::arrow_stream;
  } else {
    throw ProtocolError("instead of a group of " + std::to_string(streams_of(shape_)) +
                            " Arrow streams, or 0, came " + marker_name(word),
                        offset);
  }
}

void TaskInput::stream_ended() noexcept {
  if (--streams_left_ > 0) return;
  next_ = shape_ == InputShape::plain ? Next::end_word : Next::group_word;
}

const char* TaskInput::wanted_for() const noexcept {
  return next_ == Next::end_word ? "END_OF_STREAM (-4) after a task's input"
                                 : "the number of Arrow streams of the next group";
}

void TaskOutput::end_arrow(Bytes& to) noexcept {
  if (state_ != State::arrow) return;
  append_be(to, kArrowContinuation);
  append_be(to, std::int32_t{0});
}

TaskOutput::Bytes TaskOutput::begin_arrow() {
  FOREBAY_ASSERT(state_ == State::idle, "the Arrow stream of a task begins once");
  state_ = State::arrow;
  Bytes bytes;
  append_be(bytes, word_of(Marker::start_arrow_stream));
  return bytes;
}

TaskOutput::Bytes TaskOutput::report(const TaskFigures& figures) {
  FOREBAY_ASSERT(can_fail(), "a task's report is given once");
  Bytes bytes;
  end_arrow(bytes);
  state_ = State::reported;
  append_be(bytes, word_of(Marker::timing_data));
  append_be(bytes, figures.boot_ms);
  append_be(bytes, figures.initialized_ms);
  append_be(bytes, figures.finished_ms);
  append_be(bytes, figures.processing_ms);
  append_be(bytes, std::int64_t{0});  // Nothing is spilled, neither from memory
  append_be(bytes, std::int64_t{0});  // nor to disk.
  append_be(bytes, word_of(Marker::end_of_data_section));
  append_be(bytes, std::int32_t{0});
  return bytes;
}

TaskOutput::Bytes TaskOutput::failure(std::string_view text) {
  FOREBAY_ASSERT(can_fail(), "an error comes before the report");
  Bytes bytes;
  end_arrow(bytes);
  state_ = State::failed;
  append_be(bytes, word_of(Marker::exception_thrown));
  append_text(bytes, cut(text, kErrorBytesMax));
  return bytes;
}

TaskOutput::Bytes TaskOutput::farewell(bool reusable) {
  FOREBAY_ASSERT(state_ == State::reported, "a farewell comes after the report");
  state_ = State::done;
  Bytes bytes;
  append_be(bytes, word_of(reusable ? Marker::end_of_stream : Marker::end_of_data_section));
  return bytes;
}

}  // namespace forebay::spark
