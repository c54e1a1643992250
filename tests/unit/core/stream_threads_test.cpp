// SPDX-License-Identifier: Apache-2.0

// Streams, guards and shares between threads: random scripts on both sides, and the cases of many
// short threads and of a million drops.

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "unit/core/support.h"

namespace forebay {
namespace {

using test::text;

enum class Ending : std::uint8_t { finish, fail, abandon, cancel };

struct WriterFailed : std::runtime_error {
  WriterFailed() : runtime_error("the writer failed") {}
};

// Adds chunks of the given sizes, by every way there is, and ends the stream.
void write(StreamWriter writer, const std::vector<std::uint16_t>& sizes, Ending ending) {
  std::size_t offset = 0;
  for (const std::uint16_t size : sizes) {
    Chunk chunk = test::chunk(test::pattern(size % 100, offset));
    switch (size % 3) {
      case 0:
        writer.add_next_chunk(std::move(chunk));
        break;
      case 1:
        while (writer.try_add_next_chunk(chunk) == PushStatus::would_block) {
          std::this_thread::yield();
        }
        break;
      default:
        if (writer.add_next_chunk_until(chunk, Deadline::never()) != PushStatus::ok) return;
    }
    offset += size % 100;
  }
  if (ending == Ending::finish) writer.finish();
  if (ending == Ending::fail) writer.fail(std::make_exception_ptr(WriterFailed()));
  if (ending == Ending::cancel) writer.cancel();
}

// Reads by a script that it repeats, and compares every byte with what must be there.
class ScriptedReader {
 public:
  /// `may_fail`: a call that consumes as it goes may throw, and not say how far it came.
  ScriptedReader(StreamReader& reader, bool may_fail) : reader_(reader), may_fail_(may_fail) {}

  /// To the end; how the stream ended.
  Ending run(const std::vector<std::uint16_t>& script) {
    try {
      for (std::size_t i = 0;; ++i) {
        try {
          if (reader_.at_end()) return Ending::finish;
          if (i % (script.size() + 1) == script.size()) {
            take(reader_.read_some(1));  // No script may stand still.
          } else {
            step(script[i % (script.size() + 1)]);
          }
        } catch (const EndOfStream& end) {
          // What is left need not be contiguous, and may be more than a read may gather.
          take(reader_.read_some(end.available()));
        } catch (const LimitExceeded&) {
          take(reader_.read_some(SIZE_MAX));
        } catch (const RetainedBudgetExhausted&) {
          check_held();
        }
      }
    } catch (const WriterFailed&) {
      drain();
      return Ending::fail;
    } catch (const Abandoned&) {
      drain();
      return Ending::abandon;
    } catch (const Cancelled&) {
      return Ending::cancel;
    }
  }

  [[nodiscard]] std::size_t consumed() const { return consumed_; }
  [[nodiscard]] bool wrong() const { return wrong_; }

  /// What guards and shares held all the time, and lets go of it.
  void check_held() {
    for (const auto& [guard, view, offset] : guarded_) compare(view, offset);
    for (const auto& [bytes, offset] : shared_) compare(bytes, offset);
    guarded_.clear();
    shared_.clear();
  }

 private:
  // A read of more than was left may have thrown the failure.
  void drain() {
    for (;;) {
      const ReadResult result = reader_.try_read(1);
      if (result.status != ReadStatus::ok) return;
      take(result.view);
    }
  }

  void step(std::uint16_t what) {
    const std::size_t n = what / 16 % 300;
    switch (what % 16) {
      case 0: {
        const ByteView view = reader_.peek(n);
        compare(view, consumed_);
        break;
      }
      case 1:
        check_held();  // So that nothing can throw after bytes were skipped.
        consumed_ += reader_.skip(may_fail_ ? 1 : n);
        break;
      case 2: {
        check_held();  // As above.
        std::string out(may_fail_ ? 1 : n, '\0');
        const std::size_t size = reader_.read_into(std::as_writable_bytes(std::span(out)));
        compare(std::string_view(out).substr(0, size), consumed_);
        consumed_ += size;
        break;
      }
      case 3:
        for (const ByteView& view : reader_.read_gather(n % 50)) take(view);
        break;
      case 4: {
        Guard guard = reader_.pin();
        const ByteView view = reader_.read_some(n + 1);
        guarded_.push_back({std::move(guard), view, consumed_});
        take(view);
        break;
      }
      case 5: {
        const ByteView view = reader_.read_some(n + 1);
        const auto retention = n % 2 == 0 ? Retention::bounded : Retention::detached;
        shared_.push_back({reader_.share(view, retention), consumed_});
        take(view);
        break;
      }
      case 6:
        check_held();
        break;
      case 7:
      case 8: {
        const ReadResult result =
            what % 16 == 7 ? reader_.try_read(n) : reader_.read_until(n, Deadline::never());
        if (result.status == ReadStatus::ok) take(result.view);
        break;
      }
      default:
        take(reader_.read(n));
    }
  }

