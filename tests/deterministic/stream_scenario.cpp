// SPDX-License-Identifier: Apache-2.0

// One stream with all that can be around it: a writer with every kind of chunk and every way to
// push and to end, a reader with every call, fibers that hold guards and shares, somebody who
// cancels. What is read is what was added; the end is the right one; each chunk is released once,
// and not before the last look at it.

#include <deque>
#include <optional>
#include <stdexcept>
#include <string>

#include "checked_reader.h"
#include "forebay/stream.h"

namespace forebay::deterministic {

namespace {

struct WriterError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Ending : std::uint8_t { finish, fail, abandon };

// Memory that was lent to a chunk; overwritten when it is released.
struct Lent {
  std::vector<std::byte> bytes;
  int released = 0;
};

class Writer {
 public:
  Writer(StreamWriter& writer, std::span<const std::byte> content, bool reactor, std::uint64_t seed)
      : writer_(writer), content_(content), reactor_(reactor), random_(seed) {}

  /// Adds everything, unless the stream is cancelled; false when it is.
  bool run() {
    const std::size_t most = random_.up_to(400);
    for (std::size_t at = 0; at < content_.size();) {
      const std::size_t size = std::min(random_.up_to(most), content_.size() - at);
      if (!add(content_.subspan(at, size))) return false;
      at += size;
      if (random_.one_in(32) && !add({})) return false;
    }
    return true;
  }

  /// When nobody can look at any chunk any more.
  void check_released() const {
    for (const Lent& lent : lent_) {
      require(lent.released == 1, "lent memory was not released once");
    }
  }
  [[nodiscard]] std::size_t largest_bytes() const noexcept { return largest_bytes_; }

 private:
  Chunk make(std::span<const std::byte> bytes) {
    switch (random_.below(3)) {
      case 0:
        largest_bytes_ = std::max(largest_bytes_, bytes.size());
        return Chunk::copy_of(bytes);
      case 1: {
        std::vector<std::byte> copy(bytes.begin(), bytes.end());
        largest_bytes_ = std::max(largest_bytes_, copy.capacity());
        return Chunk::adopt(std::move(copy));
      }
      default:
        lent_.push_back({{bytes.begin(), bytes.end()}});
        largest_bytes_ = std::max(largest_bytes_, bytes.size());
        return Chunk::borrow(lent_.back().bytes, {[](void* context) noexcept {
                                                    auto* const lent = static_cast<Lent*>(context);
                                                    ++lent->released;
                                                    std::fill(lent->bytes.begin(),
                                                              lent->bytes.end(), std::byte{0xDD});
                                                  },
                                                  &lent_.back()});
    }
  }

