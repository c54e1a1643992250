// SPDX-License-Identifier: Apache-2.0

// Arrow streams of which the sender dies, allocations that fail while they are decoded, and one GiB
// in a quarter of the memory.

#include <arrow/array.h>
#include <arrow/ipc/writer.h>
#include <arrow/memory_pool.h>
#include <gtest/gtest.h>

#include <new>

#include "faults/support.h"
#include "unit/arrow/support.h"
#include "unit/core/allocation.h"

namespace forebay::arrow::test {
namespace {

using forebay::test::any_mode;
using forebay::test::Child;
using forebay::test::Choices;
using forebay::test::report;
using forebay::test::SocketReceiver;
using forebay::test::times;
using forebay::test::Wire;
using forebay::test::write_all;

// Batches of 1 to `rows_most` rows, whose values go on from one to the next.
struct Numbers {
  std::string bytes;
  std::vector<std::size_t> ends;  // of the schema and of each batch
};

Numbers numbers(int batches, std::int64_t rows) {
  Numbers made;
  ::arrow::RecordBatchVector all;
  for (int i = 0; i < batches; ++i) all.push_back(int64_batch(2, rows, i * rows * 2));
  made.bytes = ipc_stream(all);
  Stream stream = stream_of(made.bytes);
  const auto reader = RecordBatchReader::open(stream.reader);
  made.ends.push_back(reader->position());
  while (reader->next() != nullptr) made.ends.push_back(reader->position());
  return made;
}

bool is_batch(const ::arrow::RecordBatch& batch, std::int64_t rows, std::int64_t index) {
  const auto& first = static_cast<const ::arrow::Int64Array&>(*batch.column(0));
  const auto& second = static_cast<const ::arrow::Int64Array&>(*batch.column(1));
  if (batch.num_rows() != rows) return false;
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t expected = index * rows * 2 + row * 2;
    if (first.Value(row) != expected || second.Value(row) != expected + 1) return false;
  }
  return true;
}

// E7, A8
TEST(KilledSenders, LeaveTheWholeBatchesAndThenTruncated) {
  Choices choices;
  const int kills = times(50, 1000);
  const Numbers sent[] = {numbers(40, 100), numbers(6, 20'000)};
  for (int i = 0; i < kills; ++i) {
    const Numbers& one = sent[choices.pick(2)];
    const std::int64_t rows = &one == sent ? 100 : 20'000;
    const std::size_t cut = choices.pick(one.bytes.size());
    Wire wire = forebay::test::any_wire(choices);
    Child sender([&] {
      wire.near = {};
      (void)send_in_pieces(wire.far, std::string_view(one.bytes).substr(0, cut), choices);
      return ::raise(SIGKILL);
    });
    wire.far = {};
    socket::ReceiverOptions options;
    options.mode = any_mode(choices);
    options.framing = Framing::arrow_ipc;
    SocketReceiver receiver(std::move(wire.near), options);
    std::size_t got = 0;
    try {
      const auto reader = RecordBatchReader::open(receiver.reader());
      for (got = 1; const auto batch = reader->next(); ++got) {
        ASSERT_TRUE(is_batch(*batch, rows, static_cast<std::int64_t>(got) - 1));
      }
      FAIL() << cut << " of " << one.bytes.size() << " bytes were taken for a whole stream";
    } catch (const Truncated& error) {
      EXPECT_LE(error.offset() + error.got(), cut);
    }
    std::size_t whole = 0;
    while (whole < one.ends.size() && one.ends[whole] <= cut) ++whole;
    ASSERT_EQ(got, whole) << cut;
    ASSERT_TRUE(sender.was_killed());
  }
  report(static_cast<std::uint64_t>(kills), "senders of Arrow streams killed");
}

// E9
TEST(LimitedMemory, OfAQuarterOfAnArrowStreamIsEnough) {
  if (forebay::test::kSanitized) {
    GTEST_SKIP() << "a sanitizer's own memory would count against the limit";
  }
  constexpr std::int64_t kRows = 128 << 10;  // two columns: 2 MiB
  constexpr std::size_t kBatches = 512;
  constexpr std::size_t kMemoryBytes = std::size_t{256} << 20;
  const Numbers once = numbers(1, kRows);
  Wire wire = forebay::test::socket_pair();
  Child receiving([&] {
    wire.far = {};
    const std::size_t peak_before = forebay::test::peak_resident_bytes();
    forebay::test::limit_memory(kMemoryBytes);
    SocketReceiver receiver(std::move(wire.near), {.framing = Framing::arrow_ipc});
    const auto reader = RecordBatchReader::open(receiver.reader());
    std::size_t batches = 0;
    for (; const auto batch = reader->next(); ++batches) {
      if (!is_batch(*batch, kRows, 0)) return 1;
    }
    const std::size_t grown = forebay::test::peak_resident_bytes() - peak_before;
    std::printf("decoded %llu MiB in %zu batches, the process grew by %zu MiB\n",
                static_cast<unsigned long long>(reader->stats().bytes_bodies >> 20), batches,
                grown >> 20);
    std::fflush(stdout);
    return batches == kBatches && grown < kMemoryBytes ? 0 : 2;
  });
  wire.near = {};
  const std::string_view schema = std::string_view(once.bytes).substr(0, once.ends[0]);
  const std::string_view batch =
      std::string_view(once.bytes).substr(once.ends[0], once.ends[1] - once.ends[0]);
  ASSERT_TRUE(write_all(wire.far, schema));
  for (std::size_t i = 0; i < kBatches; ++i) ASSERT_TRUE(write_all(wire.far, batch));
  ASSERT_TRUE(write_all(wire.far, std::string_view(once.bytes).substr(once.ends[1])));
  wire.far = {};
  EXPECT_TRUE(receiving.succeeded());
}

// Gives out memory of the default pool, but for one allocation.
class FailingPool final : public ::arrow::ProxyMemoryPool {
 public:
  explicit FailingPool(std::int64_t nth)
      : ProxyMemoryPool(::arrow::default_memory_pool()), left_(nth) {}
  ::arrow::Status Allocate(std::int64_t size, std::int64_t alignment, std::uint8_t** out) override {
    if (fails()) return ::arrow::Status::OutOfMemory("as the test wants it");
    return ProxyMemoryPool::Allocate(size, alignment, out);
  }
  ::arrow::Status Reallocate(std::int64_t old_size, std::int64_t new_size, std::int64_t alignment,
                             std::uint8_t** memory) override {
    if (fails()) return ::arrow::Status::OutOfMemory("as the test wants it");
    return ProxyMemoryPool::Reallocate(old_size, new_size, alignment, memory);
  }
  [[nodiscard]] bool failed() const noexcept { return failed_; }

 private:
  bool fails() {
    if (left_-- != 0) return false;
    failed_ = true;
    return true;
  }
  std::int64_t left_;
  bool failed_ = false;
};

// D9: an error of its own type, that every later call throws again, and the stream stays usable.
TEST(Allocations, OfArrowFailOnceEach) {
  ::arrow::RecordBatchVector batches;
  for (int i = 0; i < 3; ++i) batches.push_back(int64_batch(3, 100, i * 300));
  auto options = ::arrow::ipc::IpcWriteOptions::Defaults();
  options.codec = ::arrow::util::Codec::Create(::arrow::Compression::ZSTD).ValueOrDie();
  const std::string bytes = ipc_stream(batches, options);
  std::uint64_t failures = 0;
  for (bool failed = true; failed; ++failures) {
    FailingPool pool(static_cast<std::int64_t>(failures));
    Stream stream = stream_of(bytes, {"7", 7});
    ReadOptions reading;
    reading.ipc.memory_pool = &pool;
    std::size_t got = 0;
    try {
      const auto reader = RecordBatchReader::open(stream.reader, reading);
      try {
        for (; const auto batch = reader->next(); ++got) {
          ASSERT_TRUE(batch->Equals(*batches[got]));
        }
      } catch (const std::bad_alloc&) {
        EXPECT_THROW((void)reader->next(), std::bad_alloc);
        throw;
      }
      EXPECT_EQ(got, batches.size());
      EXPECT_FALSE(pool.failed());
    } catch (const std::bad_alloc&) {
      EXPECT_TRUE(pool.failed());
      EXPECT_LT(got, batches.size());
    }
    failed = pool.failed();
    EXPECT_EQ(pool.bytes_allocated(), 0);
    ASSERT_LT(failures, 1000u);
  }
  EXPECT_GT(failures, 3u);
  report(failures - 1, "allocations of Arrow's pool failed");
}

// The same for operator new. Arrow itself ends the program when that fails inside it, so that only
// our own allocations can be tried.
TEST(Allocations, OfTheReaderFailOnceEach) {
  const std::string bytes = ipc_stream({int64_batch(3, 100), int64_batch(3, 100, 300)});
  std::uint64_t failures = 0;
  for (bool failed = true; failed; ++failures) {
    Stream stream = stream_of(bytes, {"64", 64});
    const std::int64_t alive = forebay::test::allocations_alive();
    {
      const forebay::test::FailingAllocation failing(failures, forebay::test::Callers::program);
      try {
        const auto reader = RecordBatchReader::open(stream.reader);
        while (reader->next() != nullptr) {
        }
      } catch (const std::bad_alloc&) {
        EXPECT_TRUE(failing.failed());
      } catch (const Error& error) {
        EXPECT_TRUE(failing.failed()) << error.what();
      }
      failed = failing.failed();
    }
    // What the stream still holds goes with it; nothing else may be left.
    stream.reader.cancel();
    (void)stream.reader.try_read(1);
    EXPECT_LE(forebay::test::allocations_alive(), alive) << failures;
    ASSERT_LT(failures, 5000u);
    if (HasFailure()) return;
  }
  EXPECT_GT(failures, 10u);
  report(failures - 1, "allocations of a reader failed");
}

}  // namespace
}  // namespace forebay::arrow::test
