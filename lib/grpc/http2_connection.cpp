// SPDX-License-Identifier: Apache-2.0
#include "http2_connection.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <new>
#include <system_error>
#include <utility>

namespace forebay::grpc {

namespace {

constexpr std::size_t kBufferBytes = std::size_t{64} << 10;
// What is taken out of the calls before it is sent.
constexpr std::size_t kOutBytesMax = std::size_t{512} << 10;
constexpr std::size_t kPiecesMax = 64;
// What one thread sends at a time.
constexpr std::size_t kTurnBytesMax = std::size_t{1} << 20;

socket::Descriptor make_wake() {
  socket::Descriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) throw std::system_error(errno, std::system_category(), "eventfd");
  return wake;
}

bool is_for_later(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

Http2Connection::Http2Connection(socket::Descriptor descriptor, const Http2Limits& limits,
                                 const Open& open)
    : wake_(make_wake()),
      descriptor_(std::move(descriptor)),
      protocol_(limits,
                [this, open](CallStream& stream) { return open(stream, shared_from_this()); }),
      buffer_(new std::byte[kBufferBytes]),
      ahead_bytes_(kBufferBytes) {}

void Http2Connection::run() {
  {
    std::unique_lock lock(mutex_);
    send(lock);
  }
  try {
    while (receive()) {
    }
  } catch (const std::bad_alloc&) {
    // Without memory the connection ends.
  }
  std::shared_ptr<Call> held;  // goes without the lock
  std::unique_lock lock(mutex_);
  over_ = true;
  held = std::move(held_);
  protocol_.end();
  changed_.wait(lock, [this] { return !sending_; });
  out_.clear();
  descriptor_ = socket::Descriptor();
  wake_ = socket::Descriptor();
  changed_.notify_all();
}

// Takes what there is, or waits for it. False at the end.
bool Http2Connection::receive() {
  std::array<iovec, 2> parts{{{room_.data(), room_.size()}, {buffer_.get(), ahead_bytes_}}};
  msghdr message{};
  message.msg_iov = room_.empty() ? &parts[1] : parts.data();
  message.msg_iovlen = room_.empty() ? 1 : 2;
  const ssize_t got = ::recvmsg(descriptor_.get(), &message, MSG_DONTWAIT);
  if (got == 0 || (got < 0 && !is_for_later(errno))) return false;
  const auto now = Http2Protocol::Clock::now();
  std::shared_ptr<Call> held;  // goes without the lock
  std::unique_lock lock(mutex_);
  if (got > 0) {
    const auto count = static_cast<std::size_t>(got);
    const std::size_t straight = std::min(count, room_.size());
    protocol_.receive(room_.first(straight), buffer_, now);
    protocol_.receive({buffer_.get(), count - straight}, buffer_, now);
    if (protocol_.take_shared()) buffer_.reset(new std::byte[kBufferBytes]);
  }
  protocol_.expire(now);
  send(lock);
  // What is blocked looks for its room even while there is always something to receive.
  if (got < 0 || blocked_) wait(lock, got < 0);
  if (over_ || (protocol_.over() && out_.empty())) return false;
  held = std::exchange(held_, nullptr);
  room_ = protocol_.room(held_);
  ahead_bytes_ = std::min(protocol_.bytes_ahead(), kBufferBytes);
  return true;
}

// Until there may be something to receive, to send or to expire; or looks whether there is.
void Http2Connection::wait(std::unique_lock<std::mutex>& lock, bool may_block) {
  const short writable = blocked_ ? POLLOUT : 0;
  std::array<pollfd, 2> ready{
      {{descriptor_.get(), static_cast<short>(POLLIN | writable), 0}, {wake_.get(), POLLIN, 0}}};
  int timeout_ms = may_block ? -1 : 0;
  if (const Deadline deadline = protocol_.next_deadline(); may_block && !deadline.is_never()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline.when() - Http2Protocol::Clock::now());
    timeout_ms = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, INT_MAX));
  }
  waiting_ = true;
  lock.unlock();
  (void)::poll(ready.data(), ready.size(), timeout_ms);
  std::uint64_t times = 0;
  if (ready[1].revents != 0) (void)!::read(wake_.get(), &times, sizeof times);
  lock.lock();
  waiting_ = false;
  if (blocked_ && (ready[0].revents & ~POLLIN) != 0) {
    blocked_ = false;
    send(lock);
  }
}

void Http2Connection::send(std::unique_lock<std::mutex>& lock) noexcept {
  if (sending_ || blocked_ || over_) return;
  sending_ = true;
  try {
    for (std::size_t sent = 0; !over_ && !blocked_;) {
      protocol_.fill(out_, kOutBytesMax);
      if (protocol_.cannot_send()) over_ = true;
      if (over_ || out_.empty()) break;
      sent += send_some(lock);
      // Who came by is not kept: the connection's thread goes on.
      if (sent >= kTurnBytesMax) blocked_ = true;
    }
  } catch (...) {
    over_ = true;
  }
  if (over_) out_.clear();
  if (out_.empty() && protocol_.over()) over_ = true;
  sending_ = false;
  // Its thread waits for nothing else than what the peer or this tells it.
  if (over_) ::shutdown(descriptor_.get(), SHUT_RDWR);
  if (blocked_ && waiting_) {
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
  }
  changed_.notify_all();
}

std::size_t Http2Connection::send_some(std::unique_lock<std::mutex>& lock) {
  std::array<iovec, kPiecesMax> pieces;
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = out_.peek(pieces);
  lock.unlock();
  const ssize_t sent = ::sendmsg(descriptor_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  const int error = errno;
  lock.lock();
  if (sent >= 0) {
    out_.pop(static_cast<std::size_t>(sent));
    return static_cast<std::size_t>(sent);
  }
  if (error == EAGAIN || error == EWOULDBLOCK) {
    blocked_ = true;
  } else if (error != EINTR) {
    over_ = true;
  }
  return 0;
}

void Http2Connection::stop() {
  const std::lock_guard lock(mutex_);
  if (descriptor_) ::shutdown(descriptor_.get(), SHUT_RDWR);
}

void Http2Connection::go_away() {
  std::unique_lock lock(mutex_);
  protocol_.go_away();
  send(lock);
}

void Http2Connection::wait_settled(Deadline deadline) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline.when(),
                      [this] { return over_ || (!protocol_.has_streams() && out_.empty()); });
}

}  // namespace forebay::grpc