  bool add(std::span<const std::byte> bytes) {
    Chunk chunk = make(bytes);
    for (;;) {
      PushStatus status = PushStatus::ok;
      switch (random_.below(4)) {
        case 0:
          try {
            writer_.add_next_chunk(std::move(chunk));
          } catch (const Cancelled&) {
            return false;
          }
          return true;
        case 1:
          status = writer_.try_add_next_chunk(chunk);
          if (status == PushStatus::would_block) await_writable();
          break;
        case 2: {
          const Deadline deadline = some_deadline(random_, 30'000);
          status = writer_.add_next_chunk_until(chunk, deadline);
          require(status != PushStatus::timed_out || deadline.passed(),
                  "a deadline passed too early");
          break;
        }
        default: {
          std::stop_source stop;
          const Task stopper("stopper", [&stop] { request_stop(stop); });
          status = writer_.add_next_chunk_until(chunk, Deadline::never(), stop.get_token());
          require(status != PushStatus::stopped || stop.stop_requested(), "nobody asked to stop");
        }
      }
      if (status == PushStatus::ok) {
        require(chunk.empty(), "a chunk was taken and is still here");
        return true;
      }
      require(chunk.size() == bytes.size(), "a chunk was refused and is not here");
      if (status == PushStatus::cancelled) return false;
      require(status != PushStatus::finished, "the stream has ended before its writer ended it");
    }
  }

  void await_writable() {
    if (!reactor_ || callback_.is_pending() || random_.one_in(2)) return yield();
    const auto arm_with = [this](auto... callback) { return writer_.on_writable(callback...); };
    if (callback_.arm(arm_with)) callback_.await("on_writable");
  }

  StreamWriter& writer_;
  const std::span<const std::byte> content_;
  const bool reactor_;
  Random random_;
  std::deque<Lent> lent_;
  std::size_t largest_bytes_ = 0;
  Callback callback_;
};

StreamOptions some_options(Random& random) {
  StreamOptions options;
  options.max_bytes = random.up_to(2048);
  options.max_items = random.up_to(12);
  if (random.one_in(2)) options.gather_bytes_max = random.up_to(1024);
  if (random.one_in(2)) options.guards_max = random.up_to(16);
  options.retention_grace = std::chrono::nanoseconds(random.one_in(3) ? 0 : random.up_to(100'000));
  options.spin_max = std::chrono::nanoseconds(random.one_in(3) ? 2'000 : 0);
  return options;
}

void check_error(std::exception_ptr error, Ending ending) {
  try {
    std::rethrow_exception(std::move(error));
  } catch (const WriterError&) {
    require(ending == Ending::fail, "the writer did not fail");
  } catch (const Abandoned&) {
    require(ending == Ending::abandon, "the writer did not abandon the stream");
  } catch (const std::exception&) {
    fail("an error that nobody made");
  }
}

void run_with(Random& random, bool cancels) {
  const StreamOptions options = some_options(random);
  const auto ending = static_cast<Ending>(random.below(3));
  std::vector<std::byte> content(random.below(1200));
  const std::uint64_t stream = random.next();
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = byte_at(stream, i);
  g_memory_refused_once_in = random.one_in(4) ? 8 : 0;
  const bool holds = random.one_in(2);
  // A drop may need memory to be heard of; who waits for a callback asks only once.
  const bool reactor = random.one_in(3) && !(holds && g_memory_refused_once_in != 0);

  auto [made_writer, made_reader] = make_stream(options);
  std::optional<StreamWriter> writer_end(std::move(made_writer));
  std::optional<StreamReader> reader_end(std::move(made_reader));
  const Explanation explanation([&] {
    if (reader_end) print_stream(options, reader_end->stats());
  });
  Writer writer(*writer_end, content, reactor, random.next());
  Mailbox<Held> mail;
  const CheckedReader::Habits habits{.mail = holds ? &mail : nullptr,
                                     .scarce_memory = g_memory_refused_once_in != 0,
                                     .reactor = reactor};
  CheckedReader reader(*reader_end, content, options, habits, random.next());
  {
    std::vector<Task> holders;
    for (std::size_t i = holds ? random.up_to(3) : 0; i-- > 0;) {
      holders.emplace_back("holder", [&mail, seed = random.next()] { hold_and_drop(mail, seed); });
    }
    bool was_cancelled = false;
    std::optional<Task> canceller;
    if (cancels && random.one_in(2)) {
      canceller.emplace("canceller", [&, delay = random.up_to(30'000)] {
        Scheduler& scheduler = *Scheduler::running();
        scheduler.wait(&delay, "delay", Site::current(),
                       scheduler.now() + static_cast<Time>(delay));
        was_cancelled = true;
        reader_end->cancel();
      });
    }
    std::optional<Task> writing(std::in_place, "writer", [&] {
      if (!writer.run()) require(was_cancelled, "nobody has cancelled the stream");
      if (ending == Ending::finish) writer_end->finish();
      if (ending == Ending::fail) {
        writer_end->fail(std::make_exception_ptr(WriterError("the writer failed")));
      }
      if (ending == Ending::abandon || canceller == std::nullopt) writer_end.reset();
    });

    // A reader may leave early, too; so may one that somebody cancels.
    const std::size_t leaves_at =
        cancels && !canceller ? random.below(content.size() + 1) : SIZE_MAX;
    CheckedReader::End end = CheckedReader::End::none;
    while (end == CheckedReader::End::none && reader.position() < leaves_at) end = reader.step();
    switch (end) {
      case CheckedReader::End::none:
        was_cancelled = true;
        break;
      case CheckedReader::End::finished:
        require(ending == Ending::finish, "an end that nobody has made");
        require(reader.position() == content.size(), "bytes are missing before the end");
        break;
      case CheckedReader::End::failed:
        require(reader.position() == content.size(), "bytes are missing before the error");
        check_error(reader_end->error(), ending);
        break;
      case CheckedReader::End::cancelled:
        require(was_cancelled, "nobody has cancelled the stream");
    }
    reader.let_go();
    if (canceller) canceller->join();
    if (was_cancelled && random.one_in(2)) reader_end.reset();
    if (reader_end && end == CheckedReader::End::none) reader_end->cancel();
    writing.reset();
    if (!was_cancelled) {
      const StreamStats stats = reader_end->stats();
      require(stats.bytes_in == content.size(), "the books miss bytes");
      require(holds || stats.bytes_peak <= std::max(options.max_bytes, writer.largest_bytes()),
              "the bound was not kept");
    }
    mail.close();
  }
  writer_end.reset();
  reader_end.reset();
  writer.check_released();
}

}  // namespace

void run_stream(Random& random) { run_with(random, false); }
void run_stream_ends(Random& random) { run_with(random, true); }

}  // namespace forebay::deterministic
