// SPDX-License-Identifier: Apache-2.0

// The worker program over the gRPC channel: functions, signals, connections, and what it holds.

#include <signal.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <system_error>
#include <thread>

#include "support.h"
#include "unit/socket/support.h"

namespace forebay::grpc::test {
namespace {

const Batch& one_batch() {
  static const Batch batch = int_batch({{1, 2, 3}, {10, 20, 30}});
  return batch;
}

Deadline soon() { return Deadline::after(std::chrono::seconds(20)); }

bool exited_well(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

// --- Functions -----------------------------------------------------------------------------------

TEST(GrpcWorker, MapsAnswerEachBatch) {
  for (const bool tcp : {false, true}) {
    Worker worker({.command = {FOREBAY_WORKER}, .tcp = tcp});
    const Batch other = int_batch({{4}, {40}});
    const auto& schema = one_batch()->schema();
    Result result = run(worker.client, init_of("identity", "", *schema), {one_batch(), other});
    EXPECT_EQ(result.told.words, "init, finish");
    ASSERT_EQ(result.batches.size(), 2u);
    EXPECT_TRUE(read_batch(result.batches[0], schema)->Equals(*one_batch()));
    EXPECT_TRUE(read_batch(result.batches[1], schema)->Equals(*other));
    EXPECT_EQ(result.told.metrics.at("rows_out"), "4");
    EXPECT_EQ(result.told.metrics.at("batches_in"), "2");

    result = run(worker.client, init_of("add", "7", *schema), {one_batch()});
    ASSERT_EQ(result.batches.size(), 1u);
    EXPECT_TRUE(
        read_batch(result.batches[0], schema)->Equals(*int_batch({{8, 9, 10}, {10, 20, 30}})));
    // No input, no output.
    result = run(worker.client, init_of("identity", "", *schema), {});
    EXPECT_EQ(result.told.words, "init, finish");
    EXPECT_TRUE(result.batches.empty());
    EXPECT_TRUE(exited_well(worker.process.terminate()));
  }
}

TEST(GrpcWorker, ScalarsAnswerOneColumn) {
  Worker worker;
  const auto column = int_batch({{6, 7, 8}});
  for (const char* type : {"250", "SCALAR_ARROW", "SQL_SCALAR_ARROW_UDF"}) {
    Init init = init_of("add", "5", *one_batch()->schema());
    init.udf.eval_type = type;
    init.output_schema = schema_message(*column->schema());
    const Result result = run(worker.client, init, {one_batch()});
    EXPECT_EQ(result.told.words, "init, finish") << result.told.error;
    ASSERT_EQ(result.batches.size(), 1u);
    EXPECT_TRUE(read_batch(result.batches[0], column->schema())->Equals(*column));
  }
  Init iterator = init_of("identity", "", *column->schema());
  iterator.udf.eval_type = "251";
  EXPECT_EQ(run(worker.client, iterator, {column}).batches.size(), 1u);
}

TEST(GrpcWorker, OutputOfAnotherLayoutThanPromisedIsRefused) {
  Worker worker;
  ::arrow::LargeStringBuilder builder;
  ASSERT_TRUE(builder.Append("word").ok());
  const auto large = ::arrow::schema({::arrow::field("_0", ::arrow::large_utf8())});
  const auto batch = ::arrow::RecordBatch::Make(large, 1, {builder.Finish().ValueOrDie()});
  Init init = init_of("identity", "", *large);
  EXPECT_EQ(run(worker.client, init, {batch}).told.words, "init, finish");
  // To Spark both are strings; in the batch, which has no schema, they differ.
  init.output_schema = schema_message(*::arrow::schema({::arrow::field("_0", ::arrow::utf8())}));
  const Result result = run(worker.client, init, {batch});
  EXPECT_TRUE(result.batches.empty());
  EXPECT_NE(result.told.error.find("it gave large_string instead of string"), std::string::npos)
      << result.told.error;
}

TEST(GrpcWorker, LargeBatchesComeBackWhole) {
  Worker worker;
  std::vector<std::int64_t> values(500'000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int64_t>(i);
  const Batch large = int_batch({values, values});
  const std::vector<Batch> batches(5, large);
  const Result result = run(worker.client, init_of("identity", "", *large->schema()), batches);
  EXPECT_EQ(result.told.words, "init, finish");
  ASSERT_EQ(result.batches.size(), 5u);
  for (const auto& batch : result.batches) {
    EXPECT_TRUE(read_batch(batch, large->schema())->Equals(*large));
  }
}

TEST(GrpcWorker, ErrorsSayWhoseTheyAreAndWhere) {
  Worker worker;
  const auto& schema = *one_batch()->schema();
  struct Case {
    Init init;
    std::string words;
    std::string error;
  };
  Init format = init_of("identity", "", schema);
  format.udf.format = "pickle";
  Init type = init_of("identity", "", schema);
  type.udf.eval_type = "209";
  Init command = init_of("identity", "", schema);
  command.udf.bytes = "something";
  Init input = init_of("identity", "", schema);
  input.input_schema = "no schema";
  Init output = init_of("identity", "", schema);
  output.output_schema = schema_message(*::arrow::schema({::arrow::field("s", ::arrow::utf8())}));
  const std::vector<Case> cases = {
      {init_of("fail", "down the \u00e4rmel", schema), "init, error user, cancel",
       "UserError: map function 'fail' failed in partition 3, batch 0: down the \u00e4rmel"},
      {init_of("nothing", "", schema), "init user, cancel",
       "UserError: this worker has no map function 'nothing'"},
      {format, "init worker, cancel", "Unsupported: a payload of the format 'pickle'"},
      {type, "init worker, cancel", "Unsupported: the evaluation type 209"},
      {command, "init protocol, cancel", "ProtocolError: a function of 9 bytes"},
      {input, "init protocol, cancel", "ProtocolError: an input schema that is no Arrow schema"},
      {output, "init, error user, cancel",
       "UserError: map function 'identity' failed in partition 3, batch 0: it gave int64, int64 "
       "instead of string"},
  };
  for (const Case& one : cases) {
    const Result result = run(worker.client, one.init, {one_batch()});
    EXPECT_EQ(result.told.words, one.words);
    EXPECT_EQ(result.told.error.find(one.error), 0u) << result.told.error;
  }
  // The worker goes on.
  EXPECT_EQ(run(worker.client, init_of("identity", "", schema), {one_batch()}).told.words,
            "init, finish");
}

TEST(GrpcWorker, DataThatIsNoBatchIsTold) {
  Worker worker;
  const std::string whole = batch_message(*one_batch());
  for (const std::string& data : {std::string("no batch"), whole.substr(0, whole.size() - 8),
                                  std::string("\xFF\xFF\xFF\xFF\x00\x00\x00\x70", 8)}) {
    ClientSession session = worker.client.open(init_of("identity", "", *one_batch()->schema()));
    EXPECT_EQ(next_of(session).words, "init");
    send(session, data);
    const Told told = all_of(session);
    EXPECT_EQ(told.words, "error protocol, cancel") << told.error;
    EXPECT_EQ(told.data, "");
  }
}

// --- Signals and connections ---------------------------------------------------------------------

TEST(GrpcWorker, TermDrainsAndTermAgainCancels) {
  Worker idle;
  ::kill(idle.process.pid(), SIGTERM);
  EXPECT_TRUE(exited_well(idle.process.wait(soon())));
  EXPECT_FALSE(std::filesystem::exists(idle.process.connection()));

  Worker draining;
  ClientSession session = draining.client.open(init_of("identity", "", *one_batch()->schema()));
  EXPECT_EQ(next_of(session).words, "init");
  ::kill(draining.process.pid(), SIGTERM);
  // It has heard the signal when it refuses the next session.
  eventually([&] {
    ClientSession late = draining.client.open();
    late.cancel();
    return all_of(late).words == "broken 14";
  });
  EXPECT_TRUE(send(session, batch_message(*one_batch())));
  EXPECT_TRUE(session.finish());
  EXPECT_EQ(all_of(session).words, "finish");
  EXPECT_TRUE(exited_well(draining.process.wait(soon())));

  // A function that does not listen is not waited for.
  Worker cancelled;
  ClientSession slow = cancelled.client.open(init_of("sleep_ms", "600000", *one_batch()->schema()));
  EXPECT_EQ(next_of(slow).words, "init");
  EXPECT_TRUE(send(slow, batch_message(*one_batch())));
  ::kill(cancelled.process.pid(), SIGTERM);
  eventually([&] {
    ClientSession late = cancelled.client.open();
    late.cancel();
    return all_of(late).words == "broken 14";
  });
  ::kill(cancelled.process.pid(), SIGTERM);
  EXPECT_EQ(all_of(slow).words, "error worker, cancel");
  EXPECT_TRUE(exited_well(cancelled.process.wait(soon())));
  EXPECT_FALSE(std::filesystem::exists(cancelled.process.connection()));
}

TEST(GrpcWorker, EndsWithTheProcessThatStartedIt) {
  Folder folder;
  // The shell stays, in the worker's process's place.
  WorkerProcess shell({.command = {"sh", "-c", "\"$0\" \"$@\" & wait", FOREBAY_WORKER}},
                      folder.file(""));
  Client client(shell.connection());
  ClientSession slow = client.open(init_of("sleep_ms", "600000", *one_batch()->schema()));
  EXPECT_EQ(next_of(slow).words, "init");
  EXPECT_TRUE(send(slow, batch_message(*one_batch())));
  ::kill(shell.pid(), SIGKILL);
  EXPECT_EQ(all_of(slow).words, "error worker, cancel");
  eventually([&] { return !std::filesystem::exists(shell.connection()); });
}

TEST(GrpcWorker, ShutdownEndsTheProcess) {
  for (const bool cancel : {false, true}) {
    Worker worker;
    (void)worker.client.shut_down(cancel, soon());
    EXPECT_TRUE(exited_well(worker.process.wait(soon())));
  }
}

// What a command says, and at last its exit status.
std::string said_by(const std::string& command) {
  FILE* const pipe = ::popen((command + " 2>&1").c_str(), "re");
  if (pipe == nullptr) throw std::system_error(errno, std::system_category(), "popen");
  std::string text;
  std::array<char, 4096> bytes;
  while (const std::size_t size = std::fread(bytes.data(), 1, bytes.size(), pipe)) {
    text.append(bytes.data(), size);
  }
  return text + "exit " + std::to_string(WEXITSTATUS(::pclose(pipe)));
}

int exit_of(const std::vector<std::string>& arguments) {
  std::string command = FOREBAY_WORKER;
  for (const auto& argument : arguments) command += " '" + argument + "'";
  const std::string text = said_by(command);
  return std::stoi(text.substr(text.rfind(' ')));
}

TEST(GrpcWorker, IsReadyInFiftyMilliseconds) {
  auto best = std::chrono::nanoseconds::max();
  for (int i = 0; i < 5; ++i) best = std::min(best, Worker().process.ready_after());
  std::printf("ready after %.1f ms\n", std::chrono::duration<double, std::milli>(best).count());
  if (!forebay::test::kSanitized) {
    EXPECT_LE(best, std::chrono::milliseconds(50));
  }
}

TEST(GrpcWorker, LoadsTheChannelOnlyWhereItIsAskedFor) {
  const std::string libraries = said_by("ldd " FOREBAY_WORKER);
  EXPECT_NE(libraries.find("libarrow.so"), std::string::npos) << libraries;
  for (const char* const unwanted : {"libgrpc", "libnghttp2", "libprotobuf", "libabsl"}) {
    EXPECT_EQ(libraries.find(unwanted), std::string::npos) << libraries;
  }
  Worker worker;
  std::ifstream maps("/proc/" + std::to_string(worker.process.pid()) + "/maps");
  const std::string loaded(std::istreambuf_iterator<char>(maps), {});
  EXPECT_NE(loaded.find("/libnghttp2.so"), std::string::npos);
  // gRPC itself is for engines.
  EXPECT_EQ(loaded.find("/libgrpc"), std::string::npos);
}

TEST(GrpcWorker, SaysWhereItLookedForItsModule) {
  Folder folder;
  const std::string alone = folder.file("forebay-worker");
  std::filesystem::copy_file(FOREBAY_WORKER, alone);
  const std::string command = alone + " --id a --connection " + folder.file("w.sock");
  const std::string text = said_by(command);
  const std::string here = folder.file("");
  EXPECT_NE(text.find("Unsupported: the gRPC channel: there is no libforebay_udf_grpc.so in " +
                      here.substr(0, here.size() - 1) + ", " + here + "lib, "),
            std::string::npos)
      << text;
  EXPECT_TRUE(text.ends_with("exit 1")) << text;
  // What is there and is not it is not passed over.
  std::ofstream(folder.file("libforebay_udf_grpc.so")) << "something else";
  EXPECT_NE(said_by(command).find(here + "libforebay_udf_grpc.so: file too short"),
            std::string::npos)
      << said_by(command);
}

TEST(GrpcWorker, WrongArgumentsAreExitTwo) {
  for (const std::string& connection :
       {std::string("0"), std::string("65536"), std::string("99999"), std::string("-1"),
        std::string("80x"), std::string(""), "/" + std::string(107, 'x')}) {
    EXPECT_EQ(exit_of({"--id", "a", "--connection=" + connection}), 2) << connection;
  }
  EXPECT_EQ(exit_of({"--id", "a"}), 2);
  EXPECT_EQ(exit_of({"--connection", "/tmp/x.sock"}), 2);
  EXPECT_EQ(exit_of({"--id", "a", "--id", "b", "--connection", "/tmp/x.sock"}), 2);
  EXPECT_EQ(exit_of({"--id", "a", "--connection", "/tmp/x.sock", "--what"}), 2);
  EXPECT_EQ(exit_of({}), 2);
}

TEST(GrpcWorker, StaleSocketIsReplacedAndAnythingElseIsNot) {
  Folder folder;
  const std::string path = folder.file("w.sock");
  std::string stale;
  {
    WorkerProcess killed({.command = {FOREBAY_WORKER}}, folder.file(""));
    stale = killed.connection();
    ::kill(killed.pid(), SIGKILL);
    (void)killed.wait(soon());
  }
  EXPECT_TRUE(std::filesystem::exists(stale));
  {
    const auto make = [] { return std::make_unique<FunctionHandler>(drain); };
    EXPECT_NO_THROW(Server(Connection(stale), make));
  }
  std::ofstream(path) << "mine";
  EXPECT_EQ(exit_of({"--id", "a", "--connection", path}), 1);
  EXPECT_EQ(std::filesystem::file_size(path), 4u);
}

// --- What it holds -------------------------------------------------------------------------------

TEST(GrpcWorker, FloodOfASleepingFunctionStaysWithinTheBound) {
  Worker worker;
  const Batch batch = int_batch({std::vector<std::int64_t>(64 << 10, 7)});
  const std::string message = batch_message(*batch);
  EXPECT_EQ(run(worker.client, init_of("identity", "", *batch->schema()), {batch}).told.words,
            "init, finish");
  const std::size_t before = resident_bytes_of(worker.process.pid());
  ClientSession session = worker.client.open(init_of("sleep_ms", "600000", *batch->schema()));
  EXPECT_EQ(next_of(session).words, "init");
  std::size_t sent = 0;
  std::thread flood([&] {
    while (send(session, message)) sent += message.size();
  });
  // It has taken as much as it takes when its memory has stood still for a while.
  std::size_t last = 0;
  for (int still = 0; still < 10;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    const std::size_t now = peak_bytes_of(worker.process.pid());
    still = now == last && now > before + (std::size_t{20} << 20) ? still + 1 : 0;
    last = now;
  }
  session.break_off();
  flood.join();
  constexpr std::size_t kBound = ServerOptions{}.input_bytes_max;
  std::printf("flood: %zu MiB above what it held, bound %zu MiB\n", (last - before) >> 20,
              kBound >> 20);
  if (!forebay::test::kSanitized) {
    EXPECT_LE(last - before, kBound + (std::size_t{16} << 20));
  }
  // Though the function does not listen.
  (void)worker.client.shut_down(true, soon());
  EXPECT_TRUE(exited_well(worker.process.wait(soon())));
}

void run_many(std::size_t sessions) {
  Worker worker;
  const Init init = init_of("add", "1", *one_batch()->schema());
  const auto one_after_another = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_EQ(run(worker.client, init, {one_batch()}).told.words, "init, finish");
    }
  };
  one_after_another(100);
  const pid_t pid = worker.process.pid();
  const std::size_t descriptors = descriptors_of(pid);
  const std::size_t resident = resident_bytes_of(pid);
  one_after_another(sessions);
  EXPECT_EQ(descriptors_of(pid), descriptors);
  std::printf("sessions: %zu one after another, %zu KiB more\n", sessions,
              (resident_bytes_of(pid) - std::min(resident, resident_bytes_of(pid))) >> 10);
  if (!forebay::test::kSanitized) {
    EXPECT_LE(resident_bytes_of(pid), resident + (std::size_t{4} << 20));
  }
}

TEST(GrpcWorker, ManySessionsOneAfterAnotherLeaveNothing) {
  run_many(forebay::test::from_environment("FOREBAY_GRPC_SESSIONS", 300));
}

TEST(GrpcWorker, HundredSessionsAtOnceAreExact) {
  Worker worker;
  const pid_t pid = worker.process.pid();
  const Init init = init_of("add", "1", *one_batch()->schema());
  EXPECT_EQ(run(worker.client, init, {one_batch()}).told.words, "init, finish");
  std::vector<ClientSession> sessions;
  for (int i = 0; i < 100; ++i) sessions.push_back(worker.client.open(init));
  for (auto& session : sessions) EXPECT_EQ(next_of(session).words, "init");
  EXPECT_EQ(worker.client.heartbeat(soon()).at("sessions"), "100");
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < sessions.size(); ++i) {
      const auto value = static_cast<std::int64_t>(i) * 10 + round;
      EXPECT_TRUE(send(sessions[i], batch_message(*int_batch({{value}, {0}}))));
    }
  }
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    EXPECT_TRUE(sessions[i].finish());
    std::vector<Batch> batches;
    std::string end;
    while (auto reply = sessions[i].receive()) {
      Told told;
      add(told, *reply);
      if (!told.data.empty()) batches.push_back(read_batch(told.data, one_batch()->schema()));
      end = told.words;
    }
    EXPECT_EQ(end, "finish");
    ASSERT_EQ(batches.size(), 3u);
    const auto value = static_cast<std::int64_t>(i) * 10 + 1;
    EXPECT_TRUE(batches[2]->Equals(*int_batch({{value + 2}, {0}})));
  }
  // Their threads end with them.
  eventually([&] { return threads_of(pid) < 50; });
}

