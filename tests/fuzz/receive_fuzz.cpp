// SPDX-License-Identifier: Apache-2.0

// SocketReceiver on any bytes that claim to be an Arrow stream: the reader gets them all, in order,
// and then the end, however they were sent; whole bodies of large size lie in one aligned block;
// and every byte of the pool comes back.

#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <system_error>
#include <vector>

#include "forebay/forebay.h"
#include "forebay/socket/receiver.h"
#include "fuzz/arrow_layout.h"
#include "fuzz/fuzz.h"

namespace forebay::fuzz {
namespace {

// So small that inputs of a few hundred bytes use every limit.
constexpr std::size_t kBlockBytes = 4096;
constexpr std::size_t kLargeBlockBytes = 16 * 1024;
constexpr std::size_t kStraightBytesMin = 128;
constexpr std::size_t kBoundBytes = 64 * 1024;

PoolOptions pool_options() {
  PoolOptions options;
  options.block_bytes = kBlockBytes;
  options.large_block_bytes = kLargeBlockBytes;
  options.budget_bytes = 4 * kBoundBytes;
  return options;
}

// One connection, and the receiver at its end.
class Session {
 public:
  explicit Session(const std::shared_ptr<ChunkPool>& pool)
      : receiver_(connect(), options(pool)), reader_(receiver_.reader()) {}

  void send(std::span<const std::byte> bytes) {
    FOREBAY_FUZZ_REQUIRE(bytes.empty() ||
                         ::send(far_.get(), bytes.data(), bytes.size(),
                                MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(bytes.size()));
  }
  void close() { far_ = socket::Descriptor(); }
  StreamReader& reader() { return reader_; }
  [[nodiscard]] socket::ReceiverStats stats() const { return receiver_.stats(); }

 private:
  socket::Descriptor connect() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
      throw std::system_error(errno, std::system_category(), "socketpair");
    }
    far_ = socket::Descriptor(ends[1]);
    return socket::Descriptor(ends[0]);
  }
  static socket::ReceiverOptions options(const std::shared_ptr<ChunkPool>& pool) {
    socket::ReceiverOptions options;
    options.mode = socket::ReceiveMode::inline_;
    options.framing = Framing::arrow_ipc;
    options.straight_bytes_min = kStraightBytesMin;
    options.stream.max_bytes = kBoundBytes;
    options.stream.gather_bytes_max = kBoundBytes;
    options.stream.max_items = 64;
    options.stream.retention_grace = std::chrono::nanoseconds(0);
    options.stream.spin_max = std::chrono::nanoseconds(0);
    options.stream.pool = pool;
    return options;
  }

  socket::Descriptor far_;
  socket::SocketReceiver receiver_;
  StreamReader& reader_;
};

// Sends part after part, and after each reads what has come.
void in_parts(Session& session, std::span<const std::byte> bytes, Random random) {
  std::size_t at = 0;
  const auto take = [&](ByteView view) {
    FOREBAY_FUZZ_REQUIRE(view.size() <= bytes.size() - at);
    FOREBAY_FUZZ_REQUIRE(std::memcmp(view.data(), bytes.data() + at, view.size()) == 0);
    at += view.size();
  };
  // True at the end of the stream.
  const auto drain = [&] {
    for (;;) {
      const std::size_t wanted = 1 + random.below(std::uint64_t{2} << random.below(14));
      ReadResult result = session.reader().try_read(wanted);
      if (result.status == ReadStatus::ok) {
        take(result.view);
        continue;
      }
      FOREBAY_FUZZ_REQUIRE(result.view.empty() && result.available < wanted);
      if (result.status == ReadStatus::would_block && result.available == 0) return false;
      if (result.status == ReadStatus::end && result.available == 0) return true;
      FOREBAY_FUZZ_REQUIRE(result.status == ReadStatus::would_block ||
                           result.status == ReadStatus::end);
      result = session.reader().try_read(result.available);
      FOREBAY_FUZZ_REQUIRE(result.status == ReadStatus::ok);
      take(result.view);
    }
  };
  Cutter cutter(bytes, random);
  for (auto part = cutter.next(); !part.empty(); part = cutter.next()) {
    session.send(part);
    // Half of the time, so that parts also meet in the socket.
    if (random.below(2) == 0) FOREBAY_FUZZ_REQUIRE(!drain());
  }
  session.close();
  FOREBAY_FUZZ_REQUIRE(drain());
  FOREBAY_FUZZ_REQUIRE(at == bytes.size());
}

// Sends everything and reads message by message, as a deserializer does.
void by_messages(Session& session, std::span<const std::byte> bytes, const Layout& layout) {
  session.send(bytes);
  session.close();
  std::size_t at = 0;
  bool all_large = true;
  const auto read = [&](std::size_t size) {
    const ByteView view = session.reader().read(size);
    FOREBAY_FUZZ_REQUIRE(std::memcmp(view.data(), bytes.data() + at, size) == 0);
    at += size;
    return view;
  };
  std::uint64_t straight = 0;
  for (const Message& message : layout.messages) {
    const std::uint64_t end = message.body + message.body_bytes;
    if (message.body > bytes.size() || message.body_bytes > bytes.size() || end > bytes.size()) {
      break;
    }
    (void)read(message.body - at);
    if (message.body_bytes == 0) continue;
    all_large &= message.body_bytes >= kStraightBytesMin;
    const ByteView body = read(static_cast<std::size_t>(message.body_bytes));
    if (!all_large || message.body_bytes > kLargeBlockBytes) continue;
    FOREBAY_FUZZ_REQUIRE(reinterpret_cast<std::uintptr_t>(body.data()) % 64 == 0);
    FOREBAY_FUZZ_REQUIRE(session.stats().bodies_straight == ++straight);
  }
  const ByteView rest = session.reader().read_all();
  FOREBAY_FUZZ_REQUIRE(text_of(rest) == text_of(bytes.subspan(at)));
  FOREBAY_FUZZ_REQUIRE(session.reader().at_end());
}

}  // namespace
}  // namespace forebay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace forebay::fuzz;
  static const auto pool = std::make_shared<forebay::ChunkPool>(pool_options());
  // What a socket takes without waiting.
  const auto bytes = bytes_of(data, std::min<std::size_t>(size, 48 * 1024));
  {
    Session session(pool);
    in_parts(session, bytes, random_of(bytes));
  }
  {
    Session session(pool);
    by_messages(session, bytes, layout_of(bytes));
  }
  FOREBAY_FUZZ_REQUIRE(pool->available_bytes() == 4 * kBoundBytes);
  return 0;
}
