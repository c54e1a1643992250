// SPDX-License-Identifier: Apache-2.0
#pragma once

// A stream of bytes from one thread to another, in two ends:
//
//     auto [writer, reader] = forebay::make_stream();
//     // receiving thread:
//     writer.add_next_chunk(forebay::Chunk::copy_of(received));
//     writer.finish();
//     // deserializing thread:
//     const std::uint32_t length = reader.read_be<std::uint32_t>();
//     forebay::ByteView body = reader.read(length);   // a view into the chunk: no copy
//
// Thread roles: one thread at a time uses the writer, one the reader; each end may move to another
// thread when the caller orders the move. cancel() and stats() may be called by any thread, as long
// as the end they are called on exists. Debug builds abort on overlapping use of one end.
//
// Ordering: what the writing thread did before it added a chunk happens before what the reading
// thread does after it read a byte of it. What was done with a view before its guard was dropped,
// or before the next consuming call, happens before the chunk is released.
//
// Destruction: each end may be destroyed at any time while no call on it is running. A writer that
// goes without finish() fails the stream with Abandoned; a reader that goes cancels it. A thread
// that waits inside an end leaves by cancel(). Guards and shared bytes may outlive both ends.
//
// fork(): a child must leave its parent's streams alone. Checked builds throw ForkedChild from
// every call that may throw; finish(), fail(), cancel() and the destructors do nothing there in any
// build.
//
// Memory: what is buffered and what guards and bounded shares hold is bounded by
// StreamOptions::max_bytes; the writer waits while there is no room.
//
// When not to use: between processes; for many writers or readers; when every chunk is large, no
// deadline, cancel or bound is needed, and a mutex around a queue will do.

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <span>
#include <stop_token>
#include <system_error>
#include <utility>
#include <vector>

#include "forebay/byte_view.h"
#include "forebay/chunk.h"
#include "forebay/detail/stream_core.h"
#include "forebay/error.h"
#include "forebay/shared_bytes.h"
#include "forebay/stream_options.h"

