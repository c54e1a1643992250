// SPDX-License-Identifier: Apache-2.0

// Messages out of the bytes of a call, however these are cut.

#include "message_reader.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "outgoing_message.h"
#include "unit/core/support.h"
#include "unit/socket/arrow_frames.h"

namespace forebay::grpc::test {
namespace {

using forebay::test::ArrowStream;
using forebay::test::pattern;

constexpr std::size_t kBytesMax = std::size_t{8} << 20;

std::string framed(const std::string& data) {
  std::vector<Chunk> pieces;
  pieces.push_back(Chunk::copy_of(std::as_bytes(std::span(data))));
  const OutgoingMessage message = data_message(std::move(pieces), kBytesMax);
  return message.head + data;
}

std::string arrow_message(std::size_t body_bytes) {
  ArrowStream stream;
  stream.add_message(256, body_bytes);
  return std::string(stream.bytes());
}

std::string joined(const IncomingMessage& message) {
  std::string bytes = message.bytes;
  for (const Chunk& piece : message.pieces) {
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  return bytes;
}

// Gives the reader the bytes in pieces of these sizes, again and again, and straight into its room
// where it has some and `straight` is set.
std::vector<IncomingMessage> read(MessageReader& reader, const std::string& bytes,
                                  const std::vector<std::size_t>& sizes, bool straight) {
  const ReceiveBuffer buffer(new std::byte[bytes.size()]);
  std::memcpy(buffer.get(), bytes.data(), bytes.size());
  std::vector<IncomingMessage> messages;
  std::size_t at = 0;
  for (std::size_t turn = 0; at != bytes.size(); ++turn) {
    std::size_t left = std::min(sizes[turn % sizes.size()], bytes.size() - at);
    if (const auto room = reader.room(); straight && !room.empty()) {
      left = std::min(left, room.size());
      std::memcpy(room.data(), bytes.data() + at, left);
      reader.received(left);
      at += left;
      left = 0;
    }
    while (left != 0) {
      const std::size_t taken = reader.consume({buffer.get() + at, left}, buffer);
      at += taken;
      left -= taken;
      if (auto message = reader.take()) messages.push_back(*std::move(message));
      if (reader.fault() != MessageReader::Fault::none) return messages;
    }
    if (auto message = reader.take()) messages.push_back(*std::move(message));
  }
  return messages;
}

RC_GTEST_PROP(MessageReader, MessagesAreTheSameHoweverTheyAreCut, ()) {
  const auto placement = *rc::gen::element(Placement::slices, Placement::aligned);
  const bool straight = *rc::gen::arbitrary<bool>();
  const auto sizes = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::size_t>>(rc::gen::oneOf(
      rc::gen::inRange<std::size_t>(1, 20), rc::gen::inRange<std::size_t>(1, 100'000))));
  const auto bodies = *rc::gen::container<std::vector<std::size_t>>(
      rc::gen::element<std::size_t>(0, 8, 64, 1000, 70'000));
  std::vector<std::string> sent;
  std::string bytes;
  for (const std::size_t body : bodies) {
    sent.push_back(arrow_message(body));
    bytes += framed(sent.back());
    // Between them one that is no data.
    sent.emplace_back("\x0A\x02\x1A\x00", 4);
    bytes += control_message(sent.back()).head;
  }
  MessageReader reader(placement, kBytesMax);
  const auto messages = read(reader, bytes, sizes, straight);
  RC_ASSERT(messages.size() == sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    RC_ASSERT(joined(messages[i]) == sent[i]);
    RC_ASSERT(messages[i].data_bytes.has_value() == (i % 2 == 0));
    RC_ASSERT(messages[i].whole);
    if (placement == Placement::slices || i % 2 == 1) {
      RC_ASSERT(messages[i].gathered_bytes == 0u);
      continue;
    }
    const std::size_t body = bodies[i / 2];
    RC_ASSERT(messages[i].gathered_bytes <= body);
    RC_ASSERT(messages[i].pieces.size() == (body == 0 ? 1u : 2u));
    if (body != 0) {
      RC_ASSERT(messages[i].pieces.back().size() == body);
      RC_ASSERT(reinterpret_cast<std::uintptr_t>(messages[i].pieces.back().data()) % 64 == 0u);
    }
  }
}

TEST(MessageReader, LargeBodyIsReceivedStraightToItsPlace) {
  MessageReader reader(Placement::aligned, kBytesMax);
  const std::string sent = arrow_message(1 << 20);
  const auto messages = read(reader, framed(sent), {4096, 1 << 20}, true);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(joined(messages[0]), sent);
  EXPECT_LE(messages[0].gathered_bytes, 4096u);
}

TEST(MessageReader, DataThatIsNotOneWholeArrowMessageIsSaidToBeSo) {
  const std::string whole = arrow_message(1000);
  for (const std::string& data : {whole.substr(0, whole.size() - 8), whole + "x", whole + whole,
                                  std::string("no Arrow at all"), whole.substr(0, 3)}) {
    MessageReader reader(Placement::aligned, kBytesMax);
    const auto messages = read(reader, framed(data) + framed(whole), {50}, true);
    ASSERT_EQ(messages.size(), 2u);
    EXPECT_FALSE(messages[0].whole);
    EXPECT_TRUE(messages[0].pieces.empty());
    EXPECT_EQ(messages[0].data_bytes, data.size());
    // The next is none the worse for it.
    EXPECT_EQ(joined(messages[1]), whole);
  }
}

TEST(MessageReader, WhatIsAnnouncedBeyondTheLimitIsAFaultAtOnce) {
  MessageReader reader(Placement::aligned, 1000);
  const std::string bytes("\0\0\0\x03\xE9", 5);
  EXPECT_TRUE(read(reader, bytes, {1}, false).empty());
  EXPECT_EQ(reader.fault(), MessageReader::Fault::too_large);
  EXPECT_EQ(reader.announced_bytes(), 1001u);
}

TEST(MessageReader, CompressedMessageIsAFault) {
  MessageReader reader(Placement::slices, 1000);
  EXPECT_TRUE(read(reader, std::string("\1\0\0\0\1x", 6), {6}, false).empty());
  EXPECT_EQ(reader.fault(), MessageReader::Fault::compressed);
}

TEST(MessageReader, WithoutAPlacementNothingIsData) {
  MessageReader reader(std::nullopt, 1000);
  const auto messages = read(reader, framed("looks like data"), {7}, false);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_FALSE(messages[0].data_bytes);
  EXPECT_NE(messages[0].bytes.find("looks like data"), std::string::npos);
}

TEST(MessageReader, BodiesComeFromTheLeaseWhileItHasBlocks) {
  PoolOptions options;
  options.budget_bytes = options.large_block_bytes = std::size_t{2} << 20;
  const ChunkPool pool(options);
  PoolLease lease(pool, 0);
  MessageReader reader(Placement::aligned, kBytesMax);
  reader.set_lease(&lease);
  const std::string bytes = framed(arrow_message(1 << 20));
  std::vector<IncomingMessage> held;
  for (int i = 0; i < 4; ++i) {
    auto messages = read(reader, bytes, {bytes.size()}, false);
    ASSERT_EQ(messages.size(), 1u);
    held.push_back(std::move(messages[0]));
  }
  EXPECT_LE(pool.allocated_bytes(), options.budget_bytes);
  EXPECT_GE(pool.allocated_bytes(), std::size_t{1} << 20);
  for (const IncomingMessage& message : held) EXPECT_EQ(joined(message), joined(held[0]));
}

}  // namespace
}  // namespace forebay::grpc::test
