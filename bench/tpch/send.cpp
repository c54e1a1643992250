// SPDX-License-Identifier: Apache-2.0
#include "tpch/send.h"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/message.h>

#include <cstdint>
#include <span>
#include <vector>

#include "tpch/arrow_input.h"
#include "tpch/measure.h"
#include "tpch/schedule.h"
#include "tpch/wire.h"

namespace tpch {
namespace {
using Bytes = std::span<const std::byte>;
}  // namespace

std::vector<Bytes> cut_by_message(Bytes stream) {
  arrow::io::BufferReader reader(
      std::make_shared<arrow::Buffer>(reinterpret_cast<const std::uint8_t*>(stream.data()),
                                      static_cast<std::int64_t>(stream.size())));
  std::vector<Bytes> messages;
  std::size_t begin = 0;
  while (value_of(arrow::ipc::ReadMessage(&reader)) != nullptr) {
    const auto end = static_cast<std::size_t>(value_of(reader.Tell()));
    messages.push_back(stream.subspan(begin, end - begin));
    begin = end;
  }
  if (begin < stream.size()) messages.push_back(stream.subspan(begin));
  return messages;
}

void send_file(const SendOptions& options) {
  const MappedFile file(options.file);
  const std::vector<Bytes> messages = cut_by_message(file.bytes());
  auto listener = forebay::socket::Listener::listen_unix(options.socket);
  JsonLine().add("listening", options.socket).print();
  const Descriptor socket = listener.accept();

  const CpuTime cpu = CpuTime::now();
  Schedule schedule(options.pace_gb_per_s);
  for (const Bytes message : messages) {
    schedule.wait(message.size());
    forebay::socket::send_all(socket, message);
  }
  const CpuTime cpu_end = CpuTime::now();
  JsonLine line;
  line.add("bytes", file.bytes().size()).add("messages", messages.size());
  schedule.report(line);
  line.add("cpu_s", cpu_end.user_s - cpu.user_s + cpu_end.system_s - cpu.system_s).print();
}

}  // namespace tpch
