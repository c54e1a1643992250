// SPDX-License-Identifier: Apache-2.0

// forebay-tpch: the two processes of the main job. bench/tpch/run.py starts them.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <thread>

#include "tpch/receive.h"
#include "tpch/selftest.h"
#include "tpch/send.h"

int main(int argc, char** argv) {
  CLI::App app("TPC-H query 6 over a Unix socket");
  app.require_subcommand(1);

  tpch::SendOptions send;
  CLI::App* const send_command = app.add_subcommand("send", "send an Arrow stream to one receiver");
  send_command->add_option("--socket", send.socket, "where to listen")->required();
  send_command->add_option("--file", send.file, "the Arrow stream")->required();
  send_command
      ->add_option("--pace", send.pace_gb_per_s, "GB/s, on an absolute schedule; 0: no pace")
      ->check(CLI::NonNegativeNumber);
  bool grpc = false;
  send_command->add_flag("--grpc", grpc, "as the engine of a worker that listens at the socket");

  tpch::ReceiveOptions receive;
  receive.workers = static_cast<int>(std::max(2u, std::thread::hardware_concurrency())) - 1;
  CLI::App* const receive_command = app.add_subcommand("receive", "receive it and answer query 6");
  receive_command->add_option("--mode", receive.mode, "how")
      ->required()
      ->check(CLI::IsMember(tpch::modes()));
  CLI::Option* const socket =
      receive_command->add_option("--socket", receive.socket, "where the sender listens");
  receive_command->add_option("--file", receive.file, "the Arrow stream, in place of a socket")
      ->excludes(socket);
  receive_command->add_option("--work", receive.work, "times that a batch's answer is worked out")
      ->check(CLI::Range(1, 1'000'000));
  receive_command->add_option("--workers", receive.workers, "threads that decode and query")
      ->check(CLI::Range(1, 1024));
  receive_command->add_option("--budget", receive.budget_bytes, "bytes that the stream may hold");
  receive_command->add_option("--recv-bytes", receive.recv_bytes, "buffer of the bare receive");
  receive_command->add_option("--json", receive.json, "file for the figures");
  receive_command->add_option("--trace", receive.trace, "file for the timeline");

  CLI::App* const selftest_command = app.add_subcommand("selftest", "check the query's arithmetic");

  CLI11_PARSE(app, argc, argv);
  try {
    if (*send_command) grpc ? tpch::send_over_grpc(send) : tpch::send_file(send);
    if (*receive_command) tpch::receive(receive);
    if (*selftest_command) return tpch::selftest();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "forebay-tpch: %s\n", error.what());
    return 1;
  }
}
