// SPDX-License-Identifier: Apache-2.0

// The ends of a stream under the model checker: finish, fail and cancel against push and read, two
// ends that go in any order, guards and shares that outlive both. Nobody sleeps for ever,
// everything published before the end is read, each block ends exactly once after its last use, and
// the books are even when all is over.

#include "forebay/detail/stream_core.h"
#include "model.h"

namespace forebay::model {
namespace {

using Core = detail::StreamCore<ModelPolicy>;
using Record = detail::BasicBlock<ModelPolicy>;
using detail::Wait;

constexpr std::size_t kBytes = 4;

/// A block whose payload is a variable: reading it races with its end if anything lets go too
/// early.
struct TestBlock : Record {
  TestBlock() : Record(memory, kBytes, &end_of) {}
  static void end_of(detail::Block* block, bool) noexcept {
    auto* const self = static_cast<TestBlock*>(static_cast<Record*>(block));
    release(self);
  }
  static void release(void* context) noexcept {
    auto* const self = static_cast<TestBlock*>(context);
    self->content = -1;
    self->ended = static_cast<int>(self->ended) + 1;
  }
  std::byte memory[kBytes] = {};
  Var<int> content = 0;
  Var<int> ended = 0;
};

std::exception_ptr some_error() {
  static const std::exception_ptr error = std::make_exception_ptr(1);
  return error;
}

/// `kBorrowed`: the memory travels as borrowed memory, and the reader makes the blocks.
template <class Derived, int kThreads, int kBlocks, bool kBorrowed = false>
struct StreamTest : Test<Derived, kThreads> {
  Core* core = nullptr;
  std::unique_ptr<TestBlock[]> blocks;
  bool taken[kBlocks] = {};

  void make(std::size_t max_bytes, std::size_t max_items) {
    blocks = std::make_unique<TestBlock[]>(kBlocks);
    StreamOptions options;
    options.max_bytes = max_bytes;
    options.max_items = max_items;
    // Never over: a drop that wakes nobody is a deadlock.
    options.retention_grace = std::chrono::nanoseconds::max();
    core = new Core(options);
    // The test's own, so that it can look at the books in the end.
    core->add_reference();
  }
  void before() { make(2 * kBytes, 2); }
  /// What was published and never read is drained with the stream, past its books.
  void after() {
    core->drop_reference();
    for (int i = 0; i < kBlocks; ++i) {
      MODEL_CHECK(static_cast<int>(blocks[i].ended) == (taken[i] ? 1 : 0));
    }
    blocks.reset();
  }

  void after_all_was_read() {
    MODEL_CHECK(core->account.used() == 0);
    MODEL_CHECK(core->account.retained() == 0);
    StreamTest::after();
  }
  /// Both ends go. What a test does not ask about happens before and after its threads, which keeps
  /// the searches small.
  void close() {
    core->close_writer(some_error());
    core->close_reader();
  }

