// SPDX-License-Identifier: Apache-2.0
#include "tpch/send.h"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/message.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <thread>
#include <vector>

#include "tpch/arrow_input.h"
#include "tpch/measure.h"
#include "tpch/wire.h"

namespace tpch {
namespace {

using Bytes = std::span<const std::byte>;

// The stream cut behind each message; what follows the last one is a piece as well.
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

// When each message is due. The schedule is absolute: a late message does not move those after it.
class Schedule {
 public:
  using clock = std::chrono::steady_clock;

  explicit Schedule(double gb_per_s)
      : ns_per_byte_(gb_per_s > 0 ? 1 / gb_per_s : 0), begin_(clock::now()) {}

  /// Waits until the next message, of so many bytes, is due.
  void wait(std::size_t bytes) {
    const clock::time_point due = after(bytes_);
    bytes_ += bytes;
    if (ns_per_byte_ == 0) return;
    const clock::time_point now = clock::now();
    if (now > due) {
      ++late_;
      late_max_ = std::max(late_max_, now - due);
    } else {
      std::this_thread::sleep_until(due);
    }
  }
  void report(JsonLine& line) const {
    const double end_s = seconds(clock::now() - after(bytes_));
    line.add("late_messages", late_).add("late_max_s", seconds(late_max_));
    line.add("late_at_end_s", ns_per_byte_ == 0 ? 0.0 : std::max(0.0, end_s));
    line.add("seconds", seconds(clock::now() - begin_));
  }

 private:
  static double seconds(clock::duration duration) {
    return std::chrono::duration<double>(duration).count();
  }
  [[nodiscard]] clock::time_point after(std::uint64_t bytes) const {
    return begin_ + std::chrono::nanoseconds(
                        static_cast<std::int64_t>(static_cast<double>(bytes) * ns_per_byte_));
  }

  double ns_per_byte_;
  clock::time_point begin_;
  std::uint64_t bytes_ = 0;
  std::uint64_t late_ = 0;  // messages that could not begin when they were due
  clock::duration late_max_{};
};

}  // namespace

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