TEST(GrpcWorker, ClientsThatVanishAtAnyPointLeaveNothing) {
  Worker worker;
  const pid_t pid = worker.process.pid();
  const Init init = init_of("identity", "", *one_batch()->schema());
  const std::string message = batch_message(*int_batch({std::vector<std::int64_t>(20'000, 1)}));
  Init wide = init;
  wide.input_schema = schema_message(*int_batch({{1}})->schema());
  EXPECT_EQ(run(worker.client, init, {one_batch()}).told.words, "init, finish");
  const std::size_t descriptors = descriptors_of(pid);
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    Client client(worker.process.connection());
    ClientSession session = client.open();
    const auto last = random() % 12;
    for (std::size_t step = 0; step <= last; ++step) {
      if (step == 0) session.send(Request(wide));
      if (step == 1) (void)next_of(session);
      if (step > 1 && step < 10) send(session, message);
      if (step == 10) session.finish();
      if (step == 11) (void)session.receive();
    }
    // Without a word, connection and all.
  }
  eventually([&] { return worker.client.heartbeat(soon()).at("sessions") == "0"; });
  eventually([&] { return descriptors_of(pid) == descriptors; });
  EXPECT_EQ(run(worker.client, init, {one_batch()}).told.words, "init, finish");
}

}  // namespace
}  // namespace forebay::grpc::test
