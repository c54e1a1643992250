// SPDX-License-Identifier: Apache-2.0

// What is copied and what is not, who owns it, and what a batch holds back.

#include <arrow/array.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "support.h"

namespace forebay::arrow::test {
namespace {

// Memory that begins at a chosen distance from a multiple of 64.
class Placed {
 public:
  Placed(std::string_view bytes, std::size_t distance)
      : memory_(new (std::align_val_t(64)) std::byte[bytes.size() + 64]),
        bytes_(memory_.get() + distance, bytes.size()) {
    std::memcpy(memory_.get() + distance, bytes.data(), bytes.size());
  }
  [[nodiscard]] Chunk chunk() const {
    return Chunk::borrow(bytes_, Release{[](void*) noexcept {}, nullptr});
  }
  [[nodiscard]] bool holds(const std::uint8_t* address) const {
    const auto* const byte = reinterpret_cast<const std::byte*>(address);
    return byte >= bytes_.data() && byte < bytes_.data() + bytes_.size();
  }

 private:
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete[](memory, std::align_val_t(64)); }
  };
  std::unique_ptr<std::byte[], Free> memory_;
  std::span<const std::byte> bytes_;
};

// Where the last body of a stream of one batch begins: its columns are the last bytes but the
// marker.
constexpr std::size_t kMarkerBytes = 8;

std::int64_t value(const ::arrow::RecordBatch& batch, int column, std::int64_t row) {
  return static_cast<const ::arrow::Int64Array&>(*batch.column(column)).Value(row);
}

const std::uint8_t* data_of(const ::arrow::RecordBatch& batch, int column) {
  return batch.column_data(column)->buffers[1]->data();
}

TEST(ZeroCopy, ABodyInOneAlignedChunkIsTakenAsItIs) {
  const int columns = 4;
  const std::int64_t rows = 1000;
  const std::string bytes = ipc_stream({int64_batch(columns, rows)});
  const std::size_t body = bytes.size() - kMarkerBytes - columns * rows * 8;
  const Placed placed(bytes, (64 - body % 64) % 64);
  Stream stream = make_stream();
  stream.writer.add_next_chunk(placed.chunk());
  stream.writer.finish();

  const auto reader = RecordBatchReader::open(stream.reader);
  const auto batch = reader->next();

  ASSERT_NE(batch, nullptr);
  for (int column = 0; column < columns; ++column) {
    EXPECT_TRUE(placed.holds(data_of(*batch, column)));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data_of(*batch, column)) % 64, 0U);
    EXPECT_EQ(value(*batch, column, 999), 999 * columns + column);
  }
  EXPECT_EQ(stream.reader.stats().bytes_copied, 0U);
  EXPECT_EQ(reader->stats().bytes_copied(), 0U);
  EXPECT_EQ(reader->stats().bodies_whole, 1U);
  EXPECT_EQ(reader->stats().bytes_shared, static_cast<std::uint64_t>(columns * rows * 8));
}

// A stream of a 2 MiB batch of 16 columns in 1 MiB chunks.
constexpr int kColumns = 16;
constexpr std::int64_t kRows = 16384;

TEST(ZeroCopy, OnlyBuffersThatCrossAnEdgeAreCopied) {
  const std::string bytes =
      ipc_stream({int64_batch(kColumns, kRows), int64_batch(kColumns, kRows)});
  Stream stream = stream_of(bytes, {"1 MiB", 1 << 20});
  const auto reader = RecordBatchReader::open(stream.reader);
  std::size_t batches = 0;
  while (const auto batch = reader->next()) {
    ++batches;
    for (int column = 0; column < kColumns; ++column) {
      EXPECT_EQ(value(*batch, column, kRows - 1), (kRows - 1) * kColumns + column);
    }
  }
  EXPECT_EQ(batches, 2U);
  const ReadStats& stats = reader->stats();
  EXPECT_EQ(stats.bodies_scattered, 2U);
  EXPECT_GT(stats.buffers_scattered, 0U);
  EXPECT_LE(stats.bytes_copied() * 10, stats.bytes_bodies * 4);
  EXPECT_EQ(stats.bytes_shared + stats.bytes_scattered, stats.bytes_bodies);
  // What the stream itself copied is metadata that crossed an edge.
  EXPECT_LT(stream.reader.stats().bytes_copied, 16U << 10);
}