namespace forebay {

namespace detail {
using SystemCore = StreamCore<SystemPolicy>;
struct StreamAccess;
}  // namespace detail

/// What try_read() and read_until() give back.
struct ReadResult {
  /// How the read ended.
  ReadStatus status;
  ByteView view;          ///< the bytes, when the status is ok; else empty
  std::size_t available;  ///< bytes that can be read without waiting; when ok, the size of the view
};

/// The end that a receiving thread writes to. Move-only; an end that was moved from may only be
/// assigned to or destroyed.
class StreamWriter {
 public:
  /// Takes the end over.
  StreamWriter(StreamWriter&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  /// Exchanges the ends.
  StreamWriter& operator=(StreamWriter&& other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  /// Without finish() or fail() before it, the reader gets Abandoned after what was added.
  ~StreamWriter();

  /// Adds a chunk. A chunk of no bytes changes nothing.
  /// Thread role: writer. Blocking: while the stream is at its byte or item bound.
  /// Errors: StreamFinished after finish() or fail(), Cancelled after cancel(), LimitExceeded for
  /// 2^48 bytes or more; the chunk is released.
  void add_next_chunk(Chunk chunk);

  /// Adds the chunk if that needs no waiting. The chunk stays with the caller unless the status is
  /// ok. Throws LimitExceeded as add_next_chunk().
  /// Thread role: writer. Blocking: lock-free, one system call when the reader sleeps.
  [[nodiscard]] PushStatus try_add_next_chunk(Chunk& chunk);

  /// Adds the chunk, or gives up at the deadline or on a stop request, whichever is first. The
  /// chunk stays with the caller unless the status is ok. Throws as above. Thread role: writer.
  [[nodiscard]] PushStatus add_next_chunk_until(Chunk& chunk, Deadline deadline,
                                                std::stop_token stop = {});

  /// Ends the stream. The first of finish() and fail() counts; again, it changes nothing.
  /// Thread role: writer. Wait-free.
  void finish() noexcept;

  /// Ends the stream with an error: what was added before can still be read, then reads throw it.
  /// A null pointer and a zero code count as Abandoned and as std::errc::io_error.
  void fail(std::exception_ptr error) noexcept;
  /// As above, with a std::system_error.
  void fail(std::error_code error) noexcept;

  /// Ends the stream for both sides: what is unread is discarded, every wait ends, every later call
  /// throws or returns cancelled. Thread role: any. Blocking: no, but for one system call, and one
  /// more for each side that sleeps.
  void cancel() noexcept;

  /// Arms a one-shot callback for when a chunk may fit or the stream is cancelled. False when that
  /// is so already; then nothing is armed. A waiting call of the writer takes an armed callback
  /// back. The callback runs on the thread that makes room; it must not block, throw, or use the
  /// stream.
  [[nodiscard]] bool on_writable(void (*callback)(void* context), void* context);

  /// Figures. Thread role: any.
  [[nodiscard]] StreamStats stats() const noexcept;

 private:
  friend struct detail::StreamAccess;
  explicit StreamWriter(detail::SystemCore* core) noexcept : core_(core) {}
  PushStatus add(Chunk& chunk, const detail::Wait& wait);
  detail::SystemCore* core_;
};

/// The end that a deserializing thread reads from. Move-only, as the writer.
///
/// A view is valid until the next consuming call (every read, skip, try_ and _until twin, whatever
/// it returns), and longer under a guard. peek(), at_end() and finished() consume nothing.
class StreamReader {
 public:
  /// Takes the end over.
  StreamReader(StreamReader&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  /// Exchanges the ends.
  StreamReader& operator=(StreamReader&& other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  /// Cancels the stream. Guards and shared bytes stay good.
  ~StreamReader();

  /// The next n bytes: a view into the chunk when one holds them, else gathered once into memory of
  /// the stream. read(0) is empty and never waits.
  /// Thread role: reader. Blocking: until n bytes are there or the stream ends.
  /// Errors: EndOfStream with requested() and available() when it ends first; the writer's error
  /// when it failed; Cancelled; LimitExceeded for more than gather_bytes_max that is not
  /// contiguous; RetainedBudgetExhausted. After any error nothing has been consumed.
  [[nodiscard]] ByteView read(std::size_t n) {
    if (ready(n)) [[likely]]
      return core_->cursor.take(n);
    return read_slow(n);
  }

  /// The next 1 to `max` contiguous bytes, never a copy; empty at the end of the stream and for
  /// max == 0. Blocking and errors as read(1), but no EndOfStream.
  [[nodiscard]] ByteView read_some(std::size_t max);

  /// As read(), without consuming; earlier views stay valid.
  [[nodiscard]] ByteView peek(std::size_t n) {
    if (ready(n)) [[likely]] {
      const auto& cursor = core_->cursor;
      return ByteView(cursor.current, n, cursor.block);
    }
    return peek_slow(n);
  }

  /// Consumes n bytes as they come and returns how many there were: fewer only at the end.
  /// Blocking and errors as read(), but no EndOfStream; what was consumed before an error stays so.
  std::size_t skip(std::size_t n);

  /// Copies bytes out as they come until `out` is full and returns how many: fewer only at the end.
  /// Blocking and errors as skip().
  std::size_t read_into(std::span<std::byte> out);

  /// The next n bytes without a copy, as views in order. Blocking and errors as read(), but
  /// LimitExceeded at once for n beyond max_bytes, and when the memory that the stream may use
  /// fills up first.
  [[nodiscard]] std::vector<ByteView> read_gather(std::size_t n);

  /// Everything up to the end. Errors as read(); LimitExceeded for more than gather_bytes_max that
  /// is not contiguous.
  [[nodiscard]] ByteView read_all();

  /// One integer, big-endian or little-endian. Blocking and errors as read(sizeof(T)).
  template <std::integral T>
  [[nodiscard]] T read_be() {
    return read_integer<T, std::endian::big>();
  }
  /// Little-endian, otherwise as above.
  template <std::integral T>
  [[nodiscard]] T read_le() {
    return read_integer<T, std::endian::little>();
  }

  /// As read(), but never waits and never throws for an expected outcome. Polling makes progress:
  /// a call that finds too few bytes still gives back what the writer may be waiting for.
  /// Throws std::bad_alloc. Thread role: reader. Blocking: no.
  [[nodiscard]] ReadResult try_read(std::size_t n) {
    if (ready(n)) [[likely]]
      return {ReadStatus::ok, core_->cursor.take(n), n};
    return try_read_slow(n);
  }

  /// As try_read(), waiting until the deadline or a stop request.
  [[nodiscard]] ReadResult read_until(std::size_t n, Deadline deadline, std::stop_token stop = {});

  /// The writer's error, when it failed; null before and otherwise. Thread role: reader.
  [[nodiscard]] std::exception_ptr error() const noexcept;

  /// Whether the stream has ended and everything was consumed. Never waits.
  [[nodiscard]] bool finished() const noexcept;

  /// Whether there is nothing more to read: waits for a byte or the end, so that a loop does not
  /// race with it. Earlier views stay valid. Errors as read(), but no EndOfStream.
  [[nodiscard]] bool at_end();

  /// Keeps every view that is valid now, and every later one, valid while the guard or a copy of it
  /// lives, on any thread. What a guard keeps counts against the bound.
  /// Thread role: reader. Wait-free. Errors: LimitExceeded at guards_max.
  [[nodiscard]] Guard pin() {
    const detail::EndUse use(core_->birthplace, core_->reader_in_use, kOneReader);
    return core_->reader.pin();
  }

  /// Takes a valid view out of the epochs; see SharedBytes. The view must come from this stream, or
  /// be empty: std::invalid_argument otherwise. Thread role: the reader, and any thread that holds
  /// a guard for the view. Wait-free.
  [[nodiscard]] SharedBytes share(ByteView view, Retention retention = Retention::bounded) const;

  /// As StreamWriter::cancel(). Thread role: any.
  void cancel() noexcept;

  /// Arms a one-shot callback for when there is something to read, an end or a cancel. False when
  /// that is so already; then nothing is armed. A waiting call of the reader takes an armed
  /// callback back. The callback runs on the thread that publishes; it must not block, throw, or
  /// use the stream.
  [[nodiscard]] bool on_readable(void (*callback)(void* context), void* context);

  /// Figures. Thread role: any.
  [[nodiscard]] StreamStats stats() const noexcept;

 private:
  friend struct detail::StreamAccess;
  static constexpr const char* kOneReader = "two threads used one StreamReader at once";
  explicit StreamReader(detail::SystemCore* core) noexcept : core_(core) {}

  // Whether the run holds n bytes: no call and no atomic operation but a plain load, which a
  // cancel() that happened before makes fail: the difference is negative then.
  [[nodiscard]] bool ready(std::size_t n) const noexcept {
#if FOREBAY_CHECKED
    if (core_->birthplace.left()) return false;  // What is called instead throws ForkedChild.
#endif
    const auto end = reinterpret_cast<std::intptr_t>(core_->cursor.fast_end.load(detail::relaxed));
    const auto current = reinterpret_cast<std::intptr_t>(core_->cursor.current);
    // Not for n == 0, which a cancelled stream must refuse too.
    return n - 1 < PTRDIFF_MAX && static_cast<std::intptr_t>(n) <= end - current;
  }
  template <class T, std::endian Order>
  T read_integer() {
    std::make_unsigned_t<T> value;
    const ByteView bytes = read(sizeof(T));
    std::memcpy(&value, bytes.data(), sizeof(T));
    if constexpr (Order != std::endian::native && sizeof(T) > 1) value = swap_bytes(value);
    return static_cast<T>(value);
  }
  template <class T>
  static T swap_bytes(T value) noexcept {
    if constexpr (sizeof(T) == 2) value = __builtin_bswap16(value);
    if constexpr (sizeof(T) == 4) value = __builtin_bswap32(value);
    if constexpr (sizeof(T) == 8) value = __builtin_bswap64(value);
    return value;
  }

  ByteView read_slow(std::size_t n);
  ByteView peek_slow(std::size_t n);
  ReadResult try_read_slow(std::size_t n);
  ReadResult result(ReadStatus status, std::size_t n);
  [[noreturn]] void raise(ReadStatus status, std::size_t n) const;

  detail::SystemCore* core_;
};

/// The two ends of a new stream: `auto [writer, reader] = make_stream(options);`
struct Stream {
  /// For the receiving thread.
  StreamWriter writer;
  /// For the deserializing thread.
  StreamReader reader;
};

/// Makes a stream. Throws std::invalid_argument for a zero limit, std::bad_alloc.
[[nodiscard]] Stream make_stream(const StreamOptions& options = {});

namespace detail {
/// For the components that receive into blocks of their own.
struct StreamAccess {
  [[nodiscard]] static SystemCore& core(StreamWriter& writer) noexcept { return *writer.core_; }
  [[nodiscard]] static SystemCore& core(StreamReader& reader) noexcept { return *reader.core_; }
  [[nodiscard]] static Stream make(SystemCore* core) noexcept {
    return {StreamWriter(core), StreamReader(core)};
  }
};
}  // namespace detail

}  // namespace forebay
