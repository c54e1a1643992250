// SPDX-License-Identifier: Apache-2.0
#pragma once

// ByteStream: what is behind forebay.ZeroCopyByteStream: a stream whose two ends Python threads
// use, or whose writer is a receiver in C++.
//
// Locks: every member is called with the interpreter's lock. What waits, and what copies much, lets
// it go and has the turn of its end meanwhile; so each end is used by one thread at a time, and the
// two ends by two. A read that finds its bytes in the chunk does neither.
//
// Without a bound: the ring of the stream is bounded, so what finds no room in it waits in a
// backlog, which the reading side moves on. A reader that sleeps when a writer leaves something
// there is stopped to do so.

#include <deque>
#include <memory>
#include <optional>
#include <stop_token>

#include "forebay/detail/stream_core.h"
#include "forebay/socket/receiver.h"
#include "forebay/stream.h"
#include "held_chunk.h"
#include "python.h"
#include "turn.h"

namespace forebay::python {

class ByteStream {
 public:
  /// Of the bound of a received stream, one part in so many is for what views hold; what they hold
  /// beyond that does not count.
  static constexpr std::size_t kViewsShare = 9;

  /// A stream that Python writes to. No `max_bytes`: without a bound.
  explicit ByteStream(std::optional<std::size_t> max_bytes);
  /// A stream that a connection fills.
  ByteStream(socket::Descriptor descriptor, const socket::ReceiverOptions& options);
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;
  ~ByteStream();

  // The writing side.
  /// Adds a memoryview; TypeError for anything else, ValueError after an end.
  void add_next_chunk(PyObject* chunk, Deadline deadline);
  /// Ends the stream, once what waits in front of the bound was added.
  void finish();
  /// Ends the stream with an exception, or with what calling `exception` makes.
  void fail(PyObject* exception);

  // The reading side. Each view is a new reference; null with an error set.
  /// The next n bytes. EOFError at the end, which consumes what is left.
  [[nodiscard]] PyObject* read(std::size_t n, Deadline deadline);
  /// The next 1 to `most` bytes of one chunk; null without an error at the end.
  [[nodiscard]] PyObject* read_some(std::size_t most, Deadline deadline);
  /// The next n bytes, fewer at the end.
  [[nodiscard]] PyObject* read_up_to(std::size_t n, Deadline deadline);
  /// As read(), without consuming, also at the end.
  [[nodiscard]] PyObject* peek(std::size_t n, Deadline deadline);
  /// Consumes n bytes, fewer at the end, and copies them to `out` unless that is null.
  [[nodiscard]] std::size_t consume(std::byte* out, std::size_t n, Deadline deadline);
  [[nodiscard]] bool finished();

  // Either side.
  void cancel();
  [[nodiscard]] bool cancelled() const noexcept { return core_.is_cancelled(); }
  [[nodiscard]] StreamStats stats() const;

  // The exception of fail(), for the collector of garbage.
  [[nodiscard]] PyObject* failure() const noexcept { return failure_; }
  void drop_failure() noexcept { Py_CLEAR(failure_); }

 private:
  using Core = detail::SystemCore;
  struct Ends;
  class WriterTurn;

  explicit ByteStream(std::unique_ptr<Ends> ends);

  [[nodiscard]] bool received() const noexcept;
  // Whether the run holds n bytes, and nobody else is reading: then nothing has to be asked.
  [[nodiscard]] bool at_hand(std::size_t n) const noexcept {
    return n <= core_.cursor.size() && n != 0 && !reader_turn_.taken() && !core_.is_cancelled();
  }
  [[nodiscard]] PyObject* take(std::size_t n) { return view_of(core_.cursor.take(n)); }
  [[nodiscard]] PyObject* view_of(ByteView view);
  [[nodiscard]] Retention retention() const noexcept;

  // What follows is called by who has the reader's turn.
  [[nodiscard]] ReadStatus bring(std::size_t n, Deadline deadline, bool consuming);
  [[nodiscard]] ReadStatus wait_for(std::size_t n, Deadline deadline, bool consuming);
  [[nodiscard]] std::size_t skip_rest();
  [[noreturn]] void raise(ReadStatus status, std::size_t n);
  void take_reader_turn(Deadline deadline);

  // What follows by who has the writer's turn, or keeps the interpreter's lock.
  void move_backlog();
  void end_writer();

  std::unique_ptr<Ends> ends_;
  Core& core_;
  Turn reader_turn_;
  Turn writer_turn_;

  std::deque<Chunk> backlog_;
  std::size_t backlog_bytes_ = 0;
  std::stop_source backlog_grew_{std::nostopstate};  // of a reader that sleeps
  bool bounded_ = true;
  bool ended_ = false;         // by finish() or fail()
  bool unread_empty_ = false;  // a chunk of no bytes was added last, which nobody has read yet
  PyObject* failure_ = nullptr;

  // A memoryview of what was left of the run when it was made, where the run is not Python's.
  PyObject* run_view_ = nullptr;
  ByteView run_;
};

}  // namespace forebay::python
