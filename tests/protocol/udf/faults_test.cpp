// SPDX-License-Identifier: Apache-2.0

// What must happen to a worker's channel when a peer, or its data, is not as usual.

#include <arrow/io/memory.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/reader.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "peer.h"
#include "task_runner.h"
#include "unit/socket/support.h"

namespace forebay::udf::test {
namespace {

using forebay::test::SparkBytes;

std::filesystem::path golden_folder() {
  if (const char* const data = std::getenv("FOREBAY_TEST_DATA")) {
    return std::filesystem::path(data) / "arrow-ipc" / "golden";
  }
  const char* const source = std::getenv("FOREBAY_SOURCE_DIR");
  const std::filesystem::path checkout = source != nullptr ? source : ".";
  return std::filesystem::absolute(checkout).lexically_normal().parent_path() / "shared" / "data" /
         "arrow-ipc" / "golden";
}

std::string file_bytes(const std::filesystem::path& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return std::move(bytes).str();
}

// The rows of a golden stream as Spark would send them: each batch as one struct column.
std::vector<Batch> rows_of(const std::string& stream) {
  const auto input =
      std::make_shared<::arrow::io::BufferReader>(::arrow::Buffer::FromString(stream));
  const auto reader = ::arrow::ipc::RecordBatchStreamReader::Open(input).ValueOrDie();
  std::vector<Batch> rows;
  for (;;) {
    Batch batch;
    if (const auto status = reader->ReadNext(&batch); !status.ok()) {
      throw std::runtime_error(status.ToString());
    }
    if (batch == nullptr) return rows;
    rows.push_back(in_struct(batch));
  }
}

std::string task_of(const std::string& stream, const std::string& name = "identity",
                    const std::string& payload = "") {
  return init_for(207, name, payload, {0}) + stream + end_word();
}

TEST(SparkFaults, GoldenStreamsComeBackByteForByte) {
  const auto folder = golden_folder();
  if (!std::filesystem::is_directory(folder)) {
    ASSERT_EQ(std::getenv("CI"), nullptr) << folder << " is missing";
    GTEST_SKIP() << folder << " is missing: the streams of other implementations are not echoed";
  }
  int echoed = 0;
  int dictionaries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".stream") continue;
    SCOPED_TRACE(entry.path().filename());
    const std::vector<Batch> rows = rows_of(file_bytes(entry.path()));
    if (rows.empty()) continue;
    const std::string stream = arrow_stream(rows);
    const Served served = serve(task_of(stream));
    const auto answers = served.answers();
    ASSERT_EQ(answers.size(), 1u);
    if (answers[0].error.find("columns with dictionaries") != std::string::npos) {
      const ::arrow::ipc::DictionaryFieldMapper dictionary_columns(*rows.front()->schema());
      EXPECT_NE(dictionary_columns.num_fields(), 0);
      ++dictionaries;
      continue;
    }
    EXPECT_EQ(answers[0].error, "");
    EXPECT_TRUE(forebay::test::same(
        std::string_view(served.bytes).substr(sizeof(std::int32_t)).substr(0, stream.size()),
        stream));
    ++echoed;
  }
  std::printf("%d streams echoed, %d with dictionaries refused\n", echoed, dictionaries);
  EXPECT_GE(echoed, 40);
}

// Closing at once would make Spark's pending write fail, which hides the text of the error.
TEST(SparkFaults, ErrorLeavesThePeerWritingToItsEnd) {
  const Batch big = in_struct(int_batch({std::vector<std::int64_t>(100'000, 7)}));
  const std::string bytes = task_of(arrow_stream(std::vector<Batch>(40, big)), "fail", "at once");
  forebay::test::Wire wire = forebay::test::socket_pair();
  Registry registry;
  add_builtins(registry);
  std::thread worker([&] {
    Channel channel(std::move(wire.near), {});
    EXPECT_FALSE(TaskRunner(registry, channel).run());
  });
  EXPECT_TRUE(forebay::test::write_all(wire.far, bytes));
  ::shutdown(wire.far.get(), SHUT_WR);
  std::string answer;
  char buffer[65536];
  for (ssize_t got = 0; (got = ::read(wire.far.get(), buffer, sizeof buffer)) > 0;) {
    answer.append(buffer, static_cast<std::size_t>(got));
  }
  worker.join();
  const auto answers = read_answers(answer);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_NE(answers[0].error.find("at once"), std::string::npos);
}

TEST(SparkFaults, PeerThatHalfClosesGetsAllOfTheAnswer) {
  const Batch big = in_struct(int_batch({std::vector<std::int64_t>(50'000, 7)}));
  const std::string bytes = task_of(arrow_stream(std::vector<Batch>(20, big)));
  forebay::test::Wire wire = forebay::test::socket_pair();
  Registry registry;
  add_builtins(registry);
  std::thread worker([&] {
    Channel channel(std::move(wire.near), {});
    EXPECT_TRUE(TaskRunner(registry, channel).run());
  });
  std::string answer;
  std::thread reader([&] {
    char buffer[65536];
    for (ssize_t got = 0; (got = ::read(wire.far.get(), buffer, sizeof buffer)) > 0;) {
      answer.append(buffer, static_cast<std::size_t>(got));
    }
  });
  EXPECT_TRUE(forebay::test::write_all(wire.far, bytes));
  ::shutdown(wire.far.get(), SHUT_WR);
  worker.join();
  reader.join();
  const auto answers = read_answers(answer);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].batches.size(), 20u);
  EXPECT_EQ(answers[0].farewell, -4);
}

std::string init_with_broadcasts(const std::string& broadcasts) {
  SparkBytes to;
  to.i32(0).text("cpp").text("{}").text("/tmp").i32(0).raw(broadcasts);
  to.i32(207).i32(0).i32(0).i32(1).i32(1).i32(0).flag(false).i32(1);
  to.text(std::string("FOREBAY1\0identity\0", 18)).i64(1);
  return SparkBytes().i32(-8).text(to.str()).str();
}

TEST(SparkFaults, BroadcastFileThatIsMissingIsNamed) {
  const std::string gone = SparkBytes().flag(false).i32(1).i64(8).text("/nonexistent/b8").str();
  const auto answers = serve(init_with_broadcasts(gone)).answers();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_NE(answers[0].error.find("/nonexistent/b8"), std::string::npos);
}

}  // namespace
}  // namespace forebay::udf::test
