// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "forebay/grpc/client.h"
#include "tpch/measure.h"
#include "tpch/schedule.h"
#include "tpch/send.h"
#include "tpch/wire.h"

namespace tpch {

namespace grpc = forebay::grpc;

namespace {

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class Expected>
void expect(grpc::ClientSession& session, const char* what) {
  const auto reply = session.receive();
  if (!reply || !std::holds_alternative<Expected>(*reply)) {
    const auto* const broken = reply ? std::get_if<grpc::BrokenReply>(&*reply) : nullptr;
    throw std::runtime_error(std::string("the worker did not answer ") + what +
                             (broken != nullptr ? ": " + broken->text : ""));
  }
}

}  // namespace

void send_over_grpc(const SendOptions& options) {
  const MappedFile file(options.file);
  const auto messages = cut_by_message(file.bytes());
  if (messages.size() < 2) throw std::runtime_error("a stream without batches");
  grpc::Client client(options.socket);
  grpc::Init init;
  init.udf.format = "main job";
  init.udf.bytes = "query 6";
  init.input_schema = text_of(messages.front());
  grpc::ClientSession session = client.open(init);
  expect<grpc::InitResponse>(session, "Init");

  // The file outlives the session: there is nothing to release.
  const forebay::Release nothing{[](void*) noexcept {}, nullptr};
  const CpuTime cpu = CpuTime::now();
  Schedule schedule(options.pace_gb_per_s);
  // Behind the schema, and before what ends the stream.
  const auto batches = std::span(messages).subspan(1, messages.size() - 2);
  for (const auto& message : batches) {
    schedule.wait(message.size());
    std::vector<forebay::Chunk> pieces;
    pieces.push_back(forebay::Chunk::borrow(message, nothing));
    if (!session.send(std::move(pieces))) break;
  }
  session.finish();
  expect<grpc::FinishResponse>(session, "Finish");
  const CpuTime cpu_end = CpuTime::now();
  JsonLine line;
  line.add("bytes", file.bytes().size()).add("messages", messages.size());
  schedule.report(line);
  line.add("cpu_s", cpu_end.user_s - cpu.user_s + cpu_end.system_s - cpu.system_s).print();
}

}  // namespace tpch
