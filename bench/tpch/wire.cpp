// SPDX-License-Identifier: Apache-2.0
#include "tpch/wire.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "tpch/trace.h"

namespace tpch {
namespace {

// Calls again what a signal interrupted.
template <class Call>
auto checked(const std::string& what, Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0) return result;
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), what);
  }
}

Descriptor unix_socket() {
  return Descriptor(
      checked("socket", [] { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }));
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    throw std::system_error(ENAMETOOLONG, std::generic_category(), path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

Descriptor connect_to(const std::string& path) {
  Descriptor descriptor = unix_socket();
  const sockaddr_un address = address_of(path);
  checked(path, [&] {
    return connect(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  });
  return descriptor;
}

Listener::Listener(const std::string& path) : descriptor_(unix_socket()) {
  const sockaddr_un address = address_of(path);
  checked(path, [&] {
    return bind(descriptor_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  });
  checked(path, [&] { return listen(descriptor_.get(), 1); });
}

Descriptor Listener::accept() const {
  return Descriptor(checked(
      "accept", [&] { return accept4(descriptor_.get(), nullptr, nullptr, SOCK_CLOEXEC); }));
}

std::size_t receive_some(const Descriptor& socket, std::span<std::byte> out) {
  Span span("receive");
  const auto got = static_cast<std::size_t>(
      checked("recv", [&] { return recv(socket.get(), out.data(), out.size(), 0); }));
  span.count(got);
  return got;
}

void send_all(const Descriptor& socket, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto sent = checked(
        "send", [&] { return send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); });
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
}

MappedFile::MappedFile(const std::string& path) {
  const Descriptor file(checked(path, [&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  struct stat status {};
  checked(path, [&] { return fstat(file.get(), &status); });
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const first = mmap(nullptr, size, PROT_READ, MAP_SHARED | MAP_POPULATE, file.get(), 0);
  if (first == MAP_FAILED) throw std::system_error(errno, std::generic_category(), path);
  bytes_ = {static_cast<const std::byte*>(first), size};
}

MappedFile::~MappedFile() { munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size()); }

Reserved::Reserved(std::size_t size) {
  void* const first = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (first == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  bytes_ = {static_cast<std::byte*>(first), size};
}

Reserved::~Reserved() { munmap(bytes_.data(), bytes_.size()); }

}  // namespace tpch
