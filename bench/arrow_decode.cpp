// SPDX-License-Identifier: Apache-2.0

// Arrow batches out of received memory: ours against Arrow's own readers, on the same chunks.
//
//   Ours         forebay::arrow::RecordBatchReader over a stream
//   OursRaw      the same with Validate::none, as Arrow's readers do not validate either
//   ArrowStream  ::arrow::ipc::RecordBatchStreamReader over an InputStream on the chunk list, which
//                gives out slices where a read lies in one chunk, and copies where it does not
//   ArrowPush    ::arrow::ipc::StreamDecoder, fed the chunks
//   ArrowWhole   RecordBatchStreamReader over a BufferReader: contiguous memory, nothing to copy
//
// Arguments: rows of 16 int64 columns in a batch (16384: 2 MiB, 256: 32 KiB), bytes of a chunk
// (0: one chunk a message). Time is that of one pass over all batches; `per_batch` is what counts.
// Run with --benchmark_enable_random_interleaving=true --benchmark_repetitions=5.

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>
#include <vector>

#include "forebay/arrow/record_batch_reader.h"
#include "forebay/forebay.h"

namespace {

constexpr int kColumns = 16;
constexpr std::int64_t kBytesInAll = std::int64_t{32} << 20;

std::shared_ptr<arrow::RecordBatch> make_batch(std::int64_t rows) {
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  for (int column = 0; column < kColumns; ++column) {
    auto values = arrow::AllocateBuffer(rows * 8).ValueOrDie();
    std::memset(values->mutable_data(), column, static_cast<std::size_t>(rows) * 8);
    fields.push_back(arrow::field(std::to_string(column), arrow::int64()));
    columns.push_back(std::make_shared<arrow::Int64Array>(
        rows, std::shared_ptr<arrow::Buffer>(std::move(values))));
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), rows, columns);
}

// An Arrow stream in 64-byte aligned memory, and how it is cut.
struct Input {
  std::shared_ptr<arrow::Buffer> bytes;
  std::vector<std::shared_ptr<arrow::Buffer>> chunks;
  std::int64_t batches = 0;
};

void cut(Input& input, std::int64_t chunk_bytes, const std::vector<std::int64_t>& messages) {
  const std::int64_t size = input.bytes->size();
  std::int64_t at = 0;
  std::size_t message = 0;
  while (at < size) {
    std::int64_t end = chunk_bytes != 0            ? at + chunk_bytes
                       : message < messages.size() ? messages[message++]
                                                   : size;
    end = std::min(end, size);
    if (end == at) continue;
    // Each chunk is memory of its own, as a receiver fills it. The chunk of a message, whose body
    // is a multiple of 64 bytes, ends at one, so that the body is aligned.
    const std::int64_t shift = chunk_bytes != 0 ? 0 : (64 - (end - at) % 64) % 64;
    std::shared_ptr<arrow::Buffer> memory = arrow::AllocateBuffer(end - at + 64).ValueOrDie();
    std::memcpy(memory->mutable_data() + shift, input.bytes->data() + at,
                static_cast<std::size_t>(end - at));
    input.chunks.push_back(arrow::SliceBuffer(memory, shift, end - at));
    at = end;
  }
}

const Input& input_of(std::int64_t rows, std::int64_t chunk_bytes) {
  static std::map<std::pair<std::int64_t, std::int64_t>, Input> made;
  Input& input = made[{rows, chunk_bytes}];
  if (input.bytes != nullptr) return input;
  const auto batch = make_batch(rows);
  input.batches = kBytesInAll / (rows * 8 * kColumns);
  const auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  const auto writer = arrow::ipc::MakeStreamWriter(sink, batch->schema()).ValueOrDie();
  std::vector<std::int64_t> messages;
  for (std::int64_t i = 0; i < input.batches; ++i) {
    if (!writer->WriteRecordBatch(*batch).ok()) throw std::runtime_error("WriteRecordBatch");
    messages.push_back(sink->Tell().ValueOrDie());
  }
  if (!writer->Close().ok()) throw std::runtime_error("Close");
  input.bytes = sink->Finish().ValueOrDie();
  cut(input, chunk_bytes, messages);
  return input;
}

// The chunk list as Arrow's readers want it: no copy where a read lies in one chunk.
class ChunkStream final : public arrow::io::InputStream {
 public:
  explicit ChunkStream(const Input& input) : chunks_(input.chunks) {}

