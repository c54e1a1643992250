// SPDX-License-Identifier: Apache-2.0
#include "checked_reader.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "forebay/error.h"

namespace forebay::deterministic {

namespace {

void require_equal(std::span<const std::byte> bytes, std::span<const std::byte> expected) {
  require(bytes.size() == expected.size() &&
              (bytes.empty() || std::memcmp(bytes.data(), expected.data(), bytes.size()) == 0),
          "bytes are not those that were sent");
}

}  // namespace

void print_stream(const StreamOptions& options, const StreamStats& stats) {
  const auto print = [](const char* name, std::uint64_t value) {
    std::fprintf(stderr, "  %s %llu\n", name, static_cast<unsigned long long>(value));
  };
  std::fprintf(stderr, "stream:\n");
  print("max_bytes", options.max_bytes);
  print("max_items", options.max_items);
  print("gather_bytes_max", options.gather_bytes_max);
  print("retention_grace", static_cast<std::uint64_t>(options.retention_grace.count()));
  print("bytes_in", stats.bytes_in);
  print("bytes_out", stats.bytes_out);
  print("bytes_copied", stats.bytes_copied);
  print("bytes_buffered", stats.bytes_buffered);
  print("bytes_retained", stats.bytes_retained);
  print("bytes_detached", stats.bytes_detached);
  print("bytes_peak", stats.bytes_peak);
  print("shares", stats.shares);
}

void hold_and_drop(Mailbox<Held>& mail, std::uint64_t seed) {
  Random random(seed);
  Held held;
  while (mail.take(held)) {
    for (std::size_t looks = random.up_to(8); looks-- > 0;) {
      yield();
      require_equal(held.view, held.expected);
      if (held.share.empty()) {
        if (random.one_in(3)) held.guard = Guard(held.guard);
        continue;
      }
      switch (random.below(4)) {
        case 0: {
          const std::size_t begin = random.below(held.expected.size());
          const std::size_t count = random.up_to(held.expected.size() - begin);
          held.share = held.share.subview(begin, count);
          held.expected = held.expected.subspan(begin, count);
          break;
        }
        case 1:
          held.share = held.share.compact();
          break;
        default:
          held.share = SharedBytes(held.share);
      }
      held.view = held.share;
    }
    held = {};
  }
}

CheckedReader::CheckedReader(StreamReader& reader, std::span<const std::byte> content,
                             const StreamOptions& options, const Habits& habits,
                             std::uint64_t seed) noexcept
    : reader_(reader),
      content_(content),
      gather_bytes_max_(options.gather_bytes_max),
      habits_(habits),
      random_(seed),
      most_(std::max(random_.up_to(512), content.size() / 100)) {}

CheckedReader::End CheckedReader::step() {
  const std::size_t left = content_.size() - position_;
  // Now and then more than there can be.
  const std::size_t there = std::max<std::size_t>(1, left + (random_.one_in(16) ? 1 : 0));
  const std::size_t n =
      std::exchange(one_byte_next_, false) ? 1 : std::min(random_.up_to(most_), there);
  try {
    read_once(n);
  } catch (const EndOfStream& end) {
    require(n > left, "an end came where there are bytes");
    require(end.requested() == n, "the end says something else than was asked");
    require(end.available() == left, "the end came before all bytes");
    if (left == 0) end_ = End::finished;
  } catch (const Cancelled&) {
    end_ = End::cancelled;
  } catch (const LimitExceeded&) {
    require(n > 1, "one byte is beyond a limit");
    let_go();
    one_byte_next_ = true;
  } catch (const RetainedBudgetExhausted&) {
    require(habits_.mail != nullptr, "nothing is held, and holds everything");
    let_go();
    yield();
  } catch (const std::bad_alloc&) {
    // The writer was refused memory, or this reader, which has lost nothing by it.
    require(g_memory_was_refused, "memory was refused that is there");
    if (failed_for_memory()) note_failure();
  } catch (const std::exception&) {
    require(reader_.error() != nullptr, "an error that is not the stream's");
    note_failure();
  }
  if (end_ != End::none) {
    if (end_ != End::cancelled) end_views();
    let_go();
  }
  return end_;
}

void CheckedReader::let_go() { own_.clear(); }

bool CheckedReader::failed_for_memory() const {
  try {
    if (reader_.error() != nullptr) std::rethrow_exception(reader_.error());
  } catch (const std::bad_alloc&) {
    return true;
  } catch (const std::exception&) {
    // The stream failed, or will, for another reason.
  }
  return false;
}

// Fewer bytes than asked are left; they are still to be read.
void CheckedReader::note_failure() {
  if (reader_.error() != nullptr && reader_.finished()) end_ = End::failed;
}

void CheckedReader::read_once(std::size_t n) {
  const ScarceMemory memory(habits_.scarce_memory);
  switch (random_.below(12)) {
    case 0: {
      const ByteView view = reader_.peek(n);
      require(view.size() == n, "a view has another size than asked");
      see(view);
      return;
    }
    case 1:
    case 2:
      return read_in_parts(n);
    case 3: {
      end_views();
      const ByteView view = reader_.read_some(n);
      require(view.size() <= n, "more bytes than asked");
      if (view.empty() && n != 0) {
        require(position_ == content_.size(), "an end came before all bytes");
        end_ = End::finished;
      }
      return consume(view);
    }
    case 4: {
      end_views();
      const ReadResult result = reader_.try_read(n);
      count_status(result.status, result.view, n);
      if (result.status == ReadStatus::would_block) yield();
      return;
    }
    case 5: {
      end_views();
      const Deadline deadline = some_deadline(random_, 30'000);
      const ReadResult result = reader_.read_until(n, deadline);
      require(result.status != ReadStatus::timed_out || deadline.passed(),
              "a deadline passed too early");
      return count_status(result.status, result.view, n);
    }
    case 6: {
      end_views();
      std::stop_source stop;
      const Task stopper("stopper", [&stop] { request_stop(stop); });
      const ReadResult result = reader_.read_until(n, Deadline::never(), stop.get_token());
      require(result.status != ReadStatus::stopped || stop.stop_requested(),
              "nobody asked to stop");
      return count_status(result.status, result.view, n);
    }
    case 7: {
      end_views();
      // Nothing of a failed attempt was consumed.
      const std::vector<ByteView> views = reader_.read_gather(n);
      std::size_t size = 0;
      for (const ByteView& view : views) {
        size += view.size();
        consume(view);
      }
      require(size == n, "views of another size than asked");
      return;
    }
    case 8:
      if (reader_.at_end()) {
        require(position_ == content_.size(), "an end came before all bytes");
        end_ = End::finished;
      }
      return;
    case 9:
      if (habits_.reactor) await_readable();
      return;
    default: {
      end_views();
      const ByteView view = reader_.read(n);
      require(view.size() == n, "a view has another size than asked");
      return consume(view);
    }
  }
}

// The calls that keep what they consumed before an error: one byte at a time, so that an error
// leaves no doubt about what was consumed.
void CheckedReader::read_in_parts(std::size_t n) {
  const ScarceMemory memory(false);
  end_views();
  std::byte out[1];
  const std::size_t size = std::min<std::size_t>(n, sizeof out);
  std::size_t done = 0;
  if (random_.one_in(2)) {
    done = reader_.skip(size);
  } else {
    done = reader_.read_into(std::span(out, size));
    require(position_ + done <= content_.size(), "there are more bytes than were sent");
    require_equal(std::span(out, done), content_.subspan(position_, done));
  }
  position_ += done;
  if (done == size) return;
  require(position_ == content_.size(), "an end came before all bytes");
  end_ = End::finished;
}

void CheckedReader::count_status(ReadStatus status, const ByteView& view, std::size_t n) {
  switch (status) {
    case ReadStatus::ok:
      require(view.size() == n, "a view has another size than asked");
      return consume(view);
    case ReadStatus::end:
      require(n > content_.size() - position_, "an end came where there are bytes");
      if (position_ == content_.size()) end_ = End::finished;
      break;
    case ReadStatus::cancelled:
      end_ = End::cancelled;
      break;
    case ReadStatus::failed:
      note_failure();
      break;
    case ReadStatus::exhausted:
      require(habits_.mail != nullptr, "nothing is held, and holds everything");
      let_go();
      yield();
      break;
    case ReadStatus::limit_exceeded:
      require(n > gather_bytes_max_, "a read within the limit is beyond it");
      let_go();
      one_byte_next_ = true;
      break;
    case ReadStatus::would_block:
    case ReadStatus::timed_out:
    case ReadStatus::stopped:
      break;
  }
  require(view.empty(), "bytes came with a read that failed");
}

void CheckedReader::consume(const ByteView& view) {
  require(position_ + view.size() <= content_.size(), "there are more bytes than were sent");
  see(view);
  position_ += view.size();
  if (!view.empty()) hold(view);
}

void CheckedReader::see(const ByteView& view) {
  const ScarceMemory memory(false);
  require(position_ + view.size() <= content_.size(), "there are more bytes than were sent");
  require_equal(view, content_.subspan(position_, view.size()));
  views_.push_back({view, position_});
}

// A consuming call comes: until now the views had to be good.
void CheckedReader::end_views() {
  for (const Seen& seen : views_) {
    require_equal(seen.view, content_.subspan(seen.at, seen.view.size()));
  }
  views_.clear();
}

void CheckedReader::hold(const ByteView& view) {
  if (habits_.mail == nullptr || !random_.one_in(3)) return;
  const ScarceMemory memory(false);
  Held held;
  held.view = view;
  held.expected = content_.subspan(position_ - view.size(), view.size());
  if (random_.one_in(2)) {
    try {
      held.guard = reader_.pin();
    } catch (const LimitExceeded&) {
      return;
    }
  } else {
    held.share = reader_.share(view, random_.one_in(2) ? Retention::bounded : Retention::detached);
  }
  if (random_.one_in(4)) {
    own_.push_back(held);
    if (own_.size() > 3) own_.erase(own_.begin());
  }
  habits_.mail->put(std::move(held));
}

// As a reactor does.
void CheckedReader::await_readable() {
  if (callback_.is_pending()) return;
  const auto arm_with = [this](auto... callback) { return reader_.on_readable(callback...); };
  if (!callback_.arm(arm_with)) return;
  // A waiting call takes the callback back.
  if (random_.one_in(2)) return;
  let_go();  // Who waits for the writer must not hold what the writer waits for.
  callback_.await("on_readable");
}

}  // namespace forebay::deterministic