  void take(const ByteView& view) {
    compare(view, consumed_);
    consumed_ += view.size();
  }
  void compare(std::string_view bytes, std::size_t offset) {
    wrong_ = wrong_ || bytes != test::pattern(bytes.size(), offset);
  }

  struct Guarded {
    Guard guard;
    ByteView view;
    std::size_t offset;
  };
  struct Shared {
    SharedBytes bytes;
    std::size_t offset;
  };
  StreamReader& reader_;
  const bool may_fail_;
  std::size_t consumed_ = 0;
  bool wrong_ = false;
  std::vector<Guarded> guarded_;
  std::vector<Shared> shared_;
};

RC_GTEST_PROP(StreamThreads, AnyTwoScriptsAgreeOnBytesAndEnd, ()) {
  const auto bound = *rc::gen::inRange<std::size_t>(1, 300);
  StreamOptions options = test::single_threaded(bound, *rc::gen::inRange<std::size_t>(1, 10));
  options.gather_bytes_max = *rc::gen::inRange<std::size_t>(100, 600);
  const auto sizes = *rc::gen::scale(3, rc::gen::arbitrary<std::vector<std::uint16_t>>());
  const auto script = *rc::gen::arbitrary<std::vector<std::uint16_t>>();
  const Ending ending =
      *rc::gen::element(Ending::finish, Ending::fail, Ending::abandon, Ending::cancel);
  std::size_t sent = 0;
  for (const std::uint16_t size : sizes) sent += size % 100;

  auto [writer, reader] = make_stream(options);
  std::jthread writing([&own = writer, &sizes, ending] {
    try {
      write(std::move(own), sizes, ending);
    } catch (const Cancelled&) {
      return;  // The reader gave up, and says why.
    }
  });
  ScriptedReader scripted(reader, ending == Ending::fail || ending == Ending::abandon);
  Ending ended{};
  try {
    ended = scripted.run(script);
  } catch (...) {
    reader.cancel();  // The writer must not wait for a reader that gave up.
    throw;
  }
  writing.join();
  scripted.check_held();

  RC_ASSERT(ended == ending);
  RC_ASSERT(!scripted.wrong());
  if (ending == Ending::cancel) {
    RC_ASSERT(scripted.consumed() <= sent);
  } else {
    RC_ASSERT(scripted.consumed() == sent);
  }
}

TEST(StreamThreads, TenThousandShortThreadsUseAnEndEach) {
  const int threads = test::kSanitized ? 2000 : 10'000;
  for (int i = 0; i < threads / 2; ++i) {
    auto [writer, reader] = make_stream(test::small(100));
    std::thread writing([own = std::move(writer), i]() mutable {
      own.add_next_chunk(test::chunk("hello"));
      if (i % 2 == 0) own.finish();
    });
    std::thread reading([own = std::move(reader), i]() mutable {
      EXPECT_EQ(text(own.read(5)), "hello");
      if (i % 2 == 0) {
        EXPECT_TRUE(own.at_end());
      } else {
        EXPECT_THROW((void)own.at_end(), Abandoned);
      }
    });
    writing.join();
    reading.join();
  }
}

// Hands things from one thread to another; a mutex would order more than the library may rely on.
template <class T>
class HandOver {
 public:
  void put(T item) {
    while (!queue_.try_push(std::move(item))) std::this_thread::yield();
  }
  T take() {
    T item;
    while (!queue_.try_pop(item)) std::this_thread::yield();
    return item;
  }

