// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <arrow/result.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <utility>

namespace tpch {

/// What an Arrow call gives, or its error thrown.
template <class T>
T value_of(arrow::Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.status().ToString());
  return std::move(result).ValueUnsafe();
}

/// A buffer that keeps `Owner`, whose memory it shows.
template <class Owner>
class OwningBuffer : public arrow::Buffer {
 public:
  OwningBuffer(const std::byte* data, std::size_t size, Owner owner)
      : arrow::Buffer(reinterpret_cast<const std::uint8_t*>(data), static_cast<std::int64_t>(size)),
        owner_(std::move(owner)) {}

 private:
  Owner owner_;
};

/// An Arrow input stream over `read`, which gives a buffer of exactly so many bytes, or throws.
template <class ReadExactly>
class ArrowInput : public arrow::io::InputStream {
 public:
  explicit ArrowInput(ReadExactly read) : read_(std::move(read)) {}

  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(std::int64_t size) override {
    try {
      std::shared_ptr<arrow::Buffer> buffer = read_(static_cast<std::size_t>(size));
      position_ += size;
      return buffer;
    } catch (const std::exception& error) {
      return arrow::Status::IOError(error.what());
    }
  }
  arrow::Result<std::int64_t> Read(std::int64_t size, void* out) override {
    ARROW_ASSIGN_OR_RAISE(const std::shared_ptr<arrow::Buffer> buffer, Read(size));
    std::memcpy(out, buffer->data(), static_cast<std::size_t>(size));
    return size;
  }
  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }
  arrow::Result<std::int64_t> Tell() const override { return position_; }
  bool supports_zero_copy() const override { return true; }

 private:
  ReadExactly read_;
  std::int64_t position_ = 0;
  bool closed_ = false;
};

}  // namespace tpch
