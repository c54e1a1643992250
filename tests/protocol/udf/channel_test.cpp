// SPDX-License-Identifier: Apache-2.0

// Whole tasks over a connection: every kind of function, many tasks, and input that is not whole.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <thread>

#include "peer.h"
#include "task_runner.h"
#include "unit/socket/support.h"

namespace forebay::udf::test {
namespace {

using forebay::test::SparkBytes;

std::string map_task(const std::vector<Batch>& batches, const std::string& name = "identity",
                     const std::string& payload = "") {
  std::vector<Batch> rows;
  for (const Batch& batch : batches) rows.push_back(in_struct(batch));
  return init_for(207, name, payload, {0}) + arrow_stream(rows) + end_word();
}

const Batch& one_batch() {
  static const Batch batch = int_batch({{1, 2, 3}, {10, 20, 30}});
  return batch;
}

void expect_whole(const Answer& answer) {
  EXPECT_EQ(answer.error, "");
  EXPECT_TRUE(answer.reported);
  EXPECT_EQ(answer.farewell, -4);
}

TEST(SparkChannel, MapAnswersEachBatch) {
  const Batch other = int_batch({{4}, {40}});
  const Served served = serve(map_task({one_batch(), other}));
  EXPECT_TRUE(served.good);
  const auto answers = served.answers();
  ASSERT_EQ(answers.size(), 1u);
  expect_whole(answers[0]);
  ASSERT_EQ(answers[0].batches.size(), 2u);
  EXPECT_TRUE(answers[0].batches[0]->Equals(*in_struct(one_batch())));
  EXPECT_TRUE(answers[0].batches[1]->Equals(*in_struct(other)));
}

TEST(SparkChannel, EmptyPartitionIsAnsweredWithoutAStream) {
  const std::string task = init_for(207, "identity", "", {0}) +
                           arrow_stream(in_struct(one_batch())->schema(), {}) + end_word();
  const auto answers = serve(task).answers();
  ASSERT_EQ(answers.size(), 1u);
  expect_whole(answers[0]);
  EXPECT_TRUE(answers[0].batches.empty());
}

TEST(SparkChannel, ScalarTakesItsColumns) {
  const std::string task =
      init_for(250, "add", "5", {1}) + arrow_stream({one_batch()}) + end_word();
  const auto answers = serve(task).answers();
  ASSERT_EQ(answers.size(), 1u);
  expect_whole(answers[0]);
  ASSERT_EQ(answers[0].batches.size(), 1u);
  EXPECT_EQ(answers[0].batches[0]->schema()->field(0)->name(), "_0");
  EXPECT_TRUE(answers[0].batches[0]->column(0)->Equals(*int_batch({{15, 25, 35}})->column(0)));
}

TEST(SparkChannel, GroupsPairsAndAggregates) {
  const std::string group = arrow_stream({in_struct(one_batch())});
  // Two columns, of which the first is the key, and both are values.
  const std::string grouped = init_for(209, "identity", "", {4, 1, 0, 0, 1}) +
                              SparkBytes().i32(1).raw(group).i32(1).raw(group).i32(0).str() +
                              end_word();
  auto answers = serve(grouped).answers();
  ASSERT_EQ(answers.size(), 1u);
  expect_whole(answers[0]);
  ASSERT_EQ(answers[0].batches.size(), 2u);
  EXPECT_TRUE(answers[0].batches[1]->Equals(*in_struct(one_batch())));

  const std::string flat = arrow_stream({one_batch()});
  const std::string empty = arrow_stream(one_batch()->schema(), {});
  const std::string pairs =
      init_for(210, "identity", "", {4, 1, 0, 0, 1, 3, 1, 0, 1}) +
      SparkBytes().i32(2).raw(flat).raw(empty).i32(2).raw(empty).raw(flat).i32(0).str() +
      end_word();
  answers = serve(pairs).answers();
  ASSERT_EQ(answers.size(), 1u);
  expect_whole(answers[0]);
  ASSERT_EQ(answers[0].batches.size(), 1u);

  const std::string aggregate = init_for(252, "identity", "", {1}) +
                                SparkBytes().i32(1).raw(flat).i32(1).raw(flat).i32(0).str() +
                                end_word();
  answers = serve(aggregate).answers();
  ASSERT_EQ(answers.size(), 1u);
  expect_whole(answers[0]);
  ASSERT_EQ(answers[0].batches.size(), 2u);
  EXPECT_TRUE(answers[0].batches[0]->column(0)->Equals(*int_batch({{10}})->column(0)));
}

TEST(SparkChannel, ManyTasksOnOneConnectionAreExact) {
  std::string bytes;
  for (int task = 0; task < 200; ++task) {
    bytes += map_task({int_batch({{task}})}, "add", std::to_string(1000 * task));
  }
  const Served served = serve(bytes);
  EXPECT_TRUE(served.good);
  const auto answers = served.answers();
  ASSERT_EQ(answers.size(), 200u);
  for (int task = 0; task < 200; ++task) {
    const Answer& answer = answers[static_cast<std::size_t>(task)];
    expect_whole(answer);
    ASSERT_EQ(answer.batches.size(), 1u);
    EXPECT_TRUE(answer.batches[0]->Equals(*in_struct(int_batch({{1001 * task}}))));
  }
}

TEST(SparkChannel, OneTaskOnlyWhereSparkMayCloseTheConnection) {
  ChannelOptions options;
  options.once = true;
  const Served served = serve(map_task({one_batch()}) + map_task({one_batch()}), {}, options);
  EXPECT_TRUE(served.good);
  const auto answers = served.answers();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_TRUE(answers[0].reported);
  EXPECT_EQ(answers[0].farewell, -1);
}

TEST(SparkChannel, OneByteReadsAndInterruptionsChangeNothing) {
  const std::string bytes = map_task({one_batch(), one_batch()}) +
                            map_task({one_batch()}, "fail", "late") + "never read as a task";
  const std::string whole = serve(bytes).bytes;
  const TrickleReads trickle;
  const Served served = serve(bytes);
  EXPECT_FALSE(served.good);
  const auto answers = served.answers();
  ASSERT_EQ(answers.size(), 2u);
  expect_whole(answers[0]);
  ASSERT_EQ(answers[0].batches.size(), 2u);
  EXPECT_TRUE(answers[0].batches[1]->Equals(*in_struct(one_batch())));
  EXPECT_EQ(served.bytes.size(), whole.size());
}

// --- Input that is not whole ---------------------------------------------------------------------

std::string error_of(const std::string& bytes, const ChannelOptions& options = {}) {
  const Served served = serve(bytes, {}, options);
  EXPECT_FALSE(served.good);
  const auto answers = served.answers();
  return answers.empty() ? "no answer" : answers.back().error;
}

TEST(SparkChannel, EndBetweenTasksIsClean) {
  const Served served = serve("");
  EXPECT_TRUE(served.good);
  EXPECT_EQ(served.bytes, "");
}

TEST(SparkChannel, EveryPrefixOfATaskIsToldAsTruncated) {
  const std::string task = map_task({one_batch()});
  for (std::size_t size = 1; size < task.size() - 4; ++size) {
    EXPECT_EQ(error_of(task.substr(0, size)).find("Truncated: "), 0u) << size;
  }
  EXPECT_NE(error_of(task.substr(0, 2)).find("at offset 0"), std::string::npos);
}

TEST(SparkChannel, MissingEndOfStreamIsNoCleanEnd) {
  const std::string task = map_task({one_batch()});
  for (std::size_t cut = 1; cut <= 4; ++cut) {
    const Served served = serve(task.substr(0, task.size() - cut));
    EXPECT_FALSE(served.good);
    const auto answers = served.answers();
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].batches.size(), 1u);
    EXPECT_EQ(answers[0].farewell, 0);
  }
}

