// SPDX-License-Identifier: Apache-2.0

// Arrow batches out of received memory: ours against Arrow's own readers, on the same chunks.
//
//   <peer>/decode/batch:<bytes>/block:<bytes, or message>/columns:<16, or 2>
//
// A batch has 16 columns of int64. Of those, two are read in some cases, eight columns apart, and
// each pass over the batches takes the next two, so that every column is read as often: whether a
// column crosses from one block to the next makes a difference. `block:message`: every message lies
// in one block, its body aligned.
//
//   Forebay            forebay::arrow::RecordBatchReader over a stream
//   ForebayUnchecked   the same with Validate::none, as Arrow's readers do not validate either
//   ArrowStream        ::arrow::ipc::RecordBatchStreamReader over an InputStream on the blocks,
//                      which gives out slices where a read lies in one block, and copies where it
//                      does not
//   ArrowPush          ::arrow::ipc::StreamDecoder, fed the blocks
//   ArrowWhole         RecordBatchStreamReader over a BufferReader: contiguous memory, nothing to
//                      copy, the limit
//
// `ns_per_item` is the time of a batch, without that of putting blocks into a stream.

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "forebay/arrow/record_batch_reader.h"
#include "forebay/forebay.h"
#include "harness/pin_thread.h"

namespace {

constexpr int kColumns = 16;
constexpr std::int64_t kBytesInAll = std::int64_t{32} << 20;
constexpr std::int64_t kWholeMessages = 0;

struct Case {
  std::int64_t batch_bytes;
  std::int64_t block_bytes;
  int columns;

