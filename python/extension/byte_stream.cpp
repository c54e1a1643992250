// SPDX-License-Identifier: Apache-2.0
#include "byte_stream.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "forebay/error.h"
#include "owned_bytes.h"

namespace forebay::python {

namespace {

// Reads that are gathered and copies of more bytes are made without the interpreter's lock: taking
// it back may cost as much as copying so many.
constexpr std::size_t kCopyLockedBytesMax = std::size_t{8} << 10;

constexpr std::size_t kUnbounded = std::numeric_limits<std::size_t>::max() / 8;

StreamOptions options_for(std::optional<std::size_t> max_bytes) {
  StreamOptions options;
  options.max_bytes = max_bytes.value_or(kUnbounded);
  options.gather_bytes_max = kUnbounded;
  if (!max_bytes) options.max_items = 1024;
  return options;
}

// What the end of a stream is in C++ where Python has an exception for it.
struct FailedInPython : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return "an exception in Python"; }
};

void raise_value_error(const char* text) {
  PyErr_SetString(PyExc_ValueError, text);
  throw nb::python_error();
}

}  // namespace

struct ByteStream::Ends {
  std::optional<Stream> own;
  std::optional<socket::SocketReceiver> receiver;

  [[nodiscard]] StreamReader& reader() noexcept {
    return receiver ? receiver->reader() : own->reader;
  }
};

ByteStream::ByteStream(std::unique_ptr<Ends> ends)
    : ends_(std::move(ends)), core_(detail::StreamAccess::core(ends_->reader())) {}

ByteStream::ByteStream(std::optional<std::size_t> max_bytes)
    : ByteStream([&] {
        auto ends = std::make_unique<Ends>();
        ends->own.emplace(make_stream(options_for(max_bytes)));
        return ends;
      }()) {
  bounded_ = max_bytes.has_value();
}

ByteStream::ByteStream(socket::Descriptor descriptor, const socket::ReceiverOptions& options)
    : ByteStream([&] {
        auto ends = std::make_unique<Ends>();
        ends->receiver.emplace(std::move(descriptor), options);
        return ends;
      }()) {
  ended_ = true;
}

ByteStream::~ByteStream() {
  Py_CLEAR(run_view_);
  backlog_.clear();
  ends_.reset();
  drop_failure();
  HeldChunk::drop_given_back();
}

bool ByteStream::received() const noexcept { return ends_->receiver.has_value(); }

// --- The writing side ----------------------------------------------------------------------------

// Has the writer's turn while it lives. Then a reader that sleeps comes to move what is left.
class ByteStream::WriterTurn {
 public:
  explicit WriterTurn(ByteStream& stream) noexcept : stream_(stream) {}
  WriterTurn(const WriterTurn&) = delete;
  WriterTurn& operator=(const WriterTurn&) = delete;
  ~WriterTurn() {
    stream_.writer_turn_.give_back();
    if (!stream_.backlog_.empty()) stream_.backlog_grew_.request_stop();
  }

 private:
  ByteStream& stream_;
};

void ByteStream::add_next_chunk(PyObject* chunk, Deadline deadline) {
  if (!PyMemoryView_Check(chunk)) {
    PyErr_Format(PyExc_TypeError, "a chunk of a ZeroCopyByteStream is a memoryview, not %R",
                 reinterpret_cast<PyObject*>(Py_TYPE(chunk)));
    throw nb::python_error();
  }
  if (!writer_turn_.take(deadline)) throw DeadlineExceeded("another thread is adding a chunk");
  const WriterTurn turn(*this);
  if (ended_) raise_value_error("a finished ZeroCopyByteStream takes no more chunks");
  Chunk held = HeldChunk::of(chunk);
  unread_empty_ = held.empty();
  if (unread_empty_) return;
  if (!backlog_.empty()) move_backlog();
  StreamWriter& writer = ends_->own->writer;
  PushStatus status = backlog_.empty() ? writer.try_add_next_chunk(held) : PushStatus::would_block;
  if (status == PushStatus::would_block && !bounded_) {
    backlog_bytes_ += held.size();
    backlog_.push_back(std::move(held));
    return;
  }
  while (status == PushStatus::would_block) {
    const Deadline until = next_look_at_signals(deadline);
    status = without_lock([&] { return writer.add_next_chunk_until(held, until); });
    if (status != PushStatus::timed_out || deadline.passed()) break;
    look_at_signals();
    status = PushStatus::would_block;
  }
  if (status == PushStatus::timed_out) throw DeadlineExceeded("the stream is full");
  if (status == PushStatus::cancelled) throw Cancelled();
  if (status == PushStatus::finished) raise_value_error("the ZeroCopyByteStream has ended");
}

void ByteStream::move_backlog() {
  StreamWriter& writer = ends_->own->writer;
  while (!backlog_.empty()) {
    const std::size_t size = backlog_.front().size();
    if (writer.try_add_next_chunk(backlog_.front()) == PushStatus::would_block) return;
    backlog_.pop_front();
    backlog_bytes_ -= size;
  }
  if (ended_) end_writer();
}

