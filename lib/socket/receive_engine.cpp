// SPDX-License-Identifier: Apache-2.0
#include "receive_engine.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace forebay::socket {

namespace {

using forebay::detail::relaxed;
using forebay::detail::Slice;
using forebay::detail::StreamAccess;
using forebay::detail::Wait;
using Part = FrameScanner::Part;

// A rest of a bulk block that is smaller is not worth a system call.
constexpr std::size_t kRoomBytesMin = 4096;
// Of a body; blocks are aligned no worse.
constexpr std::size_t kBodyAlignment = 64;
// Blocks that a stream on a shared pool always gets: one fills, one is read, one is on its way.
constexpr std::size_t kReservedBlocks = 3;

std::shared_ptr<ChunkPool> pool_for(const StreamOptions& options) {
  if (options.pool != nullptr) return options.pool;
  PoolOptions limits;
  // One block more than the stream may hold is lingering or on its way back.
  limits.budget_bytes =
      options.max_bytes + (kReservedBlocks + 1) * PoolLease::charge_for(limits.large_block_bytes);
  return std::make_shared<ChunkPool>(limits);
}

std::shared_ptr<FrameScanner> scanner_for(const ReceiverOptions& options) {
  if (options.scanner != nullptr) return options.scanner;
  if (options.framing == Framing::none) return nullptr;
  return std::make_shared<ArrowFrameScanner>();
}

bool is_socket(const Descriptor& descriptor) {
  if (!descriptor) throw std::invalid_argument("SocketReceiver: no descriptor");
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(descriptor.get(), SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

// Relaxed: one writer, and readers that want no more than a figure.
void count(auto& counter, std::uint64_t by = 1) noexcept {
  counter.store(counter.load(relaxed) + by, relaxed);
}

}  // namespace

ReceiveEngine::ReceiveEngine(Descriptor descriptor, const ReceiverOptions& options,
                             StreamWriter writer)
    : descriptor_(std::move(descriptor)),
      is_socket_(is_socket(descriptor_)),
      straight_bytes_min_(options.straight_bytes_min),
      pool_(pool_for(options.stream)),
      lease_(*pool_, kReservedBlocks * PoolLease::charge_for(pool_->options().block_bytes)),
      writer_(std::move(writer)),
      core_(StreamAccess::core(writer_)),
      scanner_(scanner_for(options)) {}

ReceiveEngine::~ReceiveEngine() {
  if (ended_) return;
  std::exception_ptr error;
  try {
    throw Abandoned();
  } catch (...) {
    error = std::current_exception();  // Or the lack of memory for its text.
  }
  end(std::move(error));
}

void ReceiveEngine::interrupt() noexcept {
  interrupt_.raise();
  lease_.interrupt();
  // Ends a receive that waits in the kernel, which polls nothing.
  if (is_socket_) ::shutdown(descriptor_.get(), SHUT_RD);
}

void ReceiveEngine::add_to(ReceiverStats& stats) const noexcept {
  // Relaxed: figures.
  stats.system_calls += system_calls_.load(relaxed);
  stats.bodies_straight += bodies_straight_.load(relaxed);
  stats.bytes_straight += bytes_straight_.load(relaxed);
}

ReceiveEngine::Step ReceiveEngine::step(const Wait& wait, Starving starving) {
  if (ended_) return Step::ended;
  try {
    // Also looks whether the stream was cancelled.
    if (const Step room = make_room(wait, starving); room != Step::progress) {
      return room == Step::ended ? end(nullptr) : room;
    }
    told_ = kNothing;
    std::size_t received = 0;
    if (body_.block != nullptr) {
      const auto left = static_cast<std::size_t>(scanner_->left());
      const Step step = receive(body_.free(), left, true, wait, received);
      if (step == Step::progress && received != 0) received_straight(received);
      if (step != Step::progress || received != 0) return step;
    } else {
      const bool whole = exact() && scanner_->part() == Part::metadata;
      const std::uint64_t wanted = exact() ? scanner_->exact_bytes() : SIZE_MAX;
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(bulk_.room(), wanted));
      const Step step = receive(bulk_.free(), size, whole, wait, received);
      if (step == Step::progress && received != 0) received_bulk(received);
      if (step != Step::progress || received != 0) return step;
    }
    return end(nullptr);  // The peer's end.
  } catch (...) {
    return end(std::current_exception());
  }
}

// --- Memory --------------------------------------------------------------------------------------

// Whether a body begins that deserves a block of its own.
bool ReceiveEngine::wants_straight() const noexcept {
  return scanner_ != nullptr && !refused_straight_ && scanner_->at_body() &&
         scanner_->left() >= straight_bytes_min_ &&
         scanner_->left() <= pool_->options().large_block_bytes;
}

// Whether to receive no further than the next body: the bodies are large, as far as is known.
bool ReceiveEngine::exact() const noexcept {
  if (scanner_ == nullptr || scanner_->part() == Part::opaque) return false;
  const std::uint64_t expected = scanner_->expected_body_bytes();
  return expected == 0 || expected >= straight_bytes_min_;
}

bool ReceiveEngine::may_wait_for(std::size_t lack, const Wait& wait,
                                 Starving starving) const noexcept {
  return wait.allowed && (starving == Starving::waits || told_ == lack);
}

ReceiveEngine::Step ReceiveEngine::make_room(const Wait& wait, Starving starving) {
  // A slot of the ring for what this step publishes.
  if (const Step slot = room_for(0, wait, starving); slot != Step::progress) return slot;
  if (body_.block != nullptr) return Step::progress;
  if (wants_straight()) {
    const Step step = obtain(body_, static_cast<std::size_t>(scanner_->left()), wait, starving);
    if (step != Step::would_block) return step;
    refused_straight_ = true;  // The shared pool is in use: bulk blocks will do.
  }
  if (place_body()) {
    if (const Step slot = room_for(0, wait, starving); slot != Step::progress) return slot;
  }
  if (bulk_.block != nullptr) return Step::progress;
  Step step = obtain(bulk_, pool_->options().block_bytes, wait, starving);
  if (step == Step::would_block) {
    told_ = kPool;
    step = Step::starved;
  }
  return step;
}

// Makes a body that begins, and goes into a bulk block, lie there whole and aligned, where that can
// be. Whether that took the slot of the ring.
bool ReceiveEngine::place_body() {
  if (bulk_.block == nullptr || scanner_ == nullptr || !scanner_->at_body()) return false;
  const std::size_t aligned = (bulk_.filled + kBodyAlignment - 1) & ~(kBodyAlignment - 1);
  const std::uint64_t body = scanner_->left();
  if (aligned + body > bulk_.block->capacity_bytes) {
    if (body > pool_->options().block_bytes) return false;  // Cut in any case.
    seal_bulk();
    return true;
  }
  const bool unpublished = bulk_.filled != bulk_.published;
  if (unpublished) publish(bulk_, false);
  bulk_.filled = bulk_.published = aligned;
  return unpublished;
}

// Charges the stream for a block, then takes it from the pool. would_block: the pool has none now.
ReceiveEngine::Step ReceiveEngine::obtain(Filling& into, std::size_t bytes, const Wait& wait,
                                          Starving starving) {
  const std::size_t charge = PoolLease::charge_for(bytes);
  if (!core_.writer.has_room(charge)) {
    // The reader may need the bytes of a half-filled block to be done with it.
    seal_bulk();
    if (const Step room = room_for(charge, wait, starving); room != Step::progress) {
      return room;
    }
  }
  std::optional<PoolBlock> block = lease_.acquire(bytes, false);
  if (!block) {
    if (&into == &body_) return Step::would_block;
    core_.writer.declare_pool_starved();
    const bool may_wait = may_wait_for(kPool, wait, starving);
    block = lease_.acquire(bytes, may_wait, wait.deadline, wait.stop);
    if (block) core_.writer.fed();
    if (!block && !may_wait) return Step::would_block;
  }
  if (!block) {
    if (core_.is_cancelled()) return Step::ended;
    return wait.stop.stop_requested() ? Step::stopped : Step::timed_out;
  }
  into = {.block = std::move(*block).release()};
  core_.writer.charge(into.block);
  return Step::progress;
}

ReceiveEngine::Step ReceiveEngine::room_for(std::size_t bytes, const Wait& wait,
                                            Starving starving) {
  const bool may_wait = may_wait_for(bytes, wait, starving);
  switch (core_.writer.wait_for_room(bytes, may_wait ? wait : Wait::none())) {
    case PushStatus::ok:
      return Step::progress;
    case PushStatus::would_block:
      told_ = bytes;
      return Step::starved;
    case PushStatus::timed_out:
      return Step::timed_out;
    case PushStatus::stopped:
      return Step::stopped;
    default:
      return Step::ended;
  }
}

// --- The system call -----------------------------------------------------------------------------

// `all`: the bytes are of use only together. `received` stays 0 at the peer's end.
ReceiveEngine::Step ReceiveEngine::receive(std::byte* to, std::size_t size, bool all,
                                           const Wait& wait, std::size_t& received) {
  const bool may_sleep_in_call =
      is_socket_ && wait.allowed && wait.deadline.is_never() && !wait.stop.stop_possible();
  bool ready = false;
  for (;;) {
    ssize_t result = -1;
    if (is_socket_) {
      const int flags = !may_sleep_in_call ? MSG_DONTWAIT : all ? MSG_WAITALL : 0;
      count(system_calls_);
      result = ::recv(descriptor_.get(), to, size, flags);
    } else if (ready) {
      count(system_calls_);
      result = ::read(descriptor_.get(), to, size);
    } else {
      errno = EAGAIN;
    }
    if (result >= 0) {
      received = static_cast<std::size_t>(result);
      return Step::progress;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      throw std::system_error(errno, std::system_category(), "receive");
    }
    const Deadline until =
        wait.allowed ? wait.deadline : Deadline::after(Deadline::clock::duration(0));
    switch (detail::wait_ready(descriptor_.get(), POLLIN, until, wait.stop, &interrupt_)) {
      case WaitStatus::ready:
        ready = true;
        continue;
      case WaitStatus::timed_out:
        return wait.allowed ? Step::timed_out : Step::would_block;
      case WaitStatus::stopped:
        return core_.is_cancelled() ? end(nullptr) : Step::stopped;
    }
  }
}

// --- Publishing ----------------------------------------------------------------------------------

void ReceiveEngine::received_straight(std::size_t size) {
  body_.filled += size;
  scanner_->consume_body(size);
  count(bytes_straight_, size);
  if (scanner_->part() == Part::body) return;
  count(bodies_straight_);
  publish(body_, true);
}

void ReceiveEngine::received_bulk(std::size_t size) {
  const bool was_exact = exact();
  std::span<const std::byte> bytes(bulk_.free(), size);
  bulk_.filled += size;  // Before the scanner, which may throw: what was received is delivered.
  if (scanner_ != nullptr) {
    while (!bytes.empty()) {
      bytes = bytes.subspan(scanner_->consume(bytes));
      if (scanner_->part() == Part::prefix) refused_straight_ = false;
    }
  }
  // A part of a message's head is of no use to anybody.
  const bool in_head = was_exact && scanner_->part() == Part::metadata;
  // The rest of a body that has room here is not cut off, however small the room.
  const bool body_fits =
      scanner_ != nullptr && scanner_->part() == Part::body && scanner_->left() <= bulk_.room();
  const bool full = bulk_.room() < kRoomBytesMin && !body_fits;
  if (!in_head || full) publish(bulk_, full);
}

void ReceiveEngine::publish(Filling& from, bool seal) {
  const std::size_t size = from.filled - from.published;
  core_.writer.publish(
      Slice{from.block->data + from.published, size | (seal ? Slice::kSealed : 0), {from.block}},
      size);
  from.published = from.filled;
  if (seal) from = {};
}

// Lets go of the bulk block, so that the reader can be done with it. Needs a slot of the ring.
void ReceiveEngine::seal_bulk() {
  if (bulk_.block == nullptr) return;
  if (bulk_.filled == 0) {
    release(bulk_);
  } else {
    publish(bulk_, true);
  }
}

void ReceiveEngine::release(Filling& filling) noexcept {
  if (filling.block != nullptr) core_.writer.abandon(filling.block);
  filling = {};
}

// Ends the stream after all that was received. make_room() has seen to a slot of the ring.
ReceiveEngine::Step ReceiveEngine::end(std::exception_ptr error) {
  if (ended_) return Step::ended;
  ended_ = true;
  const bool slot = core_.writer.has_room(0);
  if (body_.filled != 0 && slot) {
    publish(body_, true);
  } else if (bulk_.filled != bulk_.published && slot) {
    publish(bulk_, false);
  }
  release(body_);
  if (bulk_.block != nullptr && bulk_.published == 0) release(bulk_);
  core_.writer.end(std::move(error), std::exchange(bulk_, {}).block);
  return Step::ended;
}

}  // namespace forebay::socket
