// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every peer of the stream benchmark reads: an endless stream of bytes that repeats, cut into
// chunks of one size. The memory is laid out twice in a row, so that a peer that wants contiguous
// memory finds a whole period behind every byte. Small enough to stay in a core's second cache:
// what is measured is the reading, not the memory.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

namespace forebay::bench {

class ReceivedBytes {
 public:
  /// `chunk_bytes` is a power of two.
  explicit ReceivedBytes(std::size_t chunk_bytes)
      : chunk_bytes_(chunk_bytes),
        period_bytes_(std::max(kPeriodBytesMin, chunk_bytes)),
        memory_(std::make_shared<std::byte[]>(2 * period_bytes_)) {
    for (std::size_t i = 0; i < 2 * period_bytes_; ++i) {
      const std::size_t at = i % period_bytes_;
      memory_[i] = static_cast<std::byte>(at * 31 + at / 251);
    }
  }

  [[nodiscard]] std::size_t chunk_bytes() const noexcept { return chunk_bytes_; }
  [[nodiscard]] std::size_t period_bytes() const noexcept { return period_bytes_; }
  [[nodiscard]] std::shared_ptr<const std::byte[]> memory() const noexcept { return memory_; }

  /// The chunk whose number in the stream is `index`.
  [[nodiscard]] std::span<const std::byte> chunk(std::uint64_t index) const noexcept {
    return {memory_.get() + index * chunk_bytes_ % period_bytes_, chunk_bytes_};
  }
  /// The byte at `position` of the stream, and a period behind it.
  [[nodiscard]] const std::byte* at(std::uint64_t position) const noexcept {
    return memory_.get() + position % period_bytes_;
  }

 private:
  static constexpr std::size_t kPeriodBytesMin = std::size_t{256} << 10;

  std::size_t chunk_bytes_;
  std::size_t period_bytes_;
  std::shared_ptr<std::byte[]> memory_;
};

}  // namespace forebay::bench
