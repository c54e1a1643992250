// SPDX-License-Identifier: Apache-2.0

// Broadcasts on their way to a function: from files, and from a server that decrypts them.

#include <arrow/array.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "forebay/error.h"
#include "peer.h"
#include "unit/socket/support.h"

namespace forebay::udf::test {
namespace {

using forebay::test::SparkBytes;
using socket::Descriptor;
using socket::Listener;

constexpr std::string_view kSecret = "the server's secret";
constexpr std::chrono::seconds kTime(20);

std::string task_with(const std::string& broadcasts) {
  SparkBytes to;
  to.i32(0).text("cpp").text("{}").text("/tmp").i32(0).raw(broadcasts);
  to.i32(207).i32(0).i32(0).i32(1).i32(1).i32(0).flag(false).i32(1);
  to.text(std::string("FOREBAY1\0look\0", 14)).i64(1);
  return SparkBytes()
             .i32(-8)
             .text(to.str())
             .raw(arrow_stream({in_struct(int_batch({{1}}))}))
             .str() +
         end_word();
}

// What the function saw of its broadcasts, in each of its tasks.
struct Seen {
  std::vector<std::map<std::int64_t, std::string>> tasks;
  Registry registry() {
    Registry registry;
    registry.map("look", {}, [this](const Call& call, BatchSource& source, BatchSink& sink) {
      tasks.emplace_back();
      for (const auto& [id, bytes] : call.task.broadcasts) tasks.back()[id] = *bytes;
      while (const Batch batch = source.next()) sink.write(batch);
    });
    return registry;
  }
};

std::string pickled(std::string_view bytes) {
  return SparkBytes().raw("\x80\x05").raw("C").flag(false).str().substr(0, 3) +
         static_cast<char>(bytes.size()) + std::string(bytes) + "\x94.";
}

std::string receive(const Descriptor& from, std::size_t size) {
  std::string bytes(size, 0);
  const ssize_t got = ::recv(from.get(), bytes.data(), size, MSG_WAITALL);
  bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return bytes;
}

// In Spark's place: sends the bytes to the first who connects and, on TCP, knows the secret.
class Server {
 public:
  Server(Listener listener, std::string bytes, bool accepts = true)
      : listener_(std::move(listener)), thread_([this, bytes = std::move(bytes), accepts] {
          const Descriptor peer = listener_.accept(Deadline::after(kTime));
          if (listener_.port() != 0) {
            heard_ = receive(peer, sizeof(std::int32_t) + kSecret.size());
            const std::string answer = SparkBytes().text(accepts ? "ok" : "err").str();
            EXPECT_TRUE(forebay::test::write_all(peer, answer));
          }
          EXPECT_TRUE(forebay::test::write_all(peer, bytes));
          ::shutdown(peer.get(), SHUT_WR);
          last_ = receive(peer, 1);
        }) {}
  ~Server() { join(); }
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  std::uint16_t port() const { return listener_.port(); }
  // The secret as it came, and what came when all was sent.
  const std::string& heard() const { return heard_; }
  const std::string& last() const { return last_; }

 private:
  Listener listener_;
  std::string heard_;
  std::string last_;
  std::thread thread_;
};

std::string by_port(std::uint16_t port, const std::string& entries, int count) {
  return SparkBytes().flag(true).i32(count).i32(port).text(kSecret).raw(entries).str();
}

TEST(SparkBroadcastFetch, GivesFunctionsWhatAServerOnTcpDecrypts) {
  Server server(Listener::listen_loopback(0),
                SparkBytes().i64(5).raw(pickled("five")).i64(6).raw("\x80\x05N.").str());
  const std::string entries = SparkBytes().i64(5).i64(6).str();
  Seen seen;
  const auto answers =
      serve(task_with(by_port(server.port(), entries, 2)), seen.registry()).answers();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].error, "");
  ASSERT_EQ(seen.tasks.size(), 1u);
  EXPECT_EQ(seen.tasks[0], (std::map<std::int64_t, std::string>{{5, "five"}, {6, "\x80\x05N."}}));
  server.join();
  EXPECT_EQ(server.heard(), SparkBytes().text(kSecret).str());
  EXPECT_EQ(server.last(), "1");
}

