// SPDX-License-Identifier: Apache-2.0
#pragma once

// SharedBytes: a view that owns what it looks at.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "forebay/byte_view.h"
#include "forebay/detail/block.h"

namespace forebay {

/// What shared bytes count as while they live.
enum class Retention : std::uint8_t {
  bounded,   ///< against the stream's bound: too many of them stop the writer
  detached,  ///< apart, in stats().bytes_detached: for one who means to keep them
};

/// Bytes of a stream, taken out of its epochs: they own a share of their block and may outlive the
/// stream. Made by StreamReader::share(). Copies share the block; each object is used by one thread
/// at a time, different objects by any. Dropping the last one gives the block back, on that thread.
class SharedBytes {
 public:
  SharedBytes() noexcept = default;
  /// One more share of the block. Wait-free.
  SharedBytes(const SharedBytes& other) noexcept;
  /// Takes the share over.
  SharedBytes(SharedBytes&& other) noexcept
      : view_(std::exchange(other.view_, {})), retention_(other.retention_) {}
  /// Drops its own share, and takes the other.
  SharedBytes& operator=(SharedBytes other) noexcept {
    std::swap(view_, other.view_);
    std::swap(retention_, other.retention_);
    return *this;
  }
  ~SharedBytes() { reset(); }

  /// Drops the share now.
  void reset() noexcept;

  /// A copy of the bytes in memory of their own, outside every bound: so that a few bytes do not
  /// hold a large block. Throws std::bad_alloc.
  [[nodiscard]] SharedBytes compact() const;

  /// A share of part of the bytes; clamped as ByteView::subview().
  [[nodiscard]] SharedBytes subview(std::size_t offset, std::size_t count = SIZE_MAX) const {
    SharedBytes part(*this);
    part.view_ = view_.subview(offset, count);
    return part;
  }

  /// The first byte.
  [[nodiscard]] const std::byte* data() const noexcept { return view_.data(); }
  /// Size in bytes.
  [[nodiscard]] std::size_t size() const noexcept { return view_.size(); }
  /// Whether there are no bytes.
  [[nodiscard]] bool empty() const noexcept { return view_.empty(); }
  /// What the share counts as.
  [[nodiscard]] Retention retention() const noexcept { return retention_; }
  /// As a span.
  [[nodiscard]] operator std::span<const std::byte>() const noexcept { return view_; }
  /// As text.
  [[nodiscard]] operator std::string_view() const noexcept { return view_; }

 private:
  friend class StreamReader;
  using Record = detail::BasicBlock<detail::SystemPolicy>;

  SharedBytes(ByteView view, Retention retention) noexcept;
  void hold() const noexcept;
  [[nodiscard]] Record* record() const noexcept { return static_cast<Record*>(view_.block()); }

  ByteView view_;
  Retention retention_ = Retention::bounded;
};

}  // namespace forebay
