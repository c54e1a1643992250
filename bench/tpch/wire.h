// SPDX-License-Identifier: Apache-2.0
#pragma once

// The two processes' ends of the Unix socket, and memory as large as a whole stream.

#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace tpch {

/// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

/// Throws std::system_error.
[[nodiscard]] Descriptor connect_to(const std::string& path);

/// Listens at a path that must not exist yet. Throws std::system_error.
class Listener {
 public:
  explicit Listener(const std::string& path);
  /// Waits for a peer.
  [[nodiscard]] Descriptor accept() const;

 private:
  Descriptor descriptor_;
};

/// As many bytes as are there, at least one; 0 at the end. Throws std::system_error.
[[nodiscard]] std::size_t receive_some(const Descriptor& socket, std::span<std::byte> out);

/// Throws std::system_error, also when the peer has gone.
void send_all(const Descriptor& socket, std::span<const std::byte> bytes);

/// A file in memory, every page of it. Throws std::system_error.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

/// Address space that becomes memory as it is written to. Throws std::system_error.
class Reserved {
 public:
  explicit Reserved(std::size_t size);
  Reserved(const Reserved&) = delete;
  Reserved& operator=(const Reserved&) = delete;
  ~Reserved();
  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace tpch