TEST(SparkChannel, MissingArrowEndIsTruncated) {
  const std::string stream = arrow_stream({in_struct(one_batch())});
  const std::string task =
      init_for(207, "identity", "", {0}) + stream.substr(0, stream.size() - 8) + end_word();
  EXPECT_EQ(error_of(task).find("Truncated: the end marker of an Arrow stream"), 0u);
}

TEST(SparkChannel, UnknownMarkersAreNamed) {
  EXPECT_EQ(error_of(SparkBytes().i32(-42).str()),
            "ProtocolError: instead of START_OF_INIT_MESSAGE (-8) came -42, at offset 0");
  const std::string groups = init_for(209, "identity", "", {2, 0, 0}) + SparkBytes().i32(-9).str();
  EXPECT_NE(error_of(groups).find("instead of a group of 1 Arrow streams, or 0, came -9"),
            std::string::npos);
}

std::size_t peak_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) << 10;
}

TEST(SparkChannel, AnnouncedLengthsCostNoMemory) {
  const std::string ten(10, 'x');
  (void)error_of(SparkBytes().i32(-8).i32(1000).raw(ten).str());
  const std::size_t before = peak_bytes();
  EXPECT_EQ(error_of(SparkBytes().i32(-8).i32(0x7FFFFFFF).raw(ten).str()).find("LimitExceeded: "),
            0u);
  EXPECT_EQ(error_of(SparkBytes().i32(-8).i32(30 << 20).raw(ten).str()).find("Truncated: "), 0u);
  if (!forebay::test::kSanitized) {
    EXPECT_LT(peak_bytes() - before, std::size_t{1} << 20);
  }
}

TEST(SparkChannel, BatchBeyondTheLimitIsRefused) {
  ChannelOptions options;
  options.batch_bytes_max = 1 << 16;
  const std::vector<std::int64_t> values(10'000, 1);
  EXPECT_EQ(error_of(map_task({int_batch({values})}), options).find("LimitExceeded: "), 0u);
}

TEST(SparkChannel, PeerThatStopsReadingEndsTheTaskQuietly) {
  forebay::test::Wire wire = forebay::test::socket_pair();
  Registry registry;
  add_builtins(registry);
  std::thread worker([&] {
    Channel channel(std::move(wire.near), {});
    EXPECT_FALSE(TaskRunner(registry, channel).run());
  });
  const Batch big = int_batch({std::vector<std::int64_t>(100'000, 7)});
  std::string bytes = map_task(std::vector<Batch>(20, big));
  std::thread writer([&] { forebay::test::write_all(wire.far, bytes); });
  char first[4096];
  EXPECT_GT(::read(wire.far.get(), first, sizeof first), 0);
  ::shutdown(wire.far.get(), SHUT_RDWR);
  writer.join();
  wire.far = forebay::test::Descriptor();
  worker.join();
}

}  // namespace
}  // namespace forebay::udf::test
