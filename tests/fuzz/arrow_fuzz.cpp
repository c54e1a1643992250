// SPDX-License-Identifier: Apache-2.0

// RecordBatchReader on any bytes: they are read, or refused with a typed error, and the chunks that
// they come in do not matter. What passes full validation is looked at in whole.

#include <arrow/array/data.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <string>
#include <vector>

#include "forebay/arrow/record_batch_reader.h"
#include "forebay/forebay.h"
#include "fuzz/fuzz.h"

namespace forebay::fuzz {
namespace {

// What came of a stream.
struct Verdict {
  std::uint64_t digest = 0;  // of what was decoded
  std::size_t batches = 0;
  int columns = 0;
  std::string error;
  bool operator==(const Verdict&) const = default;
};

void add(Digest& digest, const ::arrow::ArrayData& data) {
  digest.add_word(static_cast<std::uint64_t>(data.type->id()));
  digest.add_word(static_cast<std::uint64_t>(data.length));
  digest.add_word(static_cast<std::uint64_t>(data.offset));
  for (const auto& buffer : data.buffers) {
    digest.add_word(buffer != nullptr ? 1 : 0);
    if (buffer == nullptr) continue;
    digest.add_word(static_cast<std::uint64_t>(buffer->size()));
    digest.add(std::as_bytes(std::span(buffer->data(), static_cast<std::size_t>(buffer->size()))));
  }
  for (const auto& child : data.child_data) add(digest, *child);
  if (data.dictionary != nullptr) add(digest, *data.dictionary);
}

arrow::ReadOptions read_options() {
  arrow::ReadOptions options;
  options.validate = arrow::Validate::full;
  // Limits that an input cannot use up by being large.
  options.body_bytes_max = std::size_t{16} << 20;
  options.decompressed_bytes_max = std::size_t{16} << 20;
  options.dictionary_bytes_max = std::size_t{16} << 20;
  // The one that AddressSanitizer sees.
  options.ipc.memory_pool = ::arrow::system_memory_pool();
  return options;
}

Stream stream_of(Cutter cutter) {
  std::vector<std::span<const std::byte>> parts;
  for (auto part = cutter.next(); !part.empty(); part = cutter.next()) parts.push_back(part);
  StreamOptions options;
  options.max_bytes = std::size_t{1} << 32;
  options.max_items = parts.size() + 1;
  options.retention_grace = std::chrono::nanoseconds(0);
  Stream stream = make_stream(options);
  for (const auto part : parts) stream.writer.add_next_chunk(Chunk::copy_of(part));
  stream.writer.finish();
  return stream;
}

Verdict read(std::span<const std::byte> bytes, Cutter cutter, const arrow::ReadOptions& options) {
  Stream stream = stream_of(cutter);
  Verdict verdict;
  Digest digest;
  try {
    const auto reader = arrow::RecordBatchReader::open(stream.reader, options);
    verdict.columns = reader->schema()->num_fields();
    digest.add(reader->schema()->ToString(/*show_metadata=*/true));
    while (const auto batch = reader->next()) {
      digest.add_word(static_cast<std::uint64_t>(batch->num_rows()));
      for (const auto& column : batch->column_data()) add(digest, *column);
      ++verdict.batches;
    }
    FOREBAY_FUZZ_REQUIRE(reader->position() <= bytes.size());
  } catch (const Error& error) {
    verdict.error = error.what();
  }
  verdict.digest = digest.value();
  return verdict;
}

// Column by column there is no more to complain of than in the whole.
void require_each_column(std::span<const std::byte> bytes, Random random, const Verdict& whole) {
  arrow::ReadOptions options = read_options();
  options.ipc.included_fields = {
      static_cast<int>(random.below(static_cast<std::uint64_t>(whole.columns)))};
  const Verdict one = read(bytes, Cutter(bytes, random), options);
  FOREBAY_FUZZ_REQUIRE(one.error.empty());
  FOREBAY_FUZZ_REQUIRE(one.columns == 1 && one.batches == whole.batches);
}

}  // namespace
}  // namespace forebay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace forebay::fuzz;
  const auto bytes = bytes_of(data, size);
  Random random = random_of(bytes);
  const auto options = read_options();
  const Verdict whole = read(bytes, Cutter(bytes, SIZE_MAX), options);
  const Verdict cut = read(bytes, Cutter(bytes, random), options);
  if (cut.error != whole.error) {
    std::fprintf(stderr, "whole: %s\ncut: %s\n", whole.error.c_str(), cut.error.c_str());
  }
  FOREBAY_FUZZ_REQUIRE(cut == whole);
  // The two above differ most; once in a while, parts that cut every number.
  if (size < 2048 && random.below(8) == 0) {
    FOREBAY_FUZZ_REQUIRE(read(bytes, Cutter(bytes, 1 + random.below(7)), options) == whole);
  }
  if (whole.error.empty() && whole.columns > 1) require_each_column(bytes, random, whole);
  return 0;
}
