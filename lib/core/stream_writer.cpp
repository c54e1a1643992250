// SPDX-License-Identifier: Apache-2.0
#include "forebay/stream.h"

namespace forebay {

namespace {

constexpr const char* kOneWriter = "two threads used one StreamWriter at once";

// The error, or the lack of memory for its text.
template <class Make>
std::exception_ptr error_from(Make&& make) noexcept {
  try {
    return std::make_exception_ptr(make());
  } catch (...) {
    return std::current_exception();
  }
}

std::exception_ptr abandoned() noexcept {
  return error_from([] { return Abandoned(); });
}

}  // namespace

StreamWriter::~StreamWriter() {
  // In a forked child it is left as it is, with what its threads were doing when they vanished.
  if (core_ == nullptr || core_->birthplace.left()) return;
  {
    const detail::EndUse use(core_->birthplace, core_->writer_in_use,
                             "a StreamWriter was destroyed while a thread was inside it");
  }
  const bool ended = core_->writer.state() == PushStatus::finished;
  core_->close_writer(ended ? nullptr : abandoned());
}

PushStatus StreamWriter::add(Chunk& chunk, const detail::Wait& wait) {
  const detail::EndUse use(core_->birthplace, core_->writer_in_use, kOneWriter);
  if (chunk.size() > detail::Slice::kSizeMax) {
    throw LimitExceeded("bytes in one chunk", detail::Slice::kSizeMax, chunk.size());
  }
  if (chunk.empty()) {
    const PushStatus status = core_->writer.state();
    if (status == PushStatus::ok) chunk = {};
    return status;
  }
  auto& writer = core_->writer;
  std::uint64_t number = 0;
  if (chunk.block_ == nullptr) {
    number = core_->releases.number_of(chunk.release_.function);
    if (number == 0) chunk.make_block();
  }
  const PushStatus status =
      number != 0 ? writer.add_borrowed(chunk.bytes_, number, chunk.release_.context, wait)
                  : writer.add(chunk.block_, chunk.bytes_.data(), chunk.bytes_.size(), wait);
  if (status == PushStatus::ok) chunk.disown();
  return status;
}

void StreamWriter::add_next_chunk(Chunk chunk) {
  switch (add(chunk, {})) {
    case PushStatus::cancelled:
      throw Cancelled();
    case PushStatus::finished:
      throw StreamFinished();
    default:
      break;  // Without a deadline and a stop token there is no other outcome.
  }
}

PushStatus StreamWriter::try_add_next_chunk(Chunk& chunk) {
  return add(chunk, detail::Wait::none());
}

PushStatus StreamWriter::add_next_chunk_until(Chunk& chunk, Deadline deadline,
                                              std::stop_token stop) {
  return add(chunk, {.deadline = deadline, .stop = std::move(stop)});
}

void StreamWriter::finish() noexcept {
  if (!core_->birthplace.left()) core_->writer.end(nullptr);
}

void StreamWriter::fail(std::exception_ptr error) noexcept {
  if (core_->birthplace.left()) return;
  core_->writer.end(error != nullptr ? std::move(error) : abandoned());
}

void StreamWriter::fail(std::error_code error) noexcept {
  if (core_->birthplace.left()) return;
  if (!error) error = std::make_error_code(std::errc::io_error);
  core_->writer.end(error_from([error] { return std::system_error(error); }));
}

void StreamWriter::cancel() noexcept {
  if (!core_->birthplace.left()) core_->cancel();
}

bool StreamWriter::on_writable(void (*callback)(void* context), void* context) {
  const detail::EndUse use(core_->birthplace, core_->writer_in_use, kOneWriter);
  return core_->writer.arm(callback, context);
}

StreamStats StreamWriter::stats() const noexcept { return core_->stats(); }

}  // namespace forebay
