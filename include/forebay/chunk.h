// SPDX-License-Identifier: Apache-2.0
#pragma once

// Chunk: received bytes on their way into a stream, with whatever it takes to give them back.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "forebay/detail/block.h"

namespace forebay {

/// What to call when borrowed memory is no longer looked at. Called exactly once, on any thread,
/// when no view can be left. Must not block or throw.
struct Release {
  /// Called once; null: nothing is called.
  detail::ReleaseFunction function = nullptr;
  /// Passed to the function.
  void* context = nullptr;
};

/// A movable owner of bytes. Not thread-safe; give it to a StreamWriter, which passes the ownership
/// on. A chunk that was not taken releases its bytes when it is destroyed.
class Chunk {
 public:
  /// Adopted strings and vectors of fewer bytes are copied: cheaper than to keep the container.
  static constexpr std::size_t kAdoptBytesMin = 64;

  /// No bytes. Legal to add to a stream, where it changes nothing.
  Chunk() noexcept = default;

  /// A copy of the bytes, in memory of its own that is 64-byte aligned. Throws std::bad_alloc.
  [[nodiscard]] static Chunk copy_of(std::span<const std::byte> bytes);
  /// Takes the container over; its capacity is what counts against the stream's bound.
  /// Throws std::bad_alloc, in which case the argument is unchanged.
  [[nodiscard]] static Chunk adopt(std::string&& bytes);
  /// As above.
  [[nodiscard]] static Chunk adopt(std::vector<std::byte>&& bytes);
  /// Memory of the caller, which stays valid and unchanged until `release` was called. Costs no
  /// allocation, here or in a stream, unless one stream sees more than a dozen different functions.
  [[nodiscard]] static Chunk borrow(std::span<const std::byte> bytes, Release release) noexcept {
    return Chunk(bytes, release);
  }
  /// The same with a callable, which is moved in and destroyed after the call. Throws
  /// std::bad_alloc, in which case it is not called.
  template <class F>
  requires std::is_nothrow_invocable_v<F&>
  [[nodiscard]] static Chunk borrow(std::span<const std::byte> bytes, F release) {
    auto held = std::make_unique<F>(std::move(release));
    Chunk chunk =
        borrow(bytes, Release{[](void* context) noexcept {
                                const std::unique_ptr<F> callable(static_cast<F*>(context));
                                (*callable)();
                              },
                              held.get()});
    held.release();
    return chunk;
  }

  /// Takes the bytes over; `other` has none then.
  Chunk(Chunk&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        bytes_(std::exchange(other.bytes_, {})),
        release_(std::exchange(other.release_, {})) {}
  /// Releases what it had, and takes the bytes over.
  Chunk& operator=(Chunk&& other) noexcept {
    if (this != &other) {
      reset();
      block_ = std::exchange(other.block_, nullptr);
      bytes_ = std::exchange(other.bytes_, {});
      release_ = std::exchange(other.release_, {});
    }
    return *this;
  }
  ~Chunk() { reset(); }

  /// The first byte.
  [[nodiscard]] const std::byte* data() const noexcept { return bytes_.data(); }
  /// The bytes.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
  /// Size in bytes.
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  /// Whether there are no bytes.
  [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }

 private:
  friend class StreamWriter;
  friend class PoolBlock;
  friend class SharedBytes;
  using Record = detail::BasicBlock<detail::SystemPolicy>;

  Chunk(Record* block, std::size_t size) noexcept : block_(block), bytes_(block->data, size) {}
  Chunk(std::span<const std::byte> bytes, Release release) noexcept
      : bytes_(bytes), release_(release) {}
  void reset() noexcept {
    if (block_ != nullptr) block_->destroy(block_, true);
    if (release_.function != nullptr) release_.function(release_.context);
    disown();
  }
  // The memory belongs to somebody else now.
  Record* disown() noexcept {
    bytes_ = {};
    release_ = {};
    return std::exchange(block_, nullptr);
  }
  // Makes a block of borrowed memory. Throws std::bad_alloc, in which case nothing has changed.
  void make_block();

  Record* block_ = nullptr;  // null: nothing, or borrowed memory
  std::span<const std::byte> bytes_;
  Release release_;  // of borrowed memory
};

}  // namespace forebay
