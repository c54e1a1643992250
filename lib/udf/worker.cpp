// SPDX-License-Identifier: Apache-2.0
#include "forebay/udf/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "channel.h"
#include "crash.h"
#include "describe.h"
#include "forebay/detail/futex.h"
#include "forebay/error.h"
#include "forebay/spark/daemon.h"
#include "forebay/spark/rendezvous.h"
#include "grpc_module.h"
#include "libraries.h"
#include "log.h"
#include "old_glibc.h"
#include "recorder.h"
#include "task_runner.h"

namespace forebay::udf {

namespace {

using socket::Descriptor;
using spark::Environment;

// Spark waits 10 s for a worker that it started.
constexpr std::chrono::seconds kMeetTime(10);

struct Options {
  std::vector<std::string> modules;
  std::vector<std::string> libraries;
  std::string record_directory;
  std::string replay_file;
  std::string output_file = "-";
  std::string spark_version = "4.3.0";
  bool describe = false;
  std::string id;
  std::optional<std::string> connection;
};

// What stands in the environment, because Spark decides about the arguments.
void read_environment(Options& options) {
  if (const auto paths = Environment::get("FOREBAY_LIBRARIES")) {
    std::size_t begin = 0;
    while (begin <= paths->size()) {
      const std::size_t end = std::min(paths->find(':', begin), paths->size());
      if (end != begin) options.libraries.push_back(paths->substr(begin, end - begin));
      begin = end + 1;
    }
  }
  if (const auto directory = Environment::get("FOREBAY_RECORD")) {
    options.record_directory = *directory;
  }
  if (const auto version = Environment::get("FOREBAY_SPARK_VERSION")) {
    options.spark_version = *version;
  }
}

// Makes descriptor 1 a way into the log, and gives back what it was.
Descriptor take_stdout() {
  Descriptor before(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  if (!before || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    throw std::system_error(errno, std::system_category(), "move stdout out of the way");
  }
  return before;
}

void wait_for_debugger() {
  if (Environment::get("FOREBAY_WAIT_FOR_DEBUGGER").value_or("0") != "1") return;
  std::fprintf(stderr, "forebay: process %d stops until a debugger or SIGCONT continues it\n",
               static_cast<int>(::getpid()));
  ::raise(SIGSTOP);
}

// Spark then writes in a thread of its own, and interrupts that thread when the task has ended. A
// thread that is still inside a write of its last bytes closes the connection by that (so Java's
// channels have it), which may have been given to the next task by then. A connection that is told
// not to be used again is given to nobody.
bool is_pipelined() { return Environment::get("SPARK_PIPELINED_UDF").value_or("0") == "1"; }

int serve(Descriptor connection, const Registry& registry, const Options& options) {
  report_crashes();
  wait_for_debugger();
  ChannelOptions channel_options;
  channel_options.version = spark::channel_version(options.spark_version);
  channel_options.once = is_pipelined();
  if (options.record_directory.empty()) {
    Channel channel(std::move(connection), channel_options);
    return TaskRunner(registry, channel).run() ? 0 : 1;
  }
  Recorder recorder(connection, options.record_directory, channel_options.version);
  Channel channel(recorder.take(), channel_options, &connection);
  return TaskRunner(registry, channel).run() ? 0 : 1;
}

int serve_spark(const Registry& registry, const Options& options, Descriptor address) {
  std::vector<std::string> arguments = {"-m"};
  arguments.insert(arguments.end(), options.modules.begin(), options.modules.end());
  const spark::Rendezvous rendezvous = spark::read_rendezvous(arguments);
  if (!rendezvous.daemon) {
    return serve(spark::meet(rendezvous, Deadline::after(kMeetTime)), registry, options);
  }
  spark::run_daemon(rendezvous, {STDIN_FILENO, address.get()}, [&](Descriptor connection) {
    return serve(std::move(connection), registry, options);
  });
  return 0;
}

Descriptor open_file(const std::string& path, int flags) {
  Descriptor file(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  if (!file) throw std::system_error(errno, std::system_category(), "open " + path);
  return file;
}

int replay(const Registry& registry, const Options& options, Descriptor standard_output) {
  ChannelOptions channel_options;
  channel_options.version = spark::channel_version(options.spark_version);
  const Descriptor out = options.output_file == "-"
                             ? std::move(standard_output)
                             : open_file(options.output_file, O_WRONLY | O_CREAT | O_TRUNC);
  Channel channel(open_file(options.replay_file, O_RDONLY), channel_options, &out);
  return TaskRunner(registry, channel).run() ? 0 : 1;
}

int run(Options options, Registry registry) {
  read_environment(options);
  Descriptor standard_output = take_stdout();
  add_builtins(registry);
  for (const std::string& path : options.libraries) load_library(path, registry);
  if (options.describe) {
    const std::string text = describe(registry) + "\n";
    spark::GatherWriter(standard_output).send(std::as_bytes(std::span(text)));
    return 0;
  }
  if (!options.replay_file.empty()) {
    return replay(registry, options, std::move(standard_output));
  }
  if (options.connection) {
    report_crashes();
    wait_for_debugger();
    serve_grpc(*options.connection, registry);
    return 0;
  }
  return serve_spark(registry, options, std::move(standard_output));
}

}  // namespace

#ifndef forebay_udf_EXPORTS  // A shared library has no such initializers.
namespace {
// Runs before the initializers of all shared libraries: that of libarrow starts a thread, and then
// registering holds the start up.
[[gnu::used, gnu::section(".preinit_array")]] void (*const g_register_alone)() = [] {
  (void)forebay::detail::register_asymmetric_barriers();
};
}  // namespace
#endif

int worker_main(int argc, char** argv, Registry registry) {
  prefer_glibc();
  set_up_log();
  Options options;
  CLI::App app("Runs C++ functions for Apache Spark, which starts it with -m.");
  auto* const modules =
      app.add_option("-m", options.modules, "Spark's modules: a daemon's and a worker's");
  modules->expected(1, 2)->type_name("MODULE");
  app.add_option("--library", options.libraries, "Shared library with more functions")
      ->type_name("FILE");
  app.add_option("--record", options.record_directory, "Keep what each connection brings")
      ->type_name("DIR");
  auto* const replay_file =
      app.add_option("--replay", options.replay_file, "Run what was recorded, without Spark");
  replay_file->type_name("FILE");
  app.add_option("--output", options.output_file, "Where a replay's answer goes; - for stdout")
      ->type_name("FILE");
  app.add_option("--spark-version", options.spark_version, "Whose channel was recorded")
      ->type_name("VERSION");
  auto* const describe_flag = app.add_flag("--describe", options.describe, "Print the functions");
  describe_flag->multi_option_policy(CLI::MultiOptionPolicy::Throw);
  replay_file->excludes(modules)->excludes(describe_flag);
  describe_flag->excludes(modules);
  auto* const id = app.add_option("--id", options.id, "What the engine calls this worker");
  auto* const connection =
      app.add_option("--connection", options.connection,
                     "Serve the gRPC channel at this Unix socket, or TCP port");
  id->type_name("ID")->needs(connection);
  connection->type_name("PATH|PORT")->needs(id);
  connection->excludes(modules)->excludes(replay_file)->excludes(describe_flag);
  try {
    app.parse(argc, argv);
    if (options.modules.empty() && options.replay_file.empty() && !options.describe &&
        !options.connection) {
      throw CLI::RequiredError("one of -m, --replay, --describe and --connection");
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    return run(std::move(options), std::move(registry));
  } catch (const InvalidConnection& error) {
    log_error("{}", error.what());
    return 2;
  } catch (const std::exception& error) {
    log_error("{}", error.what());
    return 1;
  }
}

}  // namespace forebay::udf
