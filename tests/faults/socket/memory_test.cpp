// SPDX-License-Identifier: Apache-2.0

// One GiB through a process that may have 256 MiB (E9).

#include <gtest/gtest.h>

#include <algorithm>

#include "faults/support.h"

namespace forebay::test {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
constexpr std::size_t kPieces = 1024;
constexpr std::size_t kMemoryBytes = std::size_t{256} << 20;

class LimitedMemory : public EachMode {};

TEST_P(LimitedMemory, OfAQuarterOfTheStreamIsEnough) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's own memory would count against the limit";
  const std::string piece = pattern(kPieceBytes);
  Wire wire = socket_pair();
  const ReceiverOptions with_mode = options();
  Child receiving([&] {
    wire.far = {};
    const std::size_t peak_before = peak_resident_bytes();
    limit_memory(kMemoryBytes);
    SocketReceiver receiver(std::move(wire.near), with_mode);
    StreamReader& reader = receiver.reader();
    std::uint64_t at = 0;
    while (!reader.at_end()) {
      ByteView view = reader.read_some(SIZE_MAX);
      while (!view.empty()) {
        const std::size_t offset = static_cast<std::size_t>(at % kPieceBytes);
        const std::size_t size = std::min(view.size(), kPieceBytes - offset);
        if (std::memcmp(view.data(), piece.data() + offset, size) != 0) return 1;
        at += size;
        view = view.subview(size);
      }
    }
    const std::size_t grown = peak_resident_bytes() - peak_before;
    std::printf("received %llu MiB, the process grew by %zu MiB\n",
                static_cast<unsigned long long>(at >> 20), grown >> 20);
    std::fflush(stdout);
    return at == kPieceBytes * kPieces && grown < kMemoryBytes ? 0 : 2;
  });
  wire.near = {};
  for (std::size_t i = 0; i < kPieces; ++i) socket::send_all(wire.far, bytes_of(piece));
  wire.far = {};
  EXPECT_TRUE(receiving.succeeded());
}

FOREBAY_INSTANTIATE_MODES(LimitedMemory);

}  // namespace
}  // namespace forebay::test
