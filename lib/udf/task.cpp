// SPDX-License-Identifier: Apache-2.0
#include "task.h"

#include <string_view>
#include <utility>

namespace forebay::udf {

using Next = spark::TaskInput::Next;

namespace {

constexpr std::string_view kUserError = "UserError: ";

std::string_view without_prefix(std::string_view text) {
  return text.starts_with(kUserError) ? text.substr(kUserError.size()) : text;
}

}  // namespace

Task::Task(ByteInput& channel, BatchOutput& output, const spark::InitMessage& init,
           TaskContext context, spark::InputShape shape, Rows rows)
    : channel_(channel),
      output_(output),
      init_(init),
      context_(std::move(context)),
      input_(shape),
      rows_(rows) {}

template <class Body>
auto Task::on_channel(Body body) {
  const auto begin = Clock::now();
  try {
    auto result = body();
    channel_time_ += Clock::now() - begin;
    return result;
  } catch (const UserError&) {
    throw;
  } catch (...) {
    channel_error_ = std::current_exception();
    throw;
  }
}

std::shared_ptr<arrow::RecordBatchReader> Task::next_stream(bool keep) {
  return on_channel([&]() -> std::shared_ptr<arrow::RecordBatchReader> {
    if (stream_ != nullptr) {
      while (read_batch() != nullptr) {
      }
      channel_.move_to(stream_->position());
      stream_ = nullptr;
      input_.stream_ended();
    }
    if (input_.next() == Next::group_word) {
      const std::uint64_t offset = channel_.position();
      input_.word(channel_.read_word(input_.wanted_for()), offset);
      ++groups_;
      batches_ = 0;
    }
    if (input_.next() != Next::arrow_stream) return nullptr;
    arrow::ReadOptions options;
    options.stream_offset = channel_.position();
    options.body_bytes_max = channel_.batch_bytes_max();
    if (keep) options.retention = Retention::detached;
    stream_ = arrow::RecordBatchReader::open(channel_.reader(), std::move(options));
    return stream_;
  });
}

Batch Task::next_batch() {
  return on_channel([&] {
    Batch batch = read_batch();
    if (batch != nullptr) ++batches_;
    return batch;
  });
}

// Spark's own end where Arrow's should be would be taken for the length of a message.
Batch Task::read_batch() {
  constexpr std::size_t kMarkerBytes = 8;
  if (stream_->at_end()) return nullptr;
  try {
    const ByteView word = channel_.reader().peek(sizeof(std::int32_t));
    constexpr auto kEnd = static_cast<std::uint32_t>(spark::Marker::end_of_stream);
    std::uint32_t value = 0;
    for (const std::byte byte : word) value = value << 8 | std::to_integer<std::uint32_t>(byte);
    if (value == kEnd) {
      throw Truncated("the end marker of an Arrow stream before END_OF_STREAM (-4)", kMarkerBytes,
                      0, stream_->position());
    }
  } catch (const EndOfStream&) {
    // The reader below says what is missing.
  }
  return stream_->next();
}

void Task::send(const ::arrow::RecordBatch& batch) {
  on_channel([&] {
    output_.write(batch);
    return true;
  });
}

void Task::finish_stream() {
  if (stream_ == nullptr) return;
  while (read_batch() != nullptr) {
  }
}

void Task::finish_input() {
  while (next_stream(false) != nullptr) {
  }
  const std::uint64_t offset = channel_.position();
  input_.word(channel_.read_word(input_.wanted_for()), offset);
}

void Task::raise_user_error(const std::string& what) {
  std::string where = " failed in partition " + std::to_string(context_.partition);
  if (groups_ != 0) where += ", group " + std::to_string(groups_ - 1);
  if (batches_ != 0) where += ", batch " + std::to_string(batches_ - 1);
  try {
    throw;
  } catch (const std::exception& error) {
    throw UserError(what + where + ": " + std::string(without_prefix(error.what())));
  } catch (...) {
    throw UserError(what + where + ": it threw something that is no std::exception");
  }
}

std::int64_t Task::processing_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(called_ - channel_time_).count();
}

}  // namespace forebay::udf