  PushStatus add(int i) {
    blocks[i].content = i + 1;
    blocks[i].memory[0] = std::byte(i + 1);
    const PushStatus status =
        kBorrowed ? core->writer.add_borrowed({blocks[i].memory, kBytes},
                                              core->releases.number_of(&TestBlock::release),
                                              &blocks[i], Wait{})
                  : core->writer.add(&blocks[i], blocks[i].memory, kBytes, Wait{});
    if (status == PushStatus::ok) taken[i] = true;
    return status;
  }
  /// Reads one block; it must be the i-th.
  ReadStatus read(int i) {
    const ReadStatus status = core->reader.ensure(kBytes, Wait{}, true);
    if (status != ReadStatus::ok) return status;
    const ByteView view = core->reader.take(kBytes);
    MODEL_CHECK(view.data()[0] == std::byte(i + 1));
    // One block holds them: no copy, whenever it came.
    MODEL_CHECK(view.data() == blocks[i].memory);
    MODEL_CHECK(static_cast<int>(blocks[i].content) == i + 1);
    return status;
  }
};

/// A writer that ends after its last block, and a reader that reads up to the end.
template <class Derived, bool kBorrowed>
struct FinishTest : StreamTest<Derived, 2, 1, kBorrowed> {
  void thread(unsigned index) {
    if (index == 0) {
      MODEL_CHECK(this->add(0) == PushStatus::ok);
      this->core->writer.end(nullptr);
      MODEL_CHECK(this->core->writer.state() == PushStatus::finished);
    } else {
      MODEL_CHECK(this->read(0) == ReadStatus::ok);
      MODEL_CHECK(this->read(1) == ReadStatus::end);
      MODEL_CHECK(this->core->reader.finished());
    }
  }
  void after() {
    this->close();
    this->after_all_was_read();
  }
};
struct Finish : FinishTest<Finish, false> {
  static constexpr const char* kName = "finish";
};
struct BorrowedFinish : FinishTest<BorrowedFinish, true> {
  static constexpr const char* kName = "borrowed_finish";
};

/// A bound of one block, which the reader has read: the writer waits for the room that the next
/// read gives, and the reader for the block that comes then.
template <class Derived, bool kBorrowed>
struct BothWaitTest : StreamTest<Derived, 2, 2, kBorrowed> {
  void before() {
    this->make(kBytes, 1);
    MODEL_CHECK(this->add(0) == PushStatus::ok);
    MODEL_CHECK(this->read(0) == ReadStatus::ok);
  }
  void thread(unsigned index) {
    if (index == 0) {
      MODEL_CHECK(this->add(1) == PushStatus::ok);
    } else {
      MODEL_CHECK(this->read(1) == ReadStatus::ok);
    }
  }
  void after() {
    this->close();
    this->after_all_was_read();
  }
};
struct BothWait : BothWaitTest<BothWait, false> {
  static constexpr const char* kName = "both_wait";
};
struct BorrowedBothWait : BothWaitTest<BorrowedBothWait, true> {
  static constexpr const char* kName = "borrowed_both_wait";
};

/// Finish against fail from elsewhere: the first wins, for everybody alike.
struct FinishOrFail : StreamTest<FinishOrFail, 3, 1> {
  static constexpr const char* kName = "finish_or_fail";
  std::unique_ptr<Var<int>> reason;
  ReadStatus end = ReadStatus::ok;
  void before() {
    StreamTest::before();
    reason = std::make_unique<Var<int>>(0);
  }
  void thread(unsigned index) {
    if (index == 0) {
      core->writer.end(nullptr);
    } else if (index == 1) {
      *reason = 7;
      core->end_with(some_error(), nullptr);
    } else {
      end = read(0);
      MODEL_CHECK(end == ReadStatus::end || end == ReadStatus::failed);
      MODEL_CHECK((core->error != nullptr) == (end == ReadStatus::failed));
      // What happened before the failure that won happens before its being seen.
      if (end == ReadStatus::failed) MODEL_CHECK(static_cast<int>(*reason) == 7);
    }
  }
  void after() {
    MODEL_CHECK(read(0) == end);
    close();
    after_all_was_read();
    reason.reset();
  }
};

/// A writer that goes without a word.
struct Abandoned : StreamTest<Abandoned, 2, 1> {
  static constexpr const char* kName = "abandoned";
  void before() {
    StreamTest::before();
    MODEL_CHECK(add(0) == PushStatus::ok);
  }
  void thread(unsigned index) {
    if (index == 0) {
      core->close_writer(some_error());
    } else {
      MODEL_CHECK(read(0) == ReadStatus::ok);
      MODEL_CHECK(read(1) == ReadStatus::failed);
      core->close_reader();
    }
  }
  void after() { after_all_was_read(); }
};

/// Cancel from a third thread against a writer and a reader that waits for bytes.
struct Cancel : StreamTest<Cancel, 3, 1> {
  static constexpr const char* kName = "cancel";
  void thread(unsigned index) {
    if (index == 0) {
      const PushStatus pushed = add(0);
      MODEL_CHECK(pushed == PushStatus::ok || pushed == PushStatus::cancelled);
    } else if (index == 1) {
      core->cancel();
    } else {
      ReadStatus seen = read(0);
      if (seen == ReadStatus::ok) seen = read(1);
      MODEL_CHECK(seen == ReadStatus::cancelled);
    }
  }
  void after() {
    close();
    StreamTest::after();
  }
};

/// Cancel against a writer that waits for room.
struct CancelWriterWaits : StreamTest<CancelWriterWaits, 2, 2> {
  static constexpr const char* kName = "cancel_writer_waits";
  void before() {
    make(kBytes, 1);
    MODEL_CHECK(add(0) == PushStatus::ok);
  }
  void thread(unsigned index) {
    if (index == 0) {
      MODEL_CHECK(add(1) == PushStatus::cancelled);
      core->close_writer(some_error());
    } else {
      core->cancel();
    }
  }
  void after() {
    MODEL_CHECK(read(0) == ReadStatus::cancelled);
    core->close_reader();
    StreamTest::after();
  }
};

/// Cancel against a reader that waits, and a writer that ends because it was told of the cancel.
struct CancelBeforeEnd : StreamTest<CancelBeforeEnd, 2, 1> {
  static constexpr const char* kName = "cancel_before_end";
  void thread(unsigned index) {
    if (index == 0) {
      core->cancel();
      core->close_writer(some_error());
    } else {
      MODEL_CHECK(read(0) == ReadStatus::cancelled);
      core->close_reader();
    }
  }
};

/// A cancel that came before a read ends it, although the run still holds bytes.
struct CancelClosesFastPath : StreamTest<CancelClosesFastPath, 2, 1> {
  static constexpr const char* kName = "cancel_closes_fast_path";
  Gate cancelled;
  void before() {
    StreamTest::before();
    MODEL_CHECK(add(0) == PushStatus::ok);
  }
  void thread(unsigned index) {
    if (index == 0) {
      core->cancel();
      cancelled.open();
    } else {
      const ReadStatus status = core->reader.ensure(1, Wait{}, true);
      MODEL_CHECK(status == ReadStatus::ok || status == ReadStatus::cancelled);
      cancelled.pass();
      MODEL_CHECK(core->cursor.fast_end.load(std::memory_order_relaxed) == nullptr);
      MODEL_CHECK(core->reader.ensure(1, Wait{}, true) == ReadStatus::cancelled);
    }
  }
  void after() {
    close();
    StreamTest::after();
  }
};

/// The reader goes while the writer waits for room or publishes; what nobody read is drained.
template <class Derived, bool kBorrowed>
struct ReaderGoesTest : StreamTest<Derived, 2, 3, kBorrowed> {
  void before() {
    this->make(2 * kBytes, 2);
    for (int i = 0; i < 2; ++i) MODEL_CHECK(this->add(i) == PushStatus::ok);
    MODEL_CHECK(this->read(0) == ReadStatus::ok);
  }
  void thread(unsigned index) {
    if (index == 0) {
      const PushStatus pushed = this->add(2);
      MODEL_CHECK(pushed == PushStatus::ok || pushed == PushStatus::cancelled);
      this->core->close_writer(some_error());
    } else {
      this->core->close_reader();
    }
  }
};
struct ReaderGoes : ReaderGoesTest<ReaderGoes, false> {
  static constexpr const char* kName = "reader_goes";
};
struct BorrowedReaderGoes : ReaderGoesTest<BorrowedReaderGoes, true> {
  static constexpr const char* kName = "borrowed_reader_goes";
};

/// A guard on a worker holds all the memory: its drop is what wakes the writer. Memory that is
/// borrowed, so that its block is made by the reader and ends with whoever is last.
struct GuardKeepsRoom : StreamTest<GuardKeepsRoom, 2, 2, true> {
  static constexpr const char* kName = "guard_keeps_room";
  BasicGuard<ModelPolicy> guard;
  void before() {
    make(kBytes, 2);
    MODEL_CHECK(add(0) == PushStatus::ok);
    MODEL_CHECK(read(0) == ReadStatus::ok);
    guard = core->reader.pin();
    MODEL_CHECK(core->reader.ensure(0, Wait{}, true) == ReadStatus::ok);
  }
  void thread(unsigned index) {
    if (index == 0) {
      MODEL_CHECK(add(1) == PushStatus::ok);
    } else {
      MODEL_CHECK(static_cast<int>(blocks[0].content) == 1);
      guard.reset();
    }
  }
  void after() {
    MODEL_CHECK(read(1) == ReadStatus::ok);
    close();
    after_all_was_read();
  }
};

/// The same for a reader that waits for the drop. The wait alone: all that a read does around it is
/// too much for a complete search, and left to the deterministic runs.
struct GuardWakesReader : StreamTest<GuardWakesReader, 2, 1, true> {
  static constexpr const char* kName = "guard_wakes_reader";
  BasicGuard<ModelPolicy> guard;
  void before() {
    StreamTest::before();
    MODEL_CHECK(add(0) == PushStatus::ok);
    MODEL_CHECK(read(0) == ReadStatus::ok);
    guard = core->reader.pin();
    MODEL_CHECK(core->reader.ensure(0, Wait{}, true) == ReadStatus::ok);
  }
  void thread(unsigned index) {
    if (index == 0) {
      const auto freed = [this] { return core->account.retained() == 0; };
      MODEL_CHECK(core->reader_event.await(freed) == WaitStatus::ready);
    } else {
      MODEL_CHECK(static_cast<int>(blocks[0].content) == 1);
      guard.reset();
    }
  }
  void after() {
    close();
    after_all_was_read();
  }
};

/// The drop of a guard may be the end of the stream: both ends go while it lives.
struct GuardIsLast : StreamTest<GuardIsLast, 2, 1, true> {
  static constexpr const char* kName = "guard_is_last";
  BasicGuard<ModelPolicy> guard;
  void before() {
    StreamTest::before();
    MODEL_CHECK(add(0) == PushStatus::ok);
    core->close_writer(some_error());
    MODEL_CHECK(read(0) == ReadStatus::ok);
    guard = core->reader.pin();
    core->drop_reference();
  }
  void thread(unsigned index) {
    if (index == 0) {
      core->close_reader();
    } else {
      MODEL_CHECK(static_cast<int>(blocks[0].content) == 1);
      guard.reset();
    }
  }
  void after() {
    MODEL_CHECK(static_cast<int>(blocks[0].ended) == 1);
    blocks.reset();
  }
};

/// A share on a worker against the reader's letting go: the last of the two ends the block, after
/// all uses. What SharedBytes does, whose body is not a template.
template <class Derived, std::uint64_t kKind>
struct ShareTest : StreamTest<Derived, 2, 1> {
  void before() {
    this->make(kBytes, 2);
    MODEL_CHECK(this->add(0) == PushStatus::ok);
    this->core->close_writer(some_error());
    MODEL_CHECK(this->read(0) == ReadStatus::ok);
    this->blocks[0].holders.fetch_add(kKind, std::memory_order_relaxed);
    this->core->add_reference();
  }
  void thread(unsigned index) {
    TestBlock& block = this->blocks[0];
    MODEL_CHECK(static_cast<int>(block.content) == 1);
    if (index == 0) {
      MODEL_CHECK(this->read(1) == ReadStatus::failed);
      this->core->close_reader();
    } else {
      detail::drop_hold<ModelPolicy>(&block, kKind, false);
      this->core->drop_reference();
    }
  }
  void after() {
    MODEL_CHECK(this->core->account.detached() == 0);
    this->after_all_was_read();
  }
};
struct BoundedShare : ShareTest<BoundedShare, Record::kBounded> {
  static constexpr const char* kName = "bounded_share";
};
struct DetachedShare : ShareTest<DetachedShare, Record::kDetached> {
  static constexpr const char* kName = "detached_share";
};

/// The books as anybody may look at them: never more given back than charged.
struct Books : Test<Books, 4> {
  static constexpr const char* kName = "books";
  std::unique_ptr<detail::Account<ModelPolicy>> account;
  Gate published;
  Gate retired;
  void before() { account = std::make_unique<detail::Account<ModelPolicy>>(); }
  void after() {
    MODEL_CHECK(account->used() == 0);
    account.reset();
  }
  void thread(unsigned index) {
    if (index == 0) {  // The writer.
      account->charge(8);
      published.open();
    } else if (index == 1) {  // The reader.
      published.pass();
      account->charge_gathered(8);
      retired.open();
      account->give_back_by_reader(8);
      account->tell();
    } else if (index == 2) {  // Who drops the last guard.
      retired.pass();
      account->give_back_by_others(8);
    } else {
      MODEL_CHECK(account->used() <= 16);
      MODEL_CHECK(account->used_at_most(account->given_back_untold()) <= 16);
    }
  }
};

/// Both ends go at once: the last one destroys the stream, after the other's last use.
struct BothGo : StreamTest<BothGo, 2, 1> {
  static constexpr const char* kName = "both_go";
  void before() {
    StreamTest::before();
    core->drop_reference();
  }
  void after() { blocks.reset(); }
  void thread(unsigned index) {
    if (index == 0) {
      MODEL_CHECK(add(0) == PushStatus::ok || !taken[0]);
      core->close_writer(some_error());
    } else {
      core->close_reader();
    }
  }
};

/// The reference count by itself: what each holder did comes before the end.
struct References : Test<References, 3> {
  static constexpr const char* kName = "references";
  struct Shared : detail::StreamShared<ModelPolicy> {
    static StreamOptions small() {
      StreamOptions options;
      options.max_items = 1;
      return options;
    }
    static void end_of(detail::StreamShared<ModelPolicy>* shared) noexcept {
      auto* const self = static_cast<Shared*>(shared);
      self->used = -1;
      delete self;
    }
    Shared() : StreamShared(small(), &end_of) {}
    Var<int> used = 0;
  };
  Shared* shared = nullptr;
  void before() {
    shared = new Shared;
    shared->add_reference();
  }
  void thread(unsigned) {
    MODEL_CHECK(static_cast<int>(shared->used) == 0);
    shared->drop_reference();
  }
};

/// A read of more than the bound holds: the reader gathers what is there, so that the writer goes
/// on.
template <class Derived, bool kBorrowed>
struct ReadBeyondBoundTest : StreamTest<Derived, 2, 2, kBorrowed> {
  void before() {
    this->make(kBytes, 2);
    MODEL_CHECK(this->add(0) == PushStatus::ok);
  }
  void thread(unsigned index) {
    if (index == 0) {
      MODEL_CHECK(this->add(1) == PushStatus::ok);
    } else {
      MODEL_CHECK(this->core->reader.ensure(2 * kBytes, Wait{}, true) == ReadStatus::ok);
      const ByteView view = this->core->reader.take(2 * kBytes);
      MODEL_CHECK(view.data()[0] == std::byte(1) && view.data()[kBytes] == std::byte(2));
    }
  }
  void after() {
    this->close();
    this->after_all_was_read();
  }
};
struct ReadBeyondBound : ReadBeyondBoundTest<ReadBeyondBound, false> {
  static constexpr const char* kName = "read_beyond_bound";
};
struct BorrowedReadBeyondBound : ReadBeyondBoundTest<BorrowedReadBeyondBound, true> {
  static constexpr const char* kName = "borrowed_read_beyond_bound";
};

/// The reader makes room and then waits for the writer elsewhere: the giving back is the only wake.
struct RoomWithoutFurtherRead : StreamTest<RoomWithoutFurtherRead, 2, 2> {
  static constexpr const char* kName = "room_without_further_read";
  Gate added;
  void before() {
    make(kBytes, 2);
    MODEL_CHECK(add(0) == PushStatus::ok);
    MODEL_CHECK(read(0) == ReadStatus::ok);
  }
  void thread(unsigned index) {
    if (index == 0) {
      MODEL_CHECK(add(1) == PushStatus::ok);
      added.open();
    } else {
      MODEL_CHECK(core->reader.ensure(0, Wait{}, true) == ReadStatus::ok);
      added.pass();
    }
  }
  void after() {
    MODEL_CHECK(read(1) == ReadStatus::ok);
    close();
    after_all_was_read();
  }
};

/// A small block that the reader gives back without telling keeps a large one out, until the reader
/// waits for it.
struct UntoldUntilTheReaderWaits : StreamTest<UntoldUntilTheReaderWaits, 2, 2> {
  static constexpr const char* kName = "untold_until_the_reader_waits";
  void before() {
    make(10 * kBytes, 2);
    blocks[1].capacity_bytes = 10 * kBytes;
    MODEL_CHECK(add(0) == PushStatus::ok);
    MODEL_CHECK(read(0) == ReadStatus::ok);
  }
  void thread(unsigned index) {
    if (index == 0) {
      MODEL_CHECK(add(1) == PushStatus::ok);
    } else {
      MODEL_CHECK(read(1) == ReadStatus::ok);
    }
  }
  void after() {
    close();
    after_all_was_read();
  }
};

}  // namespace
}  // namespace forebay::model

int main(int argc, char** argv) {
  using namespace forebay::model;
  some_error();
  return run_models<Finish, BorrowedFinish, BothWait, BorrowedBothWait, FinishOrFail, Abandoned,
                    Cancel, CancelWriterWaits, CancelBeforeEnd, CancelClosesFastPath, ReaderGoes,
                    BorrowedReaderGoes, GuardKeepsRoom, GuardWakesReader, GuardIsLast, BoundedShare,
                    DetachedShare, Books, BothGo, References, ReadBeyondBound,
                    BorrowedReadBeyondBound, RoomWithoutFurtherRead, UntoldUntilTheReaderWaits>(
      "stream_ends", argc, argv);
}
