// SPDX-License-Identifier: Apache-2.0

// ArrowFrameScanner: the same parts however the bytes come, and nothing believed that is not there.

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "forebay/framing.h"
#include "unit/core/support.h"
#include "unit/socket/arrow_frames.h"

namespace forebay::test {
namespace {

using Part = ArrowFrameScanner::Part;
constexpr std::size_t kWhole = std::size_t{1} << 30;

// Runs of bytes of one part, in order.
using Parts = std::vector<std::pair<Part, std::size_t>>;

// Consumes the bytes in chunks of the size; each call sees memory that ends where its bytes end.
Parts parts_of(std::string_view bytes, std::size_t chunk_bytes) {
  ArrowFrameScanner scanner;
  Parts parts;
  for (std::size_t at = 0; at < bytes.size(); at += chunk_bytes) {
    const std::string_view text = bytes.substr(at, chunk_bytes);
    const auto exact = std::make_unique<std::byte[]>(text.size());
    std::memcpy(exact.get(), text.data(), text.size());
    std::span<const std::byte> left(exact.get(), text.size());
    while (!left.empty()) {
      const Part part = scanner.part();
      const std::uint64_t before = scanner.left();
      const std::size_t taken = scanner.consume(left);
      EXPECT_GT(taken, 0u);
      EXPECT_LE(taken, before);
      if (parts.empty() || parts.back().first != part) parts.emplace_back(part, 0);
      parts.back().second += taken;
      left = left.subspan(taken);
    }
  }
  return parts;
}

ArrowStream some_stream(bool legacy = false) {
  ArrowStream stream(legacy);
  stream.add_message(304, 0);
  stream.add_message(248, 1024);
  stream.add_message(248, 8);
  stream.add_message(1000, 70'000);
  stream.add_end();
  return stream;
}

TEST(ArrowFrameScanner, AnyChunkingGivesTheSameParts) {
  for (const bool legacy : {false, true}) {
    const ArrowStream stream = some_stream(legacy);
    const std::size_t head = legacy ? 4 : 8;
    const Parts expected = {{Part::prefix, head}, {Part::metadata, 304},  //
                            {Part::prefix, head}, {Part::metadata, 248},  {Part::body, 1024},
                            {Part::prefix, head}, {Part::metadata, 248},  {Part::body, 8},
                            {Part::prefix, head}, {Part::metadata, 1000}, {Part::body, 70'000},
                            {Part::prefix, head}, {Part::opaque, 9}};
    const std::string bytes = std::string(stream.bytes()) + "and after";
    for (const std::size_t chunk_bytes : {std::size_t{1}, std::size_t{3}, std::size_t{7},
                                          std::size_t{64}, std::size_t{4096}, kWhole}) {
      EXPECT_EQ(parts_of(bytes, chunk_bytes), expected) << chunk_bytes << " legacy: " << legacy;
    }
  }
}

TEST(ArrowFrameScanner, EveryTruncationGivesThePartsUpToThere) {
  const ArrowStream stream = some_stream();
  const Parts all = parts_of(stream.bytes(), kWhole);
  for (std::size_t size = 0; size < 4000; ++size) {
    std::size_t sum = 0;
    const Parts parts = parts_of(stream.bytes().substr(0, size), 997);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      EXPECT_EQ(parts[i].first, all[i].first);
      sum += parts[i].second;
      if (i + 1 != parts.size()) {
        EXPECT_EQ(parts[i].second, all[i].second);
      }
    }
    EXPECT_EQ(sum, size);
  }
}

TEST(ArrowFrameScanner, ExactBytesNeverGoBeyondTheNextBody) {
  for (const bool legacy : {false, true}) {
    const ArrowStream stream = some_stream(legacy);
    ArrowFrameScanner scanner;
    std::string_view left = stream.bytes();
    std::size_t bodies = 0;
    while (!left.empty() && scanner.part() != Part::opaque) {
      const std::string_view next = left.substr(0, static_cast<std::size_t>(scanner.exact_bytes()));
      const bool body = scanner.part() == Part::body;
      std::span<const std::byte> bytes = bytes_of(next);
      while (!bytes.empty()) {
        // A body is never entered by bytes that were asked for before it.
        EXPECT_EQ(scanner.part() == Part::body, body);
        bytes = bytes.subspan(scanner.consume(bytes));
      }
      bodies += body ? 1 : 0;
      left.remove_prefix(next.size());
    }
    EXPECT_EQ(bodies, 3u);
  }
}

TEST(ArrowFrameScanner, BodiesMayBeReceivedElsewhere) {
  const ArrowStream stream = some_stream();
  ArrowFrameScanner scanner;
  std::string_view left = stream.bytes();
  while (!left.empty() && scanner.part() != Part::opaque) {
    std::size_t taken = 0;
    if (scanner.part() == Part::body) {
      taken = std::min<std::size_t>(1000, static_cast<std::size_t>(scanner.left()));
      scanner.consume_body(taken);
    } else {
      taken = scanner.consume(bytes_of(left));
    }
    left.remove_prefix(taken);
  }
  EXPECT_EQ(scanner.part(), Part::opaque);
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(scanner.last_body_bytes(), 70'000u);
}

TEST(ArrowFrameScanner, LengthsThatAreTooLargeAreNotFollowed) {
  const auto prefix = [](std::uint32_t length) {
    std::string bytes(4, '\xFF');
    bytes.append(reinterpret_cast<const char*>(&length), 4);
    return bytes;
  };
  constexpr auto kMax = static_cast<std::uint32_t>(ArrowFrameScanner::kMetadataBytesMax);
  for (const std::uint32_t length : {kMax + 1, 0x7FFFFFFFu, 0x80000000u, 0xFFFFFFFFu, 0u}) {
    ArrowFrameScanner scanner;
    const std::string bytes = prefix(length);
    scanner.consume(bytes_of(std::string_view(bytes).substr(0, 4)));
    scanner.consume(bytes_of(std::string_view(bytes).substr(4)));
    EXPECT_EQ(scanner.part(), Part::opaque) << length;
    EXPECT_EQ(scanner.exact_bytes(), std::numeric_limits<std::uint64_t>::max());
  }
  ArrowFrameScanner scanner;
  const std::string bytes = prefix(kMax);
  scanner.consume(bytes_of(std::string_view(bytes).substr(0, 4)));
  scanner.consume(bytes_of(std::string_view(bytes).substr(4)));
  EXPECT_EQ(scanner.part(), Part::metadata);
}

TEST(ArrowFrameScanner, NegativeBodyIsOpaqueAndAHugeOneIsABody) {
  for (const std::int64_t body :
       {std::int64_t{-1}, std::int64_t{-8}, std::numeric_limits<std::int64_t>::min()}) {
    ArrowStream stream;
    stream.add_announcement(64, body);
    EXPECT_EQ(parts_of(std::string(stream.bytes()) + "x", kWhole).back(),
              (std::pair<Part, std::size_t>(Part::opaque, 1)));
  }
  ArrowStream stream;
  stream.add_announcement(64, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parts_of(std::string(stream.bytes()) + "x", kWhole).back(),
            (std::pair<Part, std::size_t>(Part::body, 1)));
}

TEST(ArrowFrameScanner, RandomBytesAreFollowedWithoutHarm) {
  std::mt19937_64 random(1);
  const std::size_t rounds = kSanitized ? 3'000 : 20'000;
  const std::string streams[] = {std::string(some_stream(false).bytes().substr(0, 2000)),
                                 std::string(some_stream(true).bytes().substr(0, 2000))};
  for (std::size_t round = 0; round < rounds; ++round) {
    // Mostly valid, with some bytes changed: random bytes alone would end at the first length.
    std::string bytes = streams[round % 2];
    for (std::uint64_t i = random() % 8; i != 0; --i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    const std::size_t chunk_bytes = 1 + random() % 300;
    ASSERT_EQ(parts_of(bytes, chunk_bytes), parts_of(bytes, kWhole));
  }
}

// --- Metadata ------------------------------------------------------------------------------------

// In memory that ends where the metadata ends, so that a read beyond it is seen.
std::int64_t body_length(std::string_view metadata) {
  const auto exact = std::make_unique<std::byte[]>(metadata.size());
  if (!metadata.empty()) std::memcpy(exact.get(), metadata.data(), metadata.size());
  return arrow_body_length({exact.get(), metadata.size()});
}

template <class T>
std::string with(std::string metadata, std::size_t at, T value) {
  std::memcpy(metadata.data() + at, &value, sizeof value);
  return metadata;
}

TEST(ArrowBodyLength, IsReadFromTheMessage) {
  for (const std::int64_t length :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{1} << 62, std::int64_t{-1}}) {
    EXPECT_EQ(body_length(arrow_metadata(48, length)), length);
  }
}

TEST(ArrowBodyLength, FieldThatIsNotThereIs0) {
  const std::string metadata = arrow_metadata(48, 77);
  EXPECT_EQ(body_length(with(metadata, 18, std::uint16_t{0})), 0);
  EXPECT_EQ(body_length(with(metadata, 8, std::uint16_t{10})), 0);  // A shorter vtable.
  EXPECT_EQ(body_length(with(metadata, 8, std::uint16_t{0})), 0);
}

TEST(ArrowBodyLength, HostileOffsetsReadNothingOutside) {
  const std::string metadata = arrow_metadata(48, 77);
  for (const std::uint32_t table : {0xFFFFFFFFu, 0x80000000u, 48u, 47u, 45u}) {
    EXPECT_EQ(body_length(with(metadata, 0, table)), -1) << table;
  }
  for (const std::int32_t back : {std::numeric_limits<std::int32_t>::min(),
                                  std::numeric_limits<std::int32_t>::max(), 25, -21, -24}) {
    EXPECT_EQ(body_length(with(metadata, 24, back)), -1) << back;
  }
  for (const int field : {0xFFFF, 17, 24}) {
    EXPECT_EQ(body_length(with(metadata, 18, static_cast<std::uint16_t>(field))), -1) << field;
  }
  // The vtable claims to go on after the end.
  EXPECT_EQ(body_length(with(with(metadata, 24, std::int32_t{-16}), 40, std::uint16_t{0xFFFF})),
            -1);
}

TEST(ArrowBodyLength, EveryTruncationIsRefusedOrWhole) {
  const std::string metadata = arrow_metadata(48, 77);
  for (std::size_t size = 0; size <= metadata.size(); ++size) {
    EXPECT_EQ(body_length(std::string_view(metadata).substr(0, size)), size < 40 ? -1 : 77);
  }
}

TEST(ArrowBodyLength, RandomMetadataReadsNothingOutside) {
  std::mt19937_64 random(2);
  for (int round = 0; round < (kSanitized ? 20'000 : 200'000); ++round) {
    std::string metadata(random() % 64, '\0');
    // Small numbers, so that offsets often point inside.
    for (char& byte : metadata) byte = static_cast<char>(random() % (random() % 4 == 0 ? 256 : 24));
    if (metadata.size() >= 4) metadata[1] = metadata[2] = metadata[3] = 0;
    (void)body_length(metadata);
  }
}

}  // namespace
}  // namespace forebay::test
