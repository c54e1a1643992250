// SPDX-License-Identifier: Apache-2.0
#pragma once

// The other side of the wire: a process that sends an Arrow stream to whoever connects and asks.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "forebay/socket/descriptor.h"
#include "tpch/feed.h"

namespace forebay::bench {

enum class Wire { unix_socket, tcp };

/// What a receiver asks for, once, as it is in memory: both processes are the same program.
struct Request {
  std::uint64_t batches = 0;
  double gb_per_s = 0;  ///< zero: as fast as it goes
};

/// One for the process, made by the first benchmark, while there is one thread.
class Sender {
 public:
  static constexpr std::int64_t kColumns = 8;
  static constexpr std::int64_t kRows = 8192;
  static constexpr std::size_t kBatchBytes = kColumns * kRows * sizeof(std::int64_t);

  static const Sender& get();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;
  ~Sender();

  /// A connection on which nothing comes before it is asked for.
  [[nodiscard]] socket::Descriptor connect(Wire wire) const;
  static void ask(const socket::Descriptor& connection, const Request& request);

  /// The batch that it sends, again and again.
  [[nodiscard]] const arrow::RecordBatch& batch() const { return *batch_; }

 private:
  struct Folder;
  Sender();

  std::shared_ptr<arrow::RecordBatch> batch_;
  std::unique_ptr<Folder> folder_;
  socket::Listener unix_;
  socket::Listener tcp_;
  pid_t process_ = -1;
};

}  // namespace forebay::bench
