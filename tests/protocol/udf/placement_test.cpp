// SPDX-License-Identifier: Apache-2.0

// Where Arrow bodies lie that come over Spark's channel: in one block each, so that none is copied.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <numeric>

#include "forebay/arrow/record_batch_reader.h"
#include "peer.h"
#include "unit/socket/support.h"

namespace forebay::udf::test {
namespace {

using forebay::test::SparkBytes;

Batch rows_of(int columns, std::int64_t rows) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(rows));
  std::iota(values.begin(), values.end(), 0);
  return in_struct(int_batch(std::vector(static_cast<std::size_t>(columns), values)));
}

// As Spark cuts a partition: full batches, and a rest.
std::string partition_of(int columns) {
  std::vector<Batch> batches(24, rows_of(columns, 10'000));
  batches.push_back(rows_of(columns, 1'234));
  return arrow_stream(batches);
}

// Reads one stream and leaves the channel behind it.
void read_stream(Channel& channel, std::size_t batches, arrow::ReadStats& stats) {
  arrow::ReadOptions options;
  options.stream_offset = channel.position();
  const auto stream = arrow::RecordBatchReader::open(channel.reader(), std::move(options));
  std::size_t count = 0;
  while (const Batch batch = stream->next()) ++count;
  EXPECT_EQ(count, batches);
  stats = stream->stats();
  channel.move_to(stream->position());
}

// Sends in the parts that Spark's buffer makes, or in others.
struct Case {
  const char* name;
  int columns;
  std::size_t part_bytes;
};

class BodiesOfTheChannel : public ::testing::TestWithParam<Case> {};

TEST_P(BodiesOfTheChannel, LieInOneBlockEachAndAreNotCopied) {
  constexpr int kTasks = 6;
  const std::string stream = partition_of(GetParam().columns);
  std::string bytes;
  for (int task = 0; task < kTasks; ++task) {
    if (task % 2 == 0) {
      bytes += init_for(207, "identity", "", {0}) + stream + end_word();
    } else {
      bytes += init_for(209, "identity", "", {2, 0, 0}) +
               SparkBytes().i32(1).raw(stream).i32(1).raw(stream).i32(0).str() + end_word();
    }
  }
  for (const bool threaded : {false, true}) {
    SCOPED_TRACE(threaded ? "a thread receives ahead" : "the reader receives");
    forebay::test::Wire wire = forebay::test::socket_pair();
    ChannelOptions options;
    options.mode = threaded ? socket::ReceiveMode::threaded : socket::ReceiveMode::inline_;
    Channel channel(std::move(wire.near), options);
    const forebay::test::Sender sender(std::move(wire.far), bytes, {GetParam().part_bytes});
    for (int task = 0; task < kTasks; ++task) {
      ASSERT_TRUE(channel.read_init());
      arrow::ReadStats stats;
      for (int streams = task % 2 == 0 ? 1 : 2; streams != 0; --streams) {
        if (task % 2 != 0) {
          ASSERT_EQ(channel.read_word("a group"), 1);
        }
        read_stream(channel, 25, stats);
        EXPECT_EQ(stats.bodies_whole, 25u);
        EXPECT_EQ(stats.bodies_scattered, 0u);
        EXPECT_EQ(stats.bytes_copied(), 0u);
      }
      if (task % 2 != 0) {
        ASSERT_EQ(channel.read_word("the end of the groups"), 0);
      }
      ASSERT_EQ(channel.read_word("the end"), -4);
    }
    EXPECT_FALSE(channel.read_init());
    EXPECT_EQ(channel.position(), bytes.size());
    EXPECT_EQ(channel.reader().stats().bytes_copied, 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(SparkPlacement, BodiesOfTheChannel,
                         ::testing::Values(Case{"Narrow", 1, 65'536}, Case{"AsMeasured", 4, 65'536},
                                           Case{"Wide", 20, 65'536}, Case{"InOddParts", 4, 1'021},
                                           Case{"AllAtOnce", 4, SIZE_MAX}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace forebay::udf::test
