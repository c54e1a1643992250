// SPDX-License-Identifier: Apache-2.0
#include "tpch/wire.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

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

}  // namespace

std::size_t receive_some(const Descriptor& socket, std::span<std::byte> out) {
  return static_cast<std::size_t>(
      checked("recv", [&] { return recv(socket.get(), out.data(), out.size(), 0); }));
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
