// SPDX-License-Identifier: Apache-2.0
#include "forebay/spark/gather_writer.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <system_error>

namespace forebay::spark {

namespace {

bool is_socket(int descriptor) noexcept {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

}  // namespace

GatherWriter::GatherWriter(const socket::Descriptor& to)
    : descriptor_(to.get()), is_socket_(is_socket(descriptor_)) {}

void GatherWriter::send(std::span<const std::span<const std::byte>> pieces) {
  constexpr std::size_t kPiecesMax = 256;
  static_assert(kPiecesMax <= IOV_MAX);
  std::array<iovec, kPiecesMax> vectors;
  std::size_t skip = 0;  // bytes of the first piece that were sent
  while (!pieces.empty()) {
    std::size_t used = 0;
    std::size_t size = 0;
    for (; used != std::min(pieces.size(), kPiecesMax); ++used) {
      const auto piece = pieces[used].subspan(used == 0 ? skip : 0);
      vectors[used] = {const_cast<std::byte*>(piece.data()), piece.size()};
      size += piece.size();
    }
    ssize_t sent = 0;
    if (size != 0) {
      ++system_calls_;
      if (is_socket_) {
        msghdr message{};
        message.msg_iov = vectors.data();
        message.msg_iovlen = used;
        sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
      } else {
        sent = ::writev(descriptor_, vectors.data(), static_cast<int>(used));
      }
      if (sent < 0) {
        if (errno == EINTR) continue;
        throw std::system_error(errno, std::system_category(), "send");
      }
    }
    bytes_ += static_cast<std::uint64_t>(sent);
    auto left = skip + static_cast<std::size_t>(sent);
    while (!pieces.empty() && left >= pieces.front().size()) {
      left -= pieces.front().size();
      pieces = pieces.subspan(1);
    }
    skip = left;
  }
}

}  // namespace forebay::spark
