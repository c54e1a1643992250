// SPDX-License-Identifier: Apache-2.0
#pragma once

// What Arrow's tests share: bytes cut into chunks, streams made with pyarrow, verdicts.

#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "forebay/arrow/record_batch_reader.h"
#include "forebay/forebay.h"

namespace forebay::arrow::test {

/// How bytes are cut into chunks.
struct Chunking {
  const char* name;
  std::size_t chunk_bytes;  ///< 0: random sizes
};

/// 1, 3, 7, 64, 4096, 65536, whole, random.
[[nodiscard]] const std::vector<Chunking>& chunkings();

/// A finished stream that holds the bytes, each chunk a 64-byte aligned copy.
[[nodiscard]] Stream stream_of(std::string_view bytes, const Chunking& chunking);
/// The same in one chunk.
[[nodiscard]] Stream stream_of(std::string_view bytes);

/// What came of reading a stream: the text of what was decoded, and that of the error, or nothing.
struct Outcome {
  std::string decoded;
  std::size_t batches = 0;
  std::string error;
};

/// Reads a stream to its end or first error, whose type must be one of forebay's.
[[nodiscard]] Outcome read_stream(StreamReader& reader, const ReadOptions& options = {});

[[nodiscard]] std::string file_bytes(const std::filesystem::path& path);

/// The root of the sources.
[[nodiscard]] std::filesystem::path source_dir();

/// Runs a script of this folder with the checkout's Python. False, and a test failure, if it fails.
[[nodiscard]] bool run_script(const std::string& name, const std::vector<std::string>& arguments);

/// A folder that is removed with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// The files in a folder with the given end of name, sorted.
[[nodiscard]] std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder,
                                                          std::string_view extension);

/// For tests that read the streams of other implementations, in `folder_`: skipped aloud where they
/// are missing, but in CI, where they must not be. FOREBAY_TEST_DATA says where they lie, if not
/// beside the checkout.
class ForeignData : public ::testing::Test {
 protected:
  void SetUp() override;
  std::filesystem::path folder_;
};

/// A stream of the given batches as Arrow writes it.
[[nodiscard]] std::string ipc_stream(const ::arrow::RecordBatchVector& batches,
                                     const ::arrow::ipc::IpcWriteOptions& options);
[[nodiscard]] std::string ipc_stream(const ::arrow::RecordBatchVector& batches);

/// A batch of `columns` int64 columns c0, c1 .., of so many rows.
[[nodiscard]] std::shared_ptr<::arrow::RecordBatch> int64_batch(int columns, std::int64_t rows,
                                                                std::int64_t first = 0);

}  // namespace forebay::arrow::test
