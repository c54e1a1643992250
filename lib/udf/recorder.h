// SPDX-License-Identifier: Apache-2.0
#pragma once

// Keeps what comes in on a connection, but for secrets, to be replayed without Spark.

#include <string>
#include <thread>

#include "forebay/socket/descriptor.h"
#include "forebay/spark/protocol.h"

namespace forebay::udf {

class Recorder {
 public:
  // Copies what `connection`, which must outlive this, brings from now on into a new file in the
  // directory, and hands it on. Errors: std::system_error.
  Recorder(const socket::Descriptor& connection, const std::string& directory,
           spark::ChannelVersion version);
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  ~Recorder();

  // The end where the bytes come out; to be taken once.
  socket::Descriptor take() { return std::move(reading_); }

 private:
  void copy() noexcept;

  const int connection_;
  const spark::ChannelVersion version_;
  socket::Descriptor file_;
  socket::Descriptor writing_;
  socket::Descriptor reading_;
  std::thread thread_;
};

}  // namespace forebay::udf