void ByteStream::end_writer() {
  StreamWriter& writer = ends_->own->writer;
  if (failure_ != nullptr) {
    writer.fail(std::make_exception_ptr(FailedInPython()));
  } else {
    writer.finish();
  }
}

void ByteStream::finish() {
  (void)writer_turn_.take(Deadline::never());
  const WriterTurn turn(*this);
  if (std::exchange(ended_, true)) return;
  if (backlog_.empty()) end_writer();
}

void ByteStream::fail(PyObject* exception) {
  // Before the turn: this may run any Python code.
  PyObject* made = nullptr;
  if (PyExceptionInstance_Check(exception)) {
    made = Py_NewRef(exception);
  } else if (PyExceptionClass_Check(exception)) {
    made = PyObject_CallObject(exception, nullptr);
    if (made == nullptr) throw nb::python_error();
  }
  if (made == nullptr || !PyExceptionInstance_Check(made)) {
    Py_XDECREF(made);
    PyErr_SetString(PyExc_TypeError, "fail() takes an exception");
    throw nb::python_error();
  }
  const nb::object failure = nb::steal(made);
  (void)writer_turn_.take(Deadline::never());
  const WriterTurn turn(*this);
  if (ended_) return;
  failure_ = Py_NewRef(made);
  ended_ = true;
  if (backlog_.empty()) end_writer();
}

// --- The reading side ----------------------------------------------------------------------------

PyObject* ByteStream::view_of(ByteView view) {
  detail::Block* const block = view.block();
  if (const HeldChunk* const chunk = HeldChunk::in(block)) {
    return chunk->view(view.data(), view.size());
  }
  if (run_view_ == nullptr || run_.block() != block || view.data() < run_.data() ||
      view.end() > run_.end()) {
    // Of the whole rest of the run, so that the next reads in it cost no more than a slice.
    const auto& cursor = core_.cursor;
    run_ = ByteView(view.data(), static_cast<std::size_t>(cursor.end - view.data()), block);
    Py_CLEAR(run_view_);
    // What was gathered is the view's own memory.
    const bool read_only = block->pool != nullptr;
    run_view_ = OwnedBytes::view_of(ends_->reader().share(run_, retention()), read_only);
    if (run_view_ == nullptr) return nullptr;
  }
  return OwnedBytes::part(run_view_, view.data() - run_.data(),
                          static_cast<Py_ssize_t>(view.size()));
}

Retention ByteStream::retention() const noexcept {
  // Bounded memory goes back to its pool and is received into again, which saves the kernel's work
  // on new pages. But a program that keeps its views must not stop the receiver.
  const bool room = core_.account.retained() + run_.size() <= core_.options.max_bytes / kViewsShare;
  return received() && room ? Retention::bounded : Retention::detached;
}

void ByteStream::take_reader_turn(Deadline deadline) {
  if (!reader_turn_.take(deadline)) throw DeadlineExceeded("another thread is reading");
}

ReadStatus ByteStream::bring(std::size_t n, Deadline deadline, bool consuming) {
  // Whoever comes here leaves the run, and a view of it must not hold its memory any longer.
  if (consuming && core_.cursor.size() == 0) Py_CLEAR(run_view_);
  for (;;) {
    if (!received()) {
      if (!backlog_.empty() && !writer_turn_.taken()) move_backlog();
      // The next chunk may hold all of it; gathering is for what no chunk holds.
      const bool gathers = core_.cursor.size() != 0 && core_.cursor.size() < n;
      const std::size_t wanted = gathers ? n : std::min<std::size_t>(n, 1);
      if (!gathers || n <= kCopyLockedBytesMax || !backlog_.empty()) {
        const ReadStatus status = core_.reader.ensure(wanted, detail::Wait::none(), consuming);
        if (status != ReadStatus::would_block) {
          if (status != ReadStatus::ok || n <= core_.cursor.size()) return status;
          continue;
        }
        // Whoever has the writer's turn may have let the interpreter's lock go, and stops a wait.
        if (!backlog_.empty() && !writer_turn_.taken()) continue;
      }
    }
    const ReadStatus status = wait_for(n, deadline, consuming);
    if (status == ReadStatus::stopped) continue;
    if (status != ReadStatus::timed_out || deadline.passed()) return status;
    look_at_signals();
  }
}

ReadStatus ByteStream::wait_for(std::size_t n, Deadline deadline, bool consuming) {
  detail::Wait wait{.deadline = next_look_at_signals(deadline)};
  if (!received() && !bounded_) {
    backlog_grew_ = std::stop_source();
    wait.stop = backlog_grew_.get_token();
  }
  return without_lock([&] { return core_.reader.ensure(n, wait, consuming); });
}

