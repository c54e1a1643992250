// SPDX-License-Identifier: Apache-2.0
#include "support.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/writer.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>

#include "canonical.h"

namespace forebay::arrow::test {

const std::vector<Chunking>& chunkings() {
  static const std::vector<Chunking> all = {{"1", 1},
                                            {"3", 3},
                                            {"7", 7},
                                            {"64", 64},
                                            {"4096", 4096},
                                            {"65536", 65536},
                                            {"whole", SIZE_MAX},
                                            {"random", 0}};
  return all;
}

Stream stream_of(std::string_view bytes, const Chunking& chunking) {
  std::mt19937 random(static_cast<unsigned>(bytes.size()));
  std::uniform_int_distribution<std::size_t> sizes(1, 1 + bytes.size() / 8);
  std::vector<std::string_view> parts;
  while (!bytes.empty()) {
    parts.push_back(
        bytes.substr(0, chunking.chunk_bytes != 0 ? chunking.chunk_bytes : sizes(random)));
    bytes.remove_prefix(parts.back().size());
  }
  StreamOptions options;
  // Everything is added before anything is read: capacity counts, and small chunks have more of it.
  options.max_bytes = std::size_t{1} << 32;
  options.max_items = parts.size() + 1;
  options.retention_grace = std::chrono::nanoseconds(0);
  Stream stream = make_stream(options);
  for (const std::string_view part : parts) {
    stream.writer.add_next_chunk(
        Chunk::copy_of(std::as_bytes(std::span(part.data(), part.size()))));
  }
  stream.writer.finish();
  return stream;
}

Stream stream_of(std::string_view bytes) { return stream_of(bytes, {"whole", SIZE_MAX}); }

Outcome read_stream(StreamReader& stream, const ReadOptions& options) {
  Outcome outcome;
  try {
    const auto reader = RecordBatchReader::open(stream, options);
    outcome.decoded = schema_text(*reader->schema());
    while (const auto batch = reader->next()) {
      outcome.decoded += batch_text(*batch);
      ++outcome.batches;
    }
  } catch (const Error& error) {
    outcome.error = error.what();
  }
  return outcome;
}

std::string file_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

std::filesystem::path source_dir() {
  if (const char* const dir = std::getenv("FOREBAY_SOURCE_DIR")) return dir;
  return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path().parent_path();
}

bool run_script(const std::string& name, const std::vector<std::string>& arguments) {
  const char* const python = std::getenv("FOREBAY_PYTHON");
  const auto checkout = source_dir() / ".venv" / "bin" / "python";
  std::string command = python != nullptr                   ? python
                        : std::filesystem::exists(checkout) ? checkout.string()
                                                            : "python3";
  // The sanitizers' options are not meant for Python.
  command = "env -u LD_PRELOAD " + command + " " +
            (source_dir() / "tests" / "unit" / "arrow" / name).string();
  for (const std::string& argument : arguments) command += " '" + argument + "'";
  const int status = std::system(command.c_str());
  EXPECT_EQ(status, 0) << command;
  return status == 0;
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "forebay-arrow-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp: " + name);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder,
                                            std::string_view extension) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().string().ends_with(extension)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void ForeignData::SetUp() {
  const char* const data = std::getenv("FOREBAY_TEST_DATA");
  folder_ = (data != nullptr ? std::filesystem::path(data)
                             : source_dir().parent_path() / "shared" / "data") /
            "arrow-ipc";
  if (std::filesystem::is_directory(folder_)) return;
  if (std::getenv("CI") != nullptr) FAIL() << folder_ << " is missing";
  GTEST_SKIP() << folder_ << " is missing: the streams of other implementations are not read";
}

std::string ipc_stream(const ::arrow::RecordBatchVector& batches,
                       const ::arrow::ipc::IpcWriteOptions& options) {
  const auto sink = ::arrow::io::BufferOutputStream::Create().ValueOrDie();
  const auto writer =
      ::arrow::ipc::MakeStreamWriter(sink, batches.front()->schema(), options).ValueOrDie();
  for (const auto& batch : batches) {
    if (!writer->WriteRecordBatch(*batch).ok()) throw std::runtime_error("WriteRecordBatch");
  }
  if (!writer->Close().ok()) throw std::runtime_error("Close");
  return sink->Finish().ValueOrDie()->ToString();
}

std::string ipc_stream(const ::arrow::RecordBatchVector& batches) {
  return ipc_stream(batches, ::arrow::ipc::IpcWriteOptions::Defaults());
}

std::shared_ptr<::arrow::RecordBatch> int64_batch(int columns, std::int64_t rows,
                                                  std::int64_t first) {
  ::arrow::FieldVector fields;
  ::arrow::ArrayVector arrays;
  for (int column = 0; column < columns; ++column) {
    ::arrow::Int64Builder builder;
    for (std::int64_t row = 0; row < rows; ++row) {
      if (!builder.Append(first + row * columns + column).ok()) throw std::bad_alloc();
    }
    fields.push_back(::arrow::field("c" + std::to_string(column), ::arrow::int64()));
    arrays.push_back(builder.Finish().ValueOrDie());
  }
  return ::arrow::RecordBatch::Make(::arrow::schema(fields), rows, arrays);
}

}  // namespace forebay::arrow::test