TEST(SparkBroadcastFetch, KeepsThemForLaterTasksAndForgetsWhatIsGone) {
  const forebay::test::TemporaryFolder folder;
  const std::string path = folder.path() + "/server";
  Server server(Listener::listen_unix(path),
                SparkBytes().i64(5).raw(pickled("five")).i64(6).raw(pickled("six")).str());
  const std::string first = SparkBytes().flag(true).i32(2).i32(-1).text(path).i64(5).i64(6).str();
  const std::string second = SparkBytes().flag(false).i32(1).i64(-5 - 1).str();
  Seen seen;
  const auto answers = serve(task_with(first) + task_with(second), seen.registry()).answers();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].error + answers[1].error, "");
  using Broadcasts = std::map<std::int64_t, std::string>;
  const std::vector<Broadcasts> expected = {{{5, "five"}, {6, "six"}}, {{6, "six"}}};
  EXPECT_EQ(seen.tasks, expected);
}

TEST(SparkBroadcastFetch, ReadsFiles) {
  const forebay::test::TemporaryFolder folder;
  std::ofstream(folder.path() + "/b5", std::ios::binary) << pickled("five");
  std::ofstream(folder.path() + "/b6", std::ios::binary) << "no pickle";
  std::string plain = SparkBytes().flag(false).i32(2).i64(5).text(folder.path() + "/b5").str();
  plain += SparkBytes().i64(6).text(folder.path() + "/b6").str();
  Seen seen;
  const auto answers = serve(task_with(plain), seen.registry()).answers();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].error, "");
  EXPECT_EQ(seen.tasks.at(0), (std::map<std::int64_t, std::string>{{5, "five"}, {6, "no pickle"}}));
}

TEST(SparkBroadcastFetch, TellsSparkWhatIsWrongWithTheServer) {
  const auto error_with = [](const std::string& sent, bool accepts, std::size_t bytes_max) {
    Server server(Listener::listen_loopback(0), sent, accepts);
    ChannelOptions options;
    options.broadcast_bytes_max = bytes_max;
    const std::string entries = SparkBytes().i64(5).str();
    Seen seen;
    const auto answers =
        serve(task_with(by_port(server.port(), entries, 1)), seen.registry(), options).answers();
    EXPECT_TRUE(seen.tasks.empty());
    return answers.size() == 1 ? answers[0].error : "no answer";
  };
  const std::string good = SparkBytes().i64(5).raw(pickled("five")).str();
  constexpr std::size_t kMax = 1000;
  EXPECT_EQ(error_with("", false, kMax), "PermissionDenied: Spark did not take the secret");
  EXPECT_EQ(error_with(good.substr(0, 12), true, kMax),
            "Truncated: the pickle of broadcast 5: expected 5 bytes, got 4, at offset 8");
  EXPECT_EQ(error_with(SparkBytes().i64(4).str(), true, kMax),
            "ProtocolError: instead of broadcast 5 came 4, at offset 0");
  EXPECT_EQ(error_with(good, true, 9), "LimitExceeded: bytes of broadcasts: limit 9, asked 10");
}

TEST(SparkBroadcastFetch, TellsSparkOfServersThatAreNotThere) {
  Seen seen;
  const std::string port_0 = by_port(0, SparkBytes().i64(5).str(), 1);
  const std::string no_path =
      SparkBytes().flag(true).i32(1).i32(-1).text("/nonexistent/socket").i64(5).str();
  const auto error_of = [&seen](const std::string& broadcasts) {
    return serve(task_with(broadcasts), seen.registry()).answers().at(0).error;
  };
  EXPECT_EQ(error_of(port_0).find("InvalidConnection: "), 0u);
  EXPECT_NE(error_of(no_path).find("/nonexistent/socket"), std::string::npos);
  // One that is named for nothing new is not asked.
  EXPECT_EQ(error_of(by_port(1, SparkBytes().i64(-9).str(), 1)), "");
}

TEST(SparkBroadcastFetch, HoldsFilesToTheLimitBeforeTheyAreRead) {
  const forebay::test::TemporaryFolder folder;
  const std::string path = folder.path() + "/large";
  std::ofstream(path).close();
  std::filesystem::resize_file(path, std::uintmax_t{1} << 40);
  const std::string plain = SparkBytes().flag(false).i32(1).i64(5).text(path).str();
  Seen seen;
  const auto answers = serve(task_with(plain), seen.registry()).answers();
  EXPECT_EQ(answers.at(0).error.find("LimitExceeded: bytes of broadcast " + path), 0u);
}

}  // namespace
}  // namespace forebay::udf::test
