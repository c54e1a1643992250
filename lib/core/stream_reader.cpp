// SPDX-License-Identifier: Apache-2.0
#include "forebay/detail/assert.h"
#include "forebay/stream.h"

namespace forebay {

StreamReader::~StreamReader() {
  // In a forked child it is left as it is, with what its threads were doing when they vanished.
  if (core_ == nullptr || core_->birthplace.left()) return;
  {
    const detail::EndUse use(core_->birthplace, core_->reader_in_use,
                             "a StreamReader was destroyed while a thread was inside it");
  }
  core_->close_reader();
}

void StreamReader::raise(ReadStatus status, std::size_t n) const {
  switch (status) {
    case ReadStatus::end:
      throw EndOfStream(n, core_->reader.available());
    case ReadStatus::failed:
      std::rethrow_exception(core_->error);
    case ReadStatus::exhausted:
      throw RetainedBudgetExhausted(core_->account.retained(), core_->options.max_bytes);
    case ReadStatus::limit_exceeded:
      throw LimitExceeded("bytes to gather in one read", core_->options.gather_bytes_max, n);
    default:
      // Only calls with a deadline or a stop token end otherwise, and they do not throw.
      FOREBAY_ASSERT(status == ReadStatus::cancelled, "a read ended in a way it must not throw of");
      throw Cancelled();
  }
}

ByteView StreamReader::read_slow(std::size_t n) {
  const detail::EndUse use(core_->birthplace, core_->reader_in_use, kOneReader);
  const ReadStatus status = core_->reader.ensure(n, {}, true);
  if (status != ReadStatus::ok) raise(status, n);
  return core_->cursor.take(n);
}

ByteView StreamReader::peek_slow(std::size_t n) {
  const detail::EndUse use(core_->birthplace, core_->reader_in_use, kOneReader);
  const ReadStatus status = core_->reader.ensure(n, {}, false);
  if (status != ReadStatus::ok) raise(status, n);
  const auto& cursor = core_->cursor;
  return ByteView(cursor.current, n, cursor.block);
}

ByteView StreamReader::read_some(std::size_t max) {
  const detail::EndUse use(core_->birthplace, core_->reader_in_use, kOneReader);
  if (max == 0) return {};
  const ReadStatus status = core_->reader.ensure(1, {}, true);
  if (status == ReadStatus::end) return {};
  if (status != ReadStatus::ok) raise(status, 1);
  return core_->reader.take(std::min(max, core_->cursor.size()));
}

std::size_t StreamReader::skip(std::size_t n) {
  const detail::EndUse use(core_->birthplace, core_->reader_in_use, kOneReader);
  auto& reader = core_->reader;
  std::size_t done = 0;
  while (done < n) {
    const ReadStatus status = reader.ensure(1, {}, true);
    if (status == ReadStatus::end) break;
    if (status != ReadStatus::ok) raise(status, n);
    done += reader.take(std::min(n - done, core_->cursor.size())).size();
  }
  return done;
}

std::size_t StreamReader::read_into(std::span<std::byte> out) {
  const detail::EndUse use(core_->birthplace, core_->reader_in_use, kOneReader);
  auto& reader = core_->reader;
  std::size_t done = 0;
  while (done < out.size()) {
    const ReadStatus status = reader.ensure(1, {}, true);
    if (status == ReadStatus::end) break;
    if (status != ReadStatus::ok) raise(status, out.size());
    const ByteView part = reader.take(std::min(out.size() - done, core_->cursor.size()));
    std::memcpy(out.data() + done, part.data(), part.size());
    reader.count_copied(part.size());
    done += part.size();
  }
  return done;
}

std::vector<ByteView> StreamReader::read_gather(std::size_t n) {
  const detail::EndUse use(core_->birthplace, core_->reader_in_use, kOneReader);
  if (n > core_->options.max_bytes) {
    throw LimitExceeded("bytes in one read_gather", core_->options.max_bytes, n);
  }
  auto& reader = core_->reader;
  const ReadStatus status = reader.ensure_buffered(n, {});
  if (status == ReadStatus::limit_exceeded) {
    throw LimitExceeded("bytes in one read_gather and held besides", core_->options.max_bytes, n);
  }
  if (status != ReadStatus::ok) raise(status, n);
  std::vector<ByteView> views;
  views.reserve(reader.pieces(n));
  for (std::size_t left = n; left != 0;) {
    views.push_back(reader.take_slice(left));
    left -= views.back().size();
  }
  reader.mark_lingering();
  return views;
}

ByteView StreamReader::read_all() {
  const detail::EndUse use(core_->birthplace, core_->reader_in_use, kOneReader);
  const ReadStatus status = core_->reader.ensure_all({});
  if (status != ReadStatus::ok) raise(status, core_->reader.available());
  return core_->reader.take(core_->cursor.size());
}

ReadResult StreamReader::result(ReadStatus status, std::size_t n) {
  if (status == ReadStatus::ok) return {status, core_->cursor.take(n), n};
  const bool gone = status == ReadStatus::cancelled;
  return {status, {}, gone ? 0 : core_->reader.available()};
}

ReadResult StreamReader::try_read_slow(std::size_t n) {
  const detail::EndUse use(core_->birthplace, core_->reader_in_use, kOneReader);
  return result(core_->reader.ensure(n, detail::Wait::none(), true), n);
}

ReadResult StreamReader::read_until(std::size_t n, Deadline deadline, std::stop_token stop) {
  if (ready(n)) return {ReadStatus::ok, core_->cursor.take(n), n};
  const detail::EndUse use(core_->birthplace, core_->reader_in_use, kOneReader);
  return result(core_->reader.ensure(n, {.deadline = deadline, .stop = std::move(stop)}, true), n);
}

std::exception_ptr StreamReader::error() const noexcept {
  return core_->ended() ? core_->error : nullptr;
}

bool StreamReader::finished() const noexcept { return core_->reader.finished(); }

bool StreamReader::at_end() {
  const detail::EndUse use(core_->birthplace, core_->reader_in_use, kOneReader);
  const ReadStatus status = core_->reader.ensure(1, {}, false);
  if (status == ReadStatus::end) return true;
  if (status != ReadStatus::ok) raise(status, 1);
  return false;
}

SharedBytes StreamReader::share(ByteView view, Retention retention) const {
  if (core_->birthplace.left()) throw ForkedChild();
  if (view.empty()) return {};
  const auto* const block = static_cast<detail::BasicBlock<detail::SystemPolicy>*>(view.block());
  if (block == nullptr || block->home != core_) {
    throw std::invalid_argument("StreamReader::share: the view does not come from this stream");
  }
  return SharedBytes(view, retention);
}

void StreamReader::cancel() noexcept {
  if (!core_->birthplace.left()) core_->cancel();
}

bool StreamReader::on_readable(void (*callback)(void* context), void* context) {
  const detail::EndUse use(core_->birthplace, core_->reader_in_use, kOneReader);
  return core_->reader.arm(callback, context);
}

StreamStats StreamReader::stats() const noexcept { return core_->stats(); }

Stream make_stream(const StreamOptions& options) {
  if (options.max_bytes == 0 || options.max_items == 0 || options.gather_bytes_max == 0 ||
      options.guards_max == 0) {
    throw std::invalid_argument("make_stream: the limits of a stream must not be zero");
  }
  return detail::StreamAccess::make(new detail::SystemCore(options));
}

}  // namespace forebay