  arrow::Result<std::int64_t> Read(std::int64_t size, void* out) override {
    std::int64_t done = 0;
    while (done < size && chunk_ < chunks_.size()) {
      const auto& chunk = *chunks_[chunk_];
      const std::int64_t part = std::min(size - done, chunk.size() - offset_);
      std::memcpy(static_cast<std::uint8_t*>(out) + done, chunk.data() + offset_,
                  static_cast<std::size_t>(part));
      done += part;
      advance(part);
    }
    return done;
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(std::int64_t size) override {
    if (chunk_ < chunks_.size() && size <= chunks_[chunk_]->size() - offset_) {
      auto slice = arrow::SliceBuffer(chunks_[chunk_], offset_, size);
      advance(size);
      return slice;
    }
    ARROW_ASSIGN_OR_RAISE(auto memory, arrow::AllocateResizableBuffer(size));
    ARROW_ASSIGN_OR_RAISE(const std::int64_t done, Read(size, memory->mutable_data()));
    copied += done;
    ARROW_RETURN_NOT_OK(memory->Resize(done));
    return std::shared_ptr<arrow::Buffer>(std::move(memory));
  }
  arrow::Status Close() override { return arrow::Status::OK(); }
  [[nodiscard]] bool closed() const override { return false; }
  [[nodiscard]] arrow::Result<std::int64_t> Tell() const override { return position_; }
  [[nodiscard]] bool supports_zero_copy() const override { return true; }

  std::int64_t copied = 0;

 private:
  void advance(std::int64_t bytes) {
    position_ += bytes;
    offset_ += bytes;
    while (chunk_ < chunks_.size() && offset_ == chunks_[chunk_]->size()) {
      ++chunk_;
      offset_ = 0;
    }
  }

  const std::vector<std::shared_ptr<arrow::Buffer>>& chunks_;
  std::size_t chunk_ = 0;
  std::int64_t offset_ = 0;
  std::int64_t position_ = 0;
};

void report(benchmark::State& state, const Input& input, std::int64_t copied) {
  const auto passes = static_cast<double>(state.iterations());
  const auto batches = static_cast<double>(input.batches);
  state.counters["per_batch"] = benchmark::Counter(
      passes * batches, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  if (copied < 0) return;  // Not known.
  state.counters["copied_percent"] =
      100.0 * static_cast<double>(copied) / static_cast<double>(input.bytes->size()) / passes;
}

template <class Reader>
void drain(benchmark::State& state, Reader& reader, const Input& input) {
  std::int64_t batches = 0;
  std::shared_ptr<arrow::RecordBatch> batch;
  for (;;) {
    if (!reader.ReadNext(&batch).ok() || batch == nullptr) break;
    benchmark::DoNotOptimize(batch->column_data(kColumns - 1)->buffers[1]->data());
    ++batches;
  }
  if (batches != input.batches) state.SkipWithError("batches are missing");
}

void ours(benchmark::State& state, forebay::arrow::Validate validate) {
  const Input& input = input_of(state.range(0), state.range(1));
  std::int64_t copied = 0;
  for (auto _ : state) {
    state.PauseTiming();
    forebay::StreamOptions options;
    options.max_items = input.chunks.size() + 1;
    {
      forebay::Stream stream = forebay::make_stream(options);
      for (const auto& chunk : input.chunks) {
        stream.writer.add_next_chunk(forebay::Chunk::borrow(
            std::as_bytes(std::span(chunk->data(), static_cast<std::size_t>(chunk->size()))),
            forebay::Release{[](void*) noexcept {}, nullptr}));
      }
      stream.writer.finish();
      state.ResumeTiming();
      forebay::arrow::ReadOptions read_options;
      read_options.validate = validate;
      const auto reader = forebay::arrow::RecordBatchReader::open(stream.reader, read_options);
      drain(state, *reader, input);
      state.PauseTiming();
      copied += static_cast<std::int64_t>(reader->stats().bytes_copied() +
                                          stream.reader.stats().bytes_copied);
    }
    state.ResumeTiming();
  }
  report(state, input, copied);
}

void Ours(benchmark::State& state) { ours(state, forebay::arrow::Validate::basic); }
void OursRaw(benchmark::State& state) { ours(state, forebay::arrow::Validate::none); }

arrow::ipc::IpcReadOptions arrow_options() {
  auto options = arrow::ipc::IpcReadOptions::Defaults();
  options.use_threads = false;
  return options;
}

void ArrowStream(benchmark::State& state) {
  const Input& input = input_of(state.range(0), state.range(1));
  std::int64_t copied = 0;
  for (auto _ : state) {
    ChunkStream chunks(input);
    const auto reader =
        arrow::ipc::RecordBatchStreamReader::Open(&chunks, arrow_options()).ValueOrDie();
    drain(state, *reader, input);
    copied += chunks.copied;
  }
  report(state, input, copied);
}

void ArrowPush(benchmark::State& state) {
  const Input& input = input_of(state.range(0), state.range(1));
  struct Counter : arrow::ipc::Listener {
    arrow::Status OnRecordBatchDecoded(std::shared_ptr<arrow::RecordBatch> batch) override {
      benchmark::DoNotOptimize(batch->column_data(kColumns - 1)->buffers[1]->data());
      ++batches;
      return arrow::Status::OK();
    }
    std::int64_t batches = 0;
  };
  for (auto _ : state) {
    const auto counter = std::make_shared<Counter>();
    arrow::ipc::StreamDecoder decoder(counter, arrow_options());
    for (const auto& chunk : input.chunks) {
      if (!decoder.Consume(chunk).ok()) state.SkipWithError("Consume");
    }
    if (counter->batches != input.batches) state.SkipWithError("batches are missing");
  }
  report(state, input, -1);
}

void ArrowWhole(benchmark::State& state) {
  const Input& input = input_of(state.range(0), state.range(1));
  for (auto _ : state) {
    arrow::io::BufferReader bytes(input.bytes);
    const auto reader =
        arrow::ipc::RecordBatchStreamReader::Open(&bytes, arrow_options()).ValueOrDie();
    drain(state, *reader, input);
  }
  report(state, input, 0);
}

void shapes(benchmark::internal::Benchmark* benchmark) {
  for (const std::int64_t rows : {16384, 256}) {
    for (const std::int64_t chunk_bytes : {0, 64 << 10, 1 << 20}) {
      benchmark->Args({rows, chunk_bytes});
    }
  }
  benchmark->ArgNames({"rows", "chunk"})->Unit(benchmark::kMicrosecond);
}

BENCHMARK(Ours)->Apply(shapes);
BENCHMARK(OursRaw)->Apply(shapes);
BENCHMARK(ArrowStream)->Apply(shapes);
BENCHMARK(ArrowPush)->Apply(shapes);
BENCHMARK(ArrowWhole)
    ->ArgsProduct({{16384, 256}, {0}})
    ->ArgNames({"rows", "chunk"})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
