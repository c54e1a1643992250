// SPDX-License-Identifier: Apache-2.0
#pragma once

// A socket received from without Forebay, and memory as large as a whole stream.

#include <cstddef>
#include <span>
#include <string>

#include "forebay/socket/descriptor.h"

namespace tpch {

using forebay::socket::Descriptor;

/// As many bytes as are there, at least one; 0 at the end. Throws std::system_error.
[[nodiscard]] std::size_t receive_some(const Descriptor& socket, std::span<std::byte> out);

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