TEST(ZeroCopy, ColumnsNobodyAskedForAreNotTouched) {
  const std::string bytes = ipc_stream({int64_batch(kColumns, kRows)});
  Stream stream = stream_of(bytes, {"100000", 100000});
  ReadOptions options;
  options.columns = {"c11", "c3"};
  const auto reader = RecordBatchReader::open(stream.reader, options);
  EXPECT_EQ(reader->schema()->ToString(), "c3: int64\nc11: int64");
  const auto batch = reader->next();
  ASSERT_EQ(batch->num_columns(), 2);
  EXPECT_TRUE(batch->schema()->Equals(*reader->schema()));
  EXPECT_EQ(value(*batch, 0, 77), 77 * kColumns + 3);
  EXPECT_EQ(value(*batch, 1, 77), 77 * kColumns + 11);
  const ReadStats& stats = reader->stats();
  EXPECT_EQ(stats.bytes_shared + stats.bytes_scattered, 2U * kRows * 8);
  EXPECT_LE(stream.reader.stats().bytes_copied, 4096U);
}

TEST(ZeroCopy, ColumnsCanBeChosenByNumber) {
  Stream stream = stream_of(ipc_stream({int64_batch(3, 10)}));
  ReadOptions options;
  options.ipc.included_fields = {2, 0, 2};
  const auto reader = RecordBatchReader::open(stream.reader, options);
  const auto batch = reader->next();
  EXPECT_EQ(batch->schema()->ToString(), "c0: int64\nc2: int64");
  EXPECT_EQ(value(*batch, 1, 1), 5);
}

TEST(ZeroCopy, AColumnThatIsNotThereIsTheCallersMistake) {
  Stream stream = stream_of(ipc_stream({int64_batch(3, 10)}));
  ReadOptions options;
  options.columns = {"c3"};
  EXPECT_THROW((void)RecordBatchReader::open(stream.reader, options), std::invalid_argument);
  for (const int number : {3, -1}) {
    Stream other = stream_of(ipc_stream({int64_batch(3, 10)}));
    ReadOptions by_number;
    by_number.ipc.included_fields = {0, number};
    EXPECT_THROW((void)RecordBatchReader::open(other.reader, by_number), std::invalid_argument);
  }
}

TEST(ZeroCopy, BatchesOutliveReaderAndStream) {
  for (const std::size_t chunk_bytes : {std::size_t{1000}, std::size_t{1} << 20}) {
    ::arrow::RecordBatchVector batches;
    {
      Stream stream =
          stream_of(ipc_stream({int64_batch(4, 5000), int64_batch(4, 5000)}), {"", chunk_bytes});
      const auto reader = RecordBatchReader::open(stream.reader);
      while (auto batch = reader->next()) batches.push_back(std::move(batch));
    }
    ASSERT_EQ(batches.size(), 2U);
    std::thread([&batches] {
      for (const auto& batch : batches) {
        EXPECT_TRUE(batch->ValidateFull().ok());
        EXPECT_EQ(value(*batch, 3, 4999), 4999 * 4 + 3);
      }
      batches.clear();
    }).join();
  }
}

TEST(ZeroCopy, MisalignedBodiesAreReadAndWhatThatCopiesIsCounted) {
  const std::string bytes = ipc_stream({int64_batch(4, 1000)});
  for (std::size_t distance = 0; distance < 16; ++distance) {
    const Placed placed(bytes, distance);
    Stream stream = make_stream();
    stream.writer.add_next_chunk(placed.chunk());
    stream.writer.finish();
    const auto reader = RecordBatchReader::open(stream.reader);
    const auto batch = reader->next();
    for (int column = 0; column < 4; ++column) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data_of(*batch, column)) % 8, 0U);
      EXPECT_EQ(value(*batch, column, 999), 999 * 4 + column);
    }
    EXPECT_EQ(reader->stats().bytes_realigned, distance % 8 == 0 ? 0U : 32000U);
  }
}

TEST(ZeroCopy, BuffersCanBeAlignedTo64Bytes) {
  const Placed placed(ipc_stream({int64_batch(4, 1001)}), 8);
  Stream stream = make_stream();
  stream.writer.add_next_chunk(placed.chunk());
  stream.writer.finish();
  ReadOptions options;
  options.ipc.ensure_alignment = ::arrow::ipc::Alignment::k64ByteAlignment;
  const auto batch = RecordBatchReader::open(stream.reader, options)->next();
  for (int column = 0; column < 4; ++column) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data_of(*batch, column)) % 64, 0U);
  }
}