 private:
  SpscQueue<T> queue_{256};
};

struct Task {
  Guard guard;
  ByteView view;
  SharedBytes shared;
  std::size_t offset = 0;
  bool last = false;
};

// Each worker compares and drops what it is given.
void work(HandOver<Task>& tasks, std::atomic<bool>& wrong) {
  for (;;) {
    Task task = tasks.take();
    if (task.last) return;
    const std::string_view bytes =
        task.view.empty() ? std::string_view(task.shared) : std::string_view(task.view);
    if (bytes != test::pattern(bytes.size(), task.offset)) wrong = true;
    if (task.offset % 3 == 0) {
      Guard copy = task.guard;
      task.guard.reset();
    }
  }
}

TEST(StreamThreads, AMillionGuardsAndSharesAreDroppedByOthers) {
  const std::size_t drops =
      test::from_environment("FOREBAY_TEST_DROPS", test::kSanitized ? 40'000 : 1'000'000);
  static constexpr std::size_t kPiece = 8;
  static constexpr std::size_t kChunk = 40 * kPiece;
  std::atomic<bool> wrong{false};
  {
    auto [writer, reader] = make_stream(test::small(16 * kChunk, 8));
    std::thread writing([&own = writer, drops] {
      for (std::size_t at = 0; at < drops * kPiece; at += kChunk) {
        own.add_next_chunk(test::chunk(test::pattern(std::min(kChunk, drops * kPiece - at), at)));
      }
      own.finish();
    });
    HandOver<Task> to[2];
    std::thread workers[] = {std::thread([&] { work(to[0], wrong); }),
                             std::thread([&] { work(to[1], wrong); })};

    for (std::size_t i = 0; i < drops; ++i) {
      Task task;
      task.offset = i * kPiece;
      if (i % 4 == 3) {
        const auto retention = i % 8 == 3 ? Retention::bounded : Retention::detached;
        task.shared = reader.share(reader.read(kPiece), retention);
      } else {
        task.guard = reader.pin();
        task.view = reader.read(kPiece);
      }
      to[i % 2].put(std::move(task));
    }
    EXPECT_TRUE(reader.at_end());
    for (HandOver<Task>& one : to) {
      Task last;
      last.last = true;
      one.put(std::move(last));
    }
    for (std::thread& worker : workers) worker.join();
    writing.join();

    EXPECT_EQ(reader.try_read(1).status, ReadStatus::end);
    EXPECT_EQ(reader.stats().bytes_retained, 0u);
    EXPECT_EQ(reader.stats().bytes_buffered, 0u);
    EXPECT_EQ(reader.stats().bytes_detached, 0u);
    EXPECT_EQ(reader.stats().shares, 0u);
  }
  EXPECT_FALSE(wrong);
}

TEST(StreamThreads, GatheredSharesDroppedByAnotherKeepTheBooks) {
  const int rounds = test::kSanitized ? 5'000 : 100'000;
  auto [writer, reader] = make_stream(test::small(1 << 16));
  std::atomic<bool> wrong{false};
  HandOver<Task> tasks;
  std::thread worker([&] { work(tasks, wrong); });

  for (int i = 0; i < rounds; ++i) {
    writer.add_next_chunk(test::chunk(test::pattern(3)));
    writer.add_next_chunk(test::chunk(test::pattern(5, 3)));
    Task task;
    task.shared = reader.share(reader.read(8));
    tasks.put(std::move(task));
    EXPECT_EQ(reader.read_until(1, Deadline::after(std::chrono::seconds(0))).status,
              ReadStatus::timed_out);
  }
  Task last;
  last.last = true;
  tasks.put(std::move(last));
  worker.join();

  EXPECT_FALSE(wrong);
  EXPECT_EQ(reader.stats().bytes_retained, 0u);
  EXPECT_EQ(reader.stats().bytes_buffered, 0u);
}

TEST(StreamThreads, GuardsAndSharesOutliveTheStreamOnOtherThreads) {
  const int rounds = test::kSanitized ? 200 : 1000;
  for (int i = 0; i < rounds; ++i) {
    std::atomic<int> released{0};
    const std::string bytes = test::pattern(64);
    std::optional<Stream> stream(make_stream());
    for (int chunk = 0; chunk < 3; ++chunk) {
      stream->writer.add_next_chunk(
          Chunk::borrow(test::bytes_of(bytes), [&released]() noexcept { ++released; }));
    }
    Guard guard = stream->reader.pin();
    const ByteView view = stream->reader.read(64);
    SharedBytes shared = stream->reader.share(stream->reader.read(64), Retention::detached);
    std::thread dropping([&bytes, view, moved = std::move(guard)]() mutable {
      EXPECT_EQ(text(view), bytes);
      moved.reset();
    });
    std::thread sharing([&bytes, moved = std::move(shared)]() mutable {
      EXPECT_EQ(text(moved), bytes);
      moved.reset();
    });
    stream.reset();
    dropping.join();
    sharing.join();
    ASSERT_EQ(released, 3);
  }
}

}  // namespace
}  // namespace forebay
