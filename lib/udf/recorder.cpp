// SPDX-License-Identifier: Apache-2.0
#include "recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <exception>
#include <span>
#include <system_error>
#include <vector>

#include "forebay/spark/gather_writer.h"
#include "log.h"
#include "redact.h"

namespace forebay::udf {

namespace {

constexpr std::size_t kBufferBytes = std::size_t{256} << 10;

[[noreturn]] void raise_errno(const std::string& what) {
  throw std::system_error(errno, std::system_category(), what);
}

}  // namespace

Recorder::Recorder(const socket::Descriptor& connection, const std::string& directory,
                   spark::ChannelVersion version)
    : connection_(connection.get()), version_(version) {
  const std::string path = directory + "/" + std::to_string(::getpid()) + ".channel";
  file_ = socket::Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file_) raise_errno("open " + path);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) raise_errno("socketpair");
  reading_ = socket::Descriptor(ends[0]);
  writing_ = socket::Descriptor(ends[1]);
  thread_ = std::thread([this] { copy(); });
}

Recorder::~Recorder() {
  ::shutdown(connection_, SHUT_RD);
  thread_.join();
}

void Recorder::copy() noexcept {
  try {
    std::vector<std::byte> buffer(kBufferBytes);
    spark::GatherWriter file(file_);
    spark::GatherWriter onward(writing_);
    Redactor redactor(version_);
    for (;;) {
      const ssize_t got = ::recv(connection_, buffer.data(), buffer.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) raise_errno("receive");
      if (got == 0) break;
      const std::span<const std::byte> bytes(buffer.data(), static_cast<std::size_t>(got));
      redactor.add(bytes, [&](std::span<const std::byte> recorded) { file.send(recorded); });
      onward.send(bytes);
    }
  } catch (const std::exception& error) {
    log_error("recording ended: {}", error.what());
  }
  ::shutdown(writing_.get(), SHUT_WR);
}

}  // namespace forebay::udf
