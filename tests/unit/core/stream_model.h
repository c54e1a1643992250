// SPDX-License-Identifier: Apache-2.0
#pragma once

// A stream beside a plain model of it: a string of what was added, a position, and how it ended.
// Every call is made on both and compared; views are looked at for as long as they must be good,
// and borrowed memory is overwritten when it is released, so that a release that came too early
// shows.

#include <cstdint>
#include <deque>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "unit/core/support.h"

namespace forebay::test {

/// What a sequence of calls did is not what the model says. Whoever drives the sequence reports it.
struct ModelViolated : std::logic_error {
  using std::logic_error::logic_error;
};
#define FOREBAY_REQUIRE(condition)                                       \
  ((condition) ? void()                                                  \
               : throw forebay::test::ModelViolated("not so, at line " + \
                                                    std::to_string(__LINE__) + ": " #condition))

/// What the streams of the model fail with.
struct ModelError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class ModelledStream {
 public:
  enum class End : std::uint8_t { open, finished, failed };
  enum class Kind : std::uint8_t { copied, adopted, borrowed };

  explicit ModelledStream(const StreamOptions& options)
      : options_(options), stream_(make_stream(options)) {}

  // --- Writer
  // --------------------------------------------------------------------------------------

  void add(Kind kind, std::size_t size, bool with_deadline) {
    const std::string bytes = pattern(size, sent_.size());
    Chunk chunk = make(kind, bytes);
    const PushStatus status = with_deadline ? writer().add_next_chunk_until(
                                                  chunk, Deadline::after(std::chrono::seconds(0)))
                                            : writer().try_add_next_chunk(chunk);
    const PushStatus blocked = with_deadline ? PushStatus::timed_out : PushStatus::would_block;
    if (cancelled_) {
      FOREBAY_REQUIRE(status == PushStatus::cancelled);
    } else if (end_ != End::open) {
      FOREBAY_REQUIRE(status == PushStatus::finished);
    } else if (size == 0) {
      FOREBAY_REQUIRE(status == PushStatus::ok);
    } else {
      FOREBAY_REQUIRE(status == PushStatus::ok || status == blocked);
    }
    if (status == PushStatus::ok) {
      FOREBAY_REQUIRE(chunk.empty());
      sent_ += bytes;
    } else {
      FOREBAY_REQUIRE(chunk.size() == size);
    }
  }

  void finish() {
    writer().finish();
    if (end_ == End::open) end_ = End::finished;
  }
  void fail() {
    writer().fail(std::make_exception_ptr(ModelError("the model failed")));
    if (end_ == End::open) end_ = End::failed;
  }
  void cancel(bool by_writer) {
    by_writer ? writer().cancel() : reader().cancel();
    cancelled_ = true;
  }

  // --- Reader
  // --------------------------------------------------------------------------------------

  [[nodiscard]] std::size_t available() const { return sent_.size() - consumed_; }
  /// Whether a call that wants n bytes would return at once.
  [[nodiscard]] bool decided(std::size_t n) const {
    return cancelled_ || end_ != End::open || n <= available();
  }

  void try_read(std::size_t n, bool with_deadline) {
    views_die();
    const ReadResult result =
        with_deadline ? reader().read_until(n, Deadline::at(Deadline::time_point::min()))
                      : reader().try_read(n);
    if (result.status == ReadStatus::ok) {
      FOREBAY_REQUIRE(!cancelled_);
      FOREBAY_REQUIRE(n <= available());
      FOREBAY_REQUIRE(result.view.size() == n);
      FOREBAY_REQUIRE(result.available == n);
      consume(result.view);
      return;
    }
    FOREBAY_REQUIRE(result.view.empty());
    if (cancelled_) {
      FOREBAY_REQUIRE(result.status == ReadStatus::cancelled);
      return;
    }
    FOREBAY_REQUIRE(result.available == available());
    if (n <= available()) {
      expect_limit(result.status, n);
    } else if (end_ != End::open) {
      FOREBAY_REQUIRE(result.status ==
                      (end_ == End::failed ? ReadStatus::failed : ReadStatus::end));
    } else if (result.status == ReadStatus::exhausted) {
      FOREBAY_REQUIRE(!guards_.empty() || !shares_.empty());
    } else if (result.status != (with_deadline ? ReadStatus::timed_out : ReadStatus::would_block)) {
      expect_limit(result.status, n);
    }
  }

  void read(std::size_t n) {
    if (!decided(n)) return;
    views_die();
    throwing(n, options_.gather_bytes_max, [&] {
      const ByteView view = reader().read(n);
      FOREBAY_REQUIRE(view.size() == n);
      consume(view);
    });
  }

  void peek(std::size_t n) {
    if (!decided(n)) return;
    throwing(n, options_.gather_bytes_max, [&] {
      const ByteView view = reader().peek(n);
      FOREBAY_REQUIRE(view.size() == n);
      see(view, consumed_);
    });
  }

  void read_gather(std::size_t n) {
    if (!decided(n) && n <= options_.max_bytes) return;
    views_die();
    if (n > options_.max_bytes) {
      bool refused = false;
      try {
        (void)reader().read_gather(n);
      } catch (const LimitExceeded&) {
        refused = true;
      }
      FOREBAY_REQUIRE(refused);
      return;
    }
    throwing(n, SIZE_MAX, [&] {
      const std::uint64_t copied = reader().stats().bytes_copied;
      std::size_t size = 0;
      for (const ByteView& view : reader().read_gather(n)) {
        FOREBAY_REQUIRE(!view.empty());
        size += view.size();
        consume(view);
      }
      FOREBAY_REQUIRE(size == n);
      FOREBAY_REQUIRE(reader().stats().bytes_copied == copied);
    });
  }

  void read_some(std::size_t most) {
    if (!decided(1) && most != 0) return;
    views_die();
    if (most == 0) {
      FOREBAY_REQUIRE(reader().read_some(0).empty());
      return;
    }
    reading_on([&] {
      const ByteView view = reader().read_some(most);
      FOREBAY_REQUIRE(view.empty() == (available() == 0));
      FOREBAY_REQUIRE(view.size() <= most);
      consume(view);
    });
  }

  void skip(std::size_t n) {
    if (!decided(n)) return;
    views_die();
    reading_on([&] { advance(reader().skip(n), n); }, n);
  }

  void read_into(std::size_t n) {
    if (!decided(n)) return;
    views_die();
    std::string out(n, '\0');
    reading_on(
        [&] {
          const std::size_t size = reader().read_into(std::as_writable_bytes(std::span(out)));
          FOREBAY_REQUIRE(out.substr(0, size) == sent_.substr(consumed_, size));
          advance(size, n);
        },
        n);
  }

  void read_all() {
    if (!cancelled_ && end_ == End::open) return;
    views_die();
    throwing(end_ == End::failed ? SIZE_MAX : available(), options_.gather_bytes_max, [&] {
      const ByteView view = reader().read_all();
      FOREBAY_REQUIRE(view.size() == available());
      consume(view);
    });
  }

  void at_end() {
    if (!decided(1)) return;
    reading_on([&] { FOREBAY_REQUIRE(reader().at_end() == (available() == 0)); });
  }

  void finished() {
    if (cancelled_) return;
    FOREBAY_REQUIRE(reader().finished() == (end_ != End::open && available() == 0));
  }

  void on_readable() {
    const bool armed = reader().on_readable([](void*) {}, nullptr);
    if (decided(1)) {
      FOREBAY_REQUIRE(!armed);
    }
  }
  void on_writable() {
    const bool armed = writer().on_writable([](void*) {}, nullptr);
    if (cancelled_ || end_ != End::open) {
      FOREBAY_REQUIRE(!armed);
    }
  }

  // --- Guards and shares
  // ---------------------------------------------------------------------------

  void pin() { guards_.push_back({reader().pin(), views_}); }
  void copy_guard(std::size_t which) {
    if (!guards_.empty()) guards_.push_back(guards_[which % guards_.size()]);
  }
  void drop_guard(std::size_t which) {
    if (guards_.empty()) return;
    const auto guard = guards_.begin() + static_cast<std::ptrdiff_t>(which % guards_.size());
    check(guard->views);
    guards_.erase(guard);
  }

  void share(std::size_t which, Retention retention) {
    const std::vector<Seen>& views =
        guards_.empty() || which % 2 == 0 ? views_ : guards_[which % guards_.size()].views;
    if (views.empty()) return;
    const Seen& seen = views[which / 2 % views.size()];
    shares_.push_back({reader().share(seen.view, retention), expected(seen)});
  }
  void change_share(std::size_t which, std::size_t how) {
    if (shares_.empty()) return;
    Share& share = shares_[which % shares_.size()];
    const Share before = share;
    if (how % 3 == 0) {
      share.bytes = before.bytes.compact();
    } else if (how % 3 == 1) {
      share.bytes = before.bytes.subview(how % 7, how % 11);
      share.expected = before.expected.substr(std::min(how % 7, before.expected.size()), how % 11);
    } else {
      shares_.push_back(before);
    }
  }
  void drop_share(std::size_t which) {
    if (shares_.empty()) return;
    const auto share = shares_.begin() + static_cast<std::ptrdiff_t>(which % shares_.size());
    FOREBAY_REQUIRE(text(share->bytes) == share->expected);
    shares_.erase(share);
  }
  void drop_all() {
    while (!guards_.empty()) drop_guard(0);
    while (!shares_.empty()) drop_share(0);
  }

  // --- Laws
  // ----------------------------------------------------------------------------------------

  /// With nothing buffered or held, a chunk of any size fits; with polling, nothing stays stuck.
  void expect_room_when_empty(std::size_t size) {
    drop_all();
    if (cancelled_ || end_ != End::open) return;
    views_die();
    while (available() != 0) skip(available());
    FOREBAY_REQUIRE(reader().try_read(1).status == ReadStatus::would_block);
    FOREBAY_REQUIRE(reader().stats().bytes_buffered == 0u);
    FOREBAY_REQUIRE(reader().stats().bytes_retained == 0u);
    const std::size_t before = sent_.size();
    add(Kind::borrowed, size, false);
    FOREBAY_REQUIRE(sent_.size() == before + size);
  }

  /// A read of any size within the gather limit comes to its end by polling alone.
  void expect_polling_reads(std::size_t n) {
    drop_all();
    n = std::min(n, options_.gather_bytes_max);
    for (int round = 0; !decided(n); ++round) {
      FOREBAY_REQUIRE(round < 10'000);
      try_read(n, false);
      add(Kind::borrowed, 1 + n % 13, false);
    }
    try_read(n, false);
  }

  /// What was not released is on the books, whatever holds it.
  void expect_counted() {
    try_read(available() + 1, false);
    const StreamStats stats = reader().stats();
    std::size_t alive = 0;
    for (const Source& source : sources_) alive += source.released != 0 ? 0 : source.bytes.size();
    FOREBAY_REQUIRE(alive <= stats.bytes_buffered + stats.bytes_retained + stats.bytes_detached);
  }

  void expect_figures() {
    const StreamStats stats = reader().stats();
    FOREBAY_REQUIRE(stats.bytes_in == sent_.size());
    FOREBAY_REQUIRE(stats.bytes_out <= sent_.size());
    FOREBAY_REQUIRE(stats.shares <= shares_.size());
    if (guards_.empty() && shares_.empty()) {
      FOREBAY_REQUIRE(stats.bytes_detached == 0u);
    }
  }

  /// Lets go of everything, in one of many orders, and expects every chunk to be released once.
  void close(std::size_t order) {
    for (; order % 8 != 0; order /= 2) {
      if (order % 2 == 0) drop_guard(order);
      if (order % 2 == 1) drop_share(order);
    }
    views_.clear();
    if (order / 8 % 2 == 0) drop_all();
    if (order / 16 % 2 == 0) stream_->writer.finish();
    {
      std::optional<StreamWriter> writer(std::move(stream_->writer));
      std::optional<StreamReader> reader(std::move(stream_->reader));
      stream_.reset();
      if (order / 32 % 2 == 0) writer.reset();
      reader.reset();
    }
    drop_all();
    for (const Source& source : sources_) FOREBAY_REQUIRE(source.released == 1);
  }

 private:
  struct Seen {
    ByteView view;
    std::size_t offset;
  };
  struct Pinned {
    Guard guard;
    std::vector<Seen> views;
  };
  struct Share {
    SharedBytes bytes;
    std::string expected;
  };
  struct Source {
    std::string bytes;
    int released = 0;
  };

  StreamWriter& writer() { return stream_->writer; }
  StreamReader& reader() { return stream_->reader; }

  Chunk make(Kind kind, const std::string& bytes) {
    if (kind == Kind::copied) return Chunk::copy_of(bytes_of(bytes));
    if (kind == Kind::adopted) return Chunk::adopt(std::string(bytes));
    sources_.push_back({bytes});
    Source* const source = &sources_.back();
    return Chunk::borrow(bytes_of(source->bytes), [source]() noexcept {
      source->bytes.assign(source->bytes.size(), '\xDD');
      ++source->released;
    });
  }

  // What must come of a call that wants exactly n bytes, or none.
  template <class Call>
  void throwing(std::size_t n, std::size_t limit, Call&& call) {
    try {
      const std::size_t had = available();
      call();
      FOREBAY_REQUIRE(!cancelled_);
      FOREBAY_REQUIRE(n <= had);
    } catch (const Cancelled&) {
      FOREBAY_REQUIRE(cancelled_);
    } catch (const LimitExceeded&) {
      FOREBAY_REQUIRE(!cancelled_);
      FOREBAY_REQUIRE(std::min(n, available()) > limit);
    } catch (const EndOfStream& end) {
      FOREBAY_REQUIRE(!cancelled_ && end_ == End::finished && n > available());
      FOREBAY_REQUIRE(end.requested() == n);
      FOREBAY_REQUIRE(end.available() == available());
    } catch (const ModelError&) {
      FOREBAY_REQUIRE(!cancelled_ && end_ == End::failed && n > available());
    }
  }

  // The same for a call that takes what it gets: a failure comes when fewer than n bytes are left,
  // and those it has consumed.
  template <class Call>
  void reading_on(Call&& call, std::size_t n = 1) {
    try {
      call();
      FOREBAY_REQUIRE(!cancelled_ || n == 0);
    } catch (const Cancelled&) {
      FOREBAY_REQUIRE(cancelled_);
    } catch (const ModelError&) {
      FOREBAY_REQUIRE(!cancelled_ && end_ == End::failed && n > available());
      if (n > 1) consumed_ = sent_.size();
    }
  }

  void advance(std::size_t size, std::size_t asked) {
    FOREBAY_REQUIRE(size == std::min(asked, available()));
    consumed_ += size;
  }

  void expect_limit(ReadStatus status, std::size_t n) const {
    FOREBAY_REQUIRE(status == ReadStatus::limit_exceeded);
    FOREBAY_REQUIRE(n > options_.gather_bytes_max);
  }

  void consume(const ByteView& view) {
    see(view, consumed_);
    consumed_ += view.size();
  }

  void see(const ByteView& view, std::size_t offset) {
    const Seen seen{view, offset};
    FOREBAY_REQUIRE(text(view) == expected(seen));
    views_.push_back(seen);
    for (Pinned& guard : guards_) guard.views.push_back(seen);
  }

  [[nodiscard]] std::string expected(const Seen& seen) const {
    return sent_.substr(seen.offset, seen.view.size());
  }
  void check(const std::vector<Seen>& views) const {
    for (const Seen& seen : views) FOREBAY_REQUIRE(text(seen.view) == expected(seen));
  }

  // A consuming call comes: until now the views had to be good.
  void views_die() {
    check(views_);
    views_.clear();
  }

  const StreamOptions options_;
  std::deque<Source> sources_;  // outlives everything that looks at it
  std::optional<Stream> stream_;
  std::string sent_;
  std::size_t consumed_ = 0;
  End end_ = End::open;
  bool cancelled_ = false;
  std::vector<Seen> views_;  // good until the next consuming call
  std::vector<Pinned> guards_;
  std::vector<Share> shares_;
};

}  // namespace forebay::test