void ByteStream::raise(ReadStatus status, std::size_t n) {
  switch (status) {
    case ReadStatus::end:
      PyErr_Format(PyExc_EOFError, "%zu bytes were to be read, and the stream ended after %zu", n,
                   core_.reader.available());
      throw nb::python_error();
    case ReadStatus::failed:
      if (failure_ == nullptr) std::rethrow_exception(core_.error);
      PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(failure_)), failure_);
      throw nb::python_error();
    case ReadStatus::timed_out:
      throw DeadlineExceeded("fewer bytes came than were to be read");
    case ReadStatus::exhausted:
      throw RetainedBudgetExhausted(core_.account.retained(), core_.options.max_bytes);
    case ReadStatus::limit_exceeded:
      throw LimitExceeded("bytes to gather in one read", core_.options.gather_bytes_max, n);
    default:
      throw Cancelled();
  }
}

PyObject* ByteStream::read(std::size_t n, Deadline deadline) {
  if (at_hand(n)) return take(n);
  if (n == 0) return OwnedBytes::empty_view();
  take_reader_turn(deadline);
  const TurnTaken turn(reader_turn_);
  const ReadStatus status = bring(n, deadline, true);
  if (status == ReadStatus::end) {
    const std::size_t rest = skip_rest();
    PyErr_Format(PyExc_EOFError, "%zu bytes were to be read, and the stream ended after %zu", n,
                 rest);
    throw nb::python_error();
  }
  if (status != ReadStatus::ok) raise(status, n);
  return take(n);
}

std::size_t ByteStream::skip_rest() {
  unread_empty_ = false;
  std::size_t done = 0;
  while (core_.reader.ensure(1, detail::Wait::none(), true) == ReadStatus::ok) {
    done += core_.reader.take(core_.cursor.size()).size();
  }
  return done;
}

PyObject* ByteStream::read_some(std::size_t most, Deadline deadline) {
  take_reader_turn(deadline);
  const TurnTaken turn(reader_turn_);
  const ReadStatus status = bring(1, deadline, true);
  if (status == ReadStatus::end) {
    unread_empty_ = false;
    return nullptr;
  }
  if (status != ReadStatus::ok) raise(status, 1);
  return take(std::min(most, core_.cursor.size()));
}

PyObject* ByteStream::read_up_to(std::size_t n, Deadline deadline) {
  if (at_hand(n)) return take(n);
  take_reader_turn(deadline);
  const TurnTaken turn(reader_turn_);
  ReadStatus status = bring(n, deadline, true);
  if (status == ReadStatus::end) {
    unread_empty_ = false;
    n = core_.reader.available();
    if (n == 0) return OwnedBytes::empty_view();
    status = bring(n, deadline, true);
  }
  if (status != ReadStatus::ok) raise(status, n);
  return take(n);
}

PyObject* ByteStream::peek(std::size_t n, Deadline deadline) {
  take_reader_turn(deadline);
  const TurnTaken turn(reader_turn_);
  const ReadStatus status = bring(n, deadline, false);
  if (status != ReadStatus::ok) raise(status, n);
  return view_of(ByteView(core_.cursor.current, n, core_.cursor.block));
}

std::size_t ByteStream::consume(std::byte* out, std::size_t n, Deadline deadline) {
  take_reader_turn(deadline);
  const TurnTaken turn(reader_turn_);
  std::size_t done = 0;
  while (done < n) {
    const ReadStatus status = bring(1, deadline, true);
    if (status == ReadStatus::end) {
      unread_empty_ = false;
      break;
    }
    if (status != ReadStatus::ok) raise(status, n);
    const ByteView part = core_.reader.take(std::min(n - done, core_.cursor.size()));
    if (out != nullptr) {
      const auto copy = [&] {
        std::memcpy(out + done, part.data(), part.size());
        return true;
      };
      part.size() <= kCopyLockedBytesMax ? copy() : without_lock(copy);
      core_.reader.count_copied(part.size());
    }
    done += part.size();
  }
  return done;
}

bool ByteStream::finished() {
  // Whoever has the turn is waiting for more, or not yet done with what is there.
  if (reader_turn_.taken() || unread_empty_) return false;
  if (!backlog_.empty()) return false;
  return core_.reader.finished();
}

// --- Either side ---------------------------------------------------------------------------------

void ByteStream::cancel() {
  core_.cancel();
  backlog_.clear();
  backlog_bytes_ = 0;
  // The reading side lets go of what it has when it comes by, unless somebody is there.
  if (!reader_turn_.taken()) (void)core_.reader.ensure(1, detail::Wait::none(), true);
  HeldChunk::drop_given_back();
}

StreamStats ByteStream::stats() const {
  StreamStats stats = core_.stats();
  stats.bytes_in += backlog_bytes_;
  stats.slices_in += backlog_.size();
  stats.bytes_buffered += backlog_bytes_;
  stats.bytes_detached += stats.bytes_retained;
  return stats;
}

}  // namespace forebay::python
