// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <utility>

#include "forebay/socket/receiver.h"
#include "forebay/stream.h"
#include "tpch/stream_feed.h"

namespace tpch {
namespace {

using forebay::socket::ReceiverOptions;

class SocketFeed final : public StreamFeed {
 public:
  SocketFeed(Descriptor socket, const ReceiverOptions& options)
      : receiver_(std::move(socket), options) {}

  FeedFigures figures() override {
    FeedFigures figures = StreamFeed::figures();
    const forebay::socket::ReceiverStats stats = receiver_.stats();
    figures.system_calls = stats.system_calls;
    figures.bodies_straight = stats.bodies_straight;
    figures.lends = stats.lends;
    return figures;
  }

 private:
  forebay::StreamReader& stream() override { return receiver_.reader(); }
  forebay::socket::SocketReceiver receiver_;
};

class MemoryFeed final : public StreamFeed {
 public:
  explicit MemoryFeed(std::span<const std::byte> bytes) : ends_(forebay::make_stream()) {
    // The bytes outlive the feed: there is nothing to release.
    const forebay::Release nothing{[](void*) noexcept {}, nullptr};
    ends_.writer.add_next_chunk(forebay::Chunk::borrow(bytes, nothing));
    ends_.writer.finish();
  }

 private:
  forebay::StreamReader& stream() override { return ends_.reader; }
  forebay::Stream ends_;
};

}  // namespace

std::unique_ptr<Feed> make_forebay_feed(Descriptor socket, ReceiverOptions options) {
  options.framing = forebay::Framing::arrow_ipc;
  return std::make_unique<SocketFeed>(std::move(socket), options);
}

std::unique_ptr<Feed> make_memory_feed(std::span<const std::byte> bytes) {
  return std::make_unique<MemoryFeed>(bytes);
}

}  // namespace tpch
