// SPDX-License-Identifier: Apache-2.0
#pragma once

// What receives: finds memory, makes one system call, publishes. Used by one thread at a time, the
// one that holds the receiving role.

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "forebay/chunk_pool.h"
#include "forebay/framing.h"
#include "forebay/socket/detail/ready.h"
#include "forebay/socket/receiver.h"
#include "forebay/stream.h"

namespace forebay::socket {

class ReceiveEngine {
 public:
  enum class Step : std::uint8_t {
    progress,
    would_block,  // nothing to receive, and waiting was not allowed
    starved,      // no room within the bound, and it was not to be waited for
    timed_out,
    stopped,
    ended,  // the stream has ended or was cancelled
  };

  // What to do without room.
  enum class Starving : std::uint8_t {
    waits,
    // Says so first, and waits when the same is lacking in the next step. For a caller that may be
    // the only one who can give back what is lacking, or who knows that nobody will.
    told_first,
  };

  ReceiveEngine(Descriptor descriptor, const ReceiverOptions& options, StreamWriter writer);
  ReceiveEngine(const ReceiveEngine&) = delete;
  ReceiveEngine& operator=(const ReceiveEngine&) = delete;
  ~ReceiveEngine();

  /// Receives once. `wait` is for bytes, and for room as `starving` says.
  Step step(const forebay::detail::Wait& wait, Starving starving);

  /// Any thread: makes a step that waits for bytes end, now and in future.
  void interrupt() noexcept;

  [[nodiscard]] const Descriptor& descriptor() const noexcept { return descriptor_; }
  // Any thread: figures.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return core_.writer.bytes_in(); }
  void add_to(ReceiverStats& stats) const noexcept;

 private:
  using Record = forebay::detail::BasicBlock<forebay::detail::SystemPolicy>;
  using Counter = forebay::detail::SystemPolicy::atomic<std::uint64_t>;

  // A block that is being filled.
  struct Filling {
    Record* block = nullptr;
    std::size_t published = 0;  // bytes that the reader has been given
    std::size_t filled = 0;     // bytes that were received

    [[nodiscard]] std::size_t room() const noexcept { return block->capacity_bytes - filled; }
    [[nodiscard]] std::byte* free() const noexcept { return block->data + filled; }
  };

  [[nodiscard]] bool wants_straight() const noexcept;
  [[nodiscard]] bool exact() const noexcept;
  [[nodiscard]] bool may_wait_for(std::size_t lack, const forebay::detail::Wait& wait,
                                  Starving starving) const noexcept;
  [[nodiscard]] Step make_room(const forebay::detail::Wait& wait, Starving starving);
  [[nodiscard]] Step obtain(Filling& into, std::size_t bytes, const forebay::detail::Wait& wait,
                            Starving starving);
  [[nodiscard]] Step room_for(std::size_t bytes, const forebay::detail::Wait& wait,
                              Starving starving);
  [[nodiscard]] Step receive(std::byte* to, std::size_t size, bool all,
                             const forebay::detail::Wait& wait, std::size_t& received);
  void received_straight(std::size_t size);
  void received_bulk(std::size_t size);
  void publish(Filling& from, bool seal);
  void seal_bulk();
  [[nodiscard]] bool place_body();
  Step end(std::exception_ptr error);
  void release(Filling& filling) noexcept;

  Descriptor descriptor_;
  detail::Interrupt interrupt_;
  const bool is_socket_;
  const std::size_t straight_bytes_min_;
  std::shared_ptr<ChunkPool> pool_;
  PoolLease lease_;
  StreamWriter writer_;
  forebay::detail::SystemCore& core_;
  // Null: bytes without announced lengths.
  std::shared_ptr<FrameScanner> scanner_;
  Filling bulk_;
  Filling body_;
  bool refused_straight_ = false;  // the present body did not get a block of its own
  bool ended_ = false;
  // What was lacking when a step said starved, until that was found: bytes of room, or one of
  // these.
  static constexpr std::size_t kNothing = SIZE_MAX;
  static constexpr std::size_t kPool = SIZE_MAX - 1;
  std::size_t told_ = kNothing;
  Counter system_calls_{0};
  Counter bodies_straight_{0};
  Counter bytes_straight_{0};
};

}  // namespace forebay::socket