TEST(Retained, BoundedBatchesHoldTheWriterBackAndDetachedOnesDoNot) {
  const ::arrow::RecordBatchVector batches(16, int64_batch(4, 8192));  // 256 KiB each
  const std::string bytes = ipc_stream(batches);
  for (const Retention retention : {Retention::bounded, Retention::detached}) {
    StreamOptions options;
    options.max_bytes = std::size_t{1} << 20;
    options.retention_grace = std::chrono::milliseconds(20);
    Stream stream = make_stream(options);
    std::thread writer([&stream, &bytes] {
      try {
        for (std::size_t at = 0; at < bytes.size(); at += 100000) {
          const std::string_view part = std::string_view(bytes).substr(at, 100000);
          stream.writer.add_next_chunk(
              Chunk::copy_of(std::as_bytes(std::span(part.data(), part.size()))));
        }
        stream.writer.finish();
      } catch (const Cancelled&) {
      }
    });
    ReadOptions read_options;
    read_options.retention = retention;
    const auto reader = RecordBatchReader::open(stream.reader, read_options);
    ::arrow::RecordBatchVector kept;
    const auto read_all = [&] {
      while (auto batch = reader->next()) kept.push_back(std::move(batch));
    };
    if (retention == Retention::bounded) {
      EXPECT_THROW(read_all(), RetainedBudgetExhausted);
      EXPECT_THROW((void)reader->next(), RetainedBudgetExhausted);  // It stays so.
      EXPECT_LE(stream.reader.stats().bytes_peak, options.max_bytes);
      stream.reader.cancel();
    } else {
      read_all();
      EXPECT_EQ(kept.size(), batches.size());
      EXPECT_GT(stream.reader.stats().bytes_detached, options.max_bytes);
    }
    writer.join();
  }
}

TEST(Retained, ADictionaryHoldsNoBlock) {
  const TemporaryFolder folder;
  ASSERT_TRUE(run_script("generate_streams.py", {folder.path()}));
  Stream stream = stream_of(file_bytes(folder.path() / "dictionaries.stream"));
  const auto reader = RecordBatchReader::open(stream.reader);
  while (reader->next() != nullptr) {
  }
  EXPECT_GT(reader->stats().bytes_dictionaries, 0U);
  EXPECT_EQ(stream.reader.stats().shares, 0U);
}

// The stream's bound is smaller than a body: the body is gathered, and nobody waits for ever.
TEST(Bounds, ABodyLargerThanTheStreamIsGathered) {
  const std::string bytes =
      ipc_stream({int64_batch(4, 32768), int64_batch(4, 32768)});  // 1 MiB each
  StreamOptions options;
  options.max_bytes = std::size_t{256} << 10;
  Stream stream = make_stream(options);
  std::thread writer([&stream, &bytes] {
    for (std::size_t at = 0; at < bytes.size(); at += 50000) {
      const std::string_view part = std::string_view(bytes).substr(at, 50000);
      stream.writer.add_next_chunk(
          Chunk::copy_of(std::as_bytes(std::span(part.data(), part.size()))));
    }
    stream.writer.finish();
  });
  const auto reader = RecordBatchReader::open(stream.reader);
  std::size_t batches = 0;
  while (const auto batch = reader->next()) {
    ++batches;
    EXPECT_EQ(value(*batch, 3, 32767), 32767 * 4 + 3);
  }
  writer.join();
  EXPECT_EQ(batches, 2U);
  EXPECT_EQ(reader->stats().bodies_gathered, 2U);
}

// The bound fits the body, but the chunks' overhead or the item bound gets in the way.
TEST(Bounds, ABodyThatFillsTheStreamIsGathered) {
  const std::string bytes = ipc_stream({int64_batch(4, 4096)});  // 128 KiB
  StreamOptions options;
  options.max_items = 16;
  Stream stream = make_stream(options);
  std::thread writer([&stream, &bytes] {
    for (std::size_t at = 0; at < bytes.size(); at += 100) {
      const std::string_view part = std::string_view(bytes).substr(at, 100);
      stream.writer.add_next_chunk(
          Chunk::copy_of(std::as_bytes(std::span(part.data(), part.size()))));
    }
    stream.writer.finish();
  });
  const auto reader = RecordBatchReader::open(stream.reader);
  EXPECT_EQ(value(*reader->next(), 3, 4095), 4095 * 4 + 3);
  EXPECT_EQ(reader->next(), nullptr);
  writer.join();
}

}  // namespace
}  // namespace forebay::arrow::test