  [[nodiscard]] std::int64_t rows() const { return batch_bytes / 8 / kColumns; }
  /// The columns to read in the `pass`-th pass; none: all.
  [[nodiscard]] std::vector<int> included(std::int64_t pass) const {
    if (columns == kColumns) return {};
    const int first = static_cast<int>(pass % (kColumns / 2));
    return {first, first + kColumns / 2};
  }
};

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

const Input& input_of(const Case& what) {
  static std::map<std::pair<std::int64_t, std::int64_t>, Input> made;
  Input& input = made[{what.batch_bytes, what.block_bytes}];
  if (input.bytes != nullptr) return input;
  const auto batch = make_batch(what.rows());
  input.batches = kBytesInAll / what.batch_bytes;
  const auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  const auto writer = arrow::ipc::MakeStreamWriter(sink, batch->schema()).ValueOrDie();
  std::vector<std::int64_t> messages;
  for (std::int64_t i = 0; i < input.batches; ++i) {
    if (!writer->WriteRecordBatch(*batch).ok()) throw std::runtime_error("WriteRecordBatch");
    messages.push_back(sink->Tell().ValueOrDie());
  }
  if (!writer->Close().ok()) throw std::runtime_error("Close");
  input.bytes = sink->Finish().ValueOrDie();
  cut(input, what.block_bytes, messages);
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

// The time of reading all batches, pass by pass.
class Passes {
 public:
  using Clock = std::chrono::steady_clock;

  Passes(benchmark::State& state, const Case& what)
      : state_(state), what_(what), input_(input_of(what)) {
    forebay::bench::pin_this_thread(0);
  }
  ~Passes() {
    const auto batches =
        static_cast<double>(state_.iterations()) * static_cast<double>(input_.batches);
    state_.counters["ns_per_item"] = benchmark::Counter(
        batches * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    if (copied_bytes < 0) return;  // Not known.
    state_.counters["copied_percent"] = 100.0 * static_cast<double>(copied_bytes) / batches /
                                        static_cast<double>(what_.batch_bytes);
  }

  [[nodiscard]] const Input& input() const { return input_; }
  [[nodiscard]] std::vector<int> included() const { return what_.included(pass_); }
  void begin() { begin_ = Clock::now(); }
  void end() {
    state_.SetIterationTime(std::chrono::duration<double>(Clock::now() - begin_).count());
    ++pass_;
  }
  void use(const arrow::RecordBatch& batch) {
    if (batch.num_columns() != what_.columns) throw std::runtime_error("columns are missing");
    benchmark::DoNotOptimize(batch.column_data(what_.columns - 1)->buffers[1]->data());
  }
  template <class Reader>
  void drain(Reader& reader) {
    std::int64_t batches = 0;
    for (std::shared_ptr<arrow::RecordBatch> batch;; ++batches) {
      if (!reader.ReadNext(&batch).ok() || batch == nullptr) break;
      use(*batch);
    }
    check(batches);
  }
  void check(std::int64_t batches) const {
    if (batches != input_.batches) throw std::runtime_error("batches are missing");
  }

  std::int64_t copied_bytes = -1;

 private:
  benchmark::State& state_;
  const Case& what_;
  const Input& input_;
  std::int64_t pass_ = 0;
  Clock::time_point begin_;
};

void forebay_reader(benchmark::State& state, const Case& what, forebay::arrow::Validate validate) {
  Passes passes(state, what);
  const Input& input = passes.input();
  passes.copied_bytes = 0;
  forebay::StreamOptions options;
  options.max_items = input.chunks.size() + 1;
  for (auto _ : state) {
    forebay::Stream stream = forebay::make_stream(options);
    for (const auto& chunk : input.chunks) {
      stream.writer.add_next_chunk(forebay::Chunk::borrow(
          std::as_bytes(std::span(chunk->data(), static_cast<std::size_t>(chunk->size()))),
          forebay::Release{[](void*) noexcept {}, nullptr}));
    }
    stream.writer.finish();
    forebay::arrow::ReadOptions read_options;
    read_options.validate = validate;
    read_options.ipc.included_fields = passes.included();
    passes.begin();
    const auto reader = forebay::arrow::RecordBatchReader::open(stream.reader, read_options);
    passes.drain(*reader);
    passes.end();
    passes.copied_bytes += static_cast<std::int64_t>(reader->stats().bytes_copied() +
                                                     stream.reader.stats().bytes_copied);
  }
}

void forebay_default(benchmark::State& state, const Case& what) {
  forebay_reader(state, what, forebay::arrow::Validate::basic);
}
void forebay_unchecked(benchmark::State& state, const Case& what) {
  forebay_reader(state, what, forebay::arrow::Validate::none);
}

arrow::ipc::IpcReadOptions arrow_options(const Passes& passes) {
  auto options = arrow::ipc::IpcReadOptions::Defaults();
  options.use_threads = false;
  options.included_fields = passes.included();
  return options;
}

void arrow_stream(benchmark::State& state, const Case& what) {
  Passes passes(state, what);
  passes.copied_bytes = 0;
  for (auto _ : state) {
    const auto options = arrow_options(passes);
    passes.begin();
    ChunkStream chunks(passes.input());
    const auto reader = arrow::ipc::RecordBatchStreamReader::Open(&chunks, options).ValueOrDie();
    passes.drain(*reader);
    passes.end();
    passes.copied_bytes += chunks.copied;
  }
}

void arrow_push(benchmark::State& state, const Case& what) {
  struct Listener : arrow::ipc::Listener {
    explicit Listener(Passes& of) : passes(of) {}
    arrow::Status OnRecordBatchDecoded(std::shared_ptr<arrow::RecordBatch> batch) override {
      passes.use(*batch);
      ++batches;
      return arrow::Status::OK();
    }
    Passes& passes;
    std::int64_t batches = 0;
  };
  Passes passes(state, what);
  for (auto _ : state) {
    const auto options = arrow_options(passes);
    passes.begin();
    const auto listener = std::make_shared<Listener>(passes);
    arrow::ipc::StreamDecoder decoder(listener, options);
    for (const auto& chunk : passes.input().chunks) {
      if (!decoder.Consume(chunk).ok()) throw std::runtime_error("Consume");
    }
    passes.check(listener->batches);
    passes.end();
  }
}

void arrow_whole(benchmark::State& state, const Case& what) {
  Passes passes(state, what);
  passes.copied_bytes = 0;
  for (auto _ : state) {
    const auto options = arrow_options(passes);
    passes.begin();
    arrow::io::BufferReader bytes(passes.input().bytes);
    const auto reader = arrow::ipc::RecordBatchStreamReader::Open(&bytes, options).ValueOrDie();
    passes.drain(*reader);
    passes.end();
  }
}

void add(const char* peer, const Case& what, void (*run)(benchmark::State&, const Case&)) {
  const std::string block =
      what.block_bytes == kWholeMessages ? "message" : std::to_string(what.block_bytes);
  const std::string name = std::string(peer) + "/decode/batch:" + std::to_string(what.batch_bytes) +
                           "/block:" + block + "/columns:" + std::to_string(what.columns);
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { run(state, what); })
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

[[maybe_unused]] const bool g_added = [] {
  for (const int columns : {kColumns, 2}) {
    for (const std::int64_t batch_bytes : {32 << 10, 256 << 10, 2 << 20}) {
      for (const std::int64_t block_bytes :
           {std::int64_t{64 << 10}, std::int64_t{1 << 20}, kWholeMessages}) {
        const Case what{batch_bytes, block_bytes, columns};
        add("Forebay", what, &forebay_default);
        add("ForebayUnchecked", what, &forebay_unchecked);
        add("ArrowStream", what, &arrow_stream);
        add("ArrowPush", what, &arrow_push);
        add("ArrowWhole", what, &arrow_whole);
      }
    }
  }
  return true;
}();

}  // namespace
