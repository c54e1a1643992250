// SPDX-License-Identifier: Apache-2.0
#pragma once

// A reader that knows what the bytes of its stream must be, uses every call there is, and checks
// what each may say. Views are looked at again just before they may become bad, and under guards
// and in shares on other fibers.

#include <span>
#include <vector>

#include "forebay/stream.h"
#include "scenario.h"

namespace forebay::deterministic {

/// Something that keeps bytes readable, and what they must be.
struct Held {
  Guard guard;
  SharedBytes share;
  std::span<const std::byte> view;
  std::span<const std::byte> expected;
};

/// Prints what a stream was made with and what has come of it.
void print_stream(const StreamOptions& options, const StreamStats& stats);

/// Takes what is held as it comes, looks at it for a while, copies it, cuts it, and drops it.
void hold_and_drop(Mailbox<Held>& mail, std::uint64_t seed);

class CheckedReader {
 public:
  /// How the bytes came to their end.
  enum class End : std::uint8_t { none, finished, failed, cancelled };

  struct Habits {
    Mailbox<Held>* mail = nullptr;  ///< where held bytes go; null: nothing is held
    bool scarce_memory = false;     ///< whether memory may be refused
    bool reactor = false;           ///< whether it waits by callbacks, too
  };

  CheckedReader(StreamReader& reader, std::span<const std::byte> content,
                const StreamOptions& options, const Habits& habits, std::uint64_t seed) noexcept;

  /// Reads on, or tries to; and what that came to.
  End step();
  /// Bytes consumed.
  [[nodiscard]] std::size_t position() const noexcept { return position_; }
  /// Drops what it holds itself.
  void let_go();

 private:
  struct Seen {
    std::span<const std::byte> view;
    std::size_t at;
  };

  [[nodiscard]] bool failed_for_memory() const;
  void note_failure();
  void read_once(std::size_t n);
  void read_in_parts(std::size_t n);
  void count_status(ReadStatus status, const ByteView& view, std::size_t n);
  void consume(const ByteView& view);
  void see(const ByteView& view);
  void end_views();
  void hold(const ByteView& view);
  void await_readable();

  StreamReader& reader_;
  const std::span<const std::byte> content_;
  const std::size_t gather_bytes_max_;
  const Habits habits_;
  Random random_;
  const std::size_t most_;  // bytes of one read
  std::size_t position_ = 0;
  std::vector<Seen> views_;
  std::vector<Held> own_;
  End end_ = End::none;
  Callback callback_;
  bool one_byte_next_ = false;
};

}  // namespace forebay::deterministic
