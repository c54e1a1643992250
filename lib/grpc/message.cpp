// SPDX-License-Identifier: Apache-2.0
#include "message.h"

#include <grpc/slice.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "forebay/framing.h"
#include "wire.h"

namespace forebay::grpc {

namespace {

// To copy so few bytes costs less than a record of who owns them.
constexpr std::size_t kCopyBytesMax = 512;

std::span<const std::byte> bytes_of(const ::grpc::Slice& slice) {
  return {reinterpret_cast<const std::byte*>(slice.begin()), slice.size()};
}

// A slice is held by its count alone; whoever lets go needs no more of it.
void unref(void* context) noexcept {
  grpc_slice slice{};
  slice.refcount = static_cast<grpc_slice_refcount*>(context);
  grpc_slice_unref(slice);
}

Chunk chunk_of(const ::grpc::Slice& slice, std::size_t begin, std::size_t end, Copies& copies) {
  const auto bytes = bytes_of(slice).subspan(begin, end - begin);
  const grpc_slice counted = slice.c_slice();  // one more reference
  if (counted.refcount == nullptr) {
    copies.inlined += bytes.size();
    return Chunk::copy_of(bytes);
  }
  return Chunk::borrow(bytes, Release{unref, counted.refcount});
}

::grpc::Slice slice_of(Chunk chunk) {
  const auto bytes = chunk.bytes();
  auto held = std::make_unique<Chunk>(std::move(chunk));
  ::grpc::Slice slice(
      const_cast<std::byte*>(bytes.data()), bytes.size(),
      [](void* context) { delete static_cast<Chunk*>(context); }, held.get());
  held.release();
  return slice;
}

}  // namespace

ReceivedMessage::ReceivedMessage(::grpc::ByteBuffer& buffer) {
  if (!buffer.Dump(&slices_).ok()) slices_.clear();
  buffer.Clear();
  for (const auto& slice : slices_) size_ += slice.size();
}

std::optional<std::size_t> ReceivedMessage::data_offset() const {
  std::array<std::byte, kDataHeadBytesMax> head;
  std::size_t filled = 0;
  for (const auto& slice : slices_) {
    const auto bytes = bytes_of(slice).first(std::min(slice.size(), head.size() - filled));
    std::copy(bytes.begin(), bytes.end(), head.begin() + static_cast<std::ptrdiff_t>(filled));
    filled += bytes.size();
    if (filled == head.size()) break;
  }
  return find_data(std::span(head).first(filled), size_);
}

std::string ReceivedMessage::to_string() const {
  std::string bytes;
  bytes.reserve(size_);
  for (const auto& slice : slices_) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

void ReceivedMessage::add_chunks(std::size_t begin, std::size_t end, std::deque<Chunk>& to,
                                 Copies& copies) {
  std::size_t at = 0;
  for (const auto& slice : slices_) {
    const std::size_t first = std::max(begin, at);
    const std::size_t last = std::min(end, at + slice.size());
    if (first < last) to.push_back(chunk_of(slice, first - at, last - at, copies));
    at += slice.size();
  }
}

void ReceivedMessage::to_chunks(std::size_t offset, std::deque<Chunk>& to, Copies& copies) && {
  add_chunks(offset, size_, to, copies);
}

std::optional<std::size_t> ReceivedMessage::arrow_head_bytes(std::size_t offset) const {
  constexpr std::size_t kPrefixBytes = 8;
  using Part = ArrowFrameScanner::Part;
  ArrowFrameScanner scanner;
  const std::size_t size = size_ - offset;
  std::size_t head = 0;
  std::size_t at = 0;
  for (const auto& slice : slices_) {
    auto bytes = bytes_of(slice);
    const std::size_t skipped = std::min(bytes.size(), offset - std::min(offset, at));
    at += bytes.size();
    bytes = bytes.subspan(skipped);
    while (!bytes.empty()) {
      const std::size_t taken = scanner.consume(bytes);
      head += taken;
      bytes = bytes.subspan(taken);
      if (scanner.part() == Part::opaque) return std::nullopt;
      if (scanner.part() == Part::body) {
        if (scanner.left() != size - head) return std::nullopt;
        return head;
      }
      // Back at the beginning: the message had no body.
      if (scanner.part() == Part::prefix && scanner.exact_bytes() == kPrefixBytes) {
        if (head != size) return std::nullopt;
        return head;
      }
    }
  }
  return std::nullopt;
}

bool ReceivedMessage::to_aligned_chunks(std::size_t offset, PoolLease& lease, std::deque<Chunk>& to,
                                        Copies& copies) && {
  const auto head = arrow_head_bytes(offset);
  if (!head) return false;
  const std::size_t begin = offset + *head;
  add_chunks(offset, begin, to, copies);
  const std::size_t body_bytes = size_ - begin;
  if (body_bytes == 0) return true;
  std::optional<PoolBlock> block;
  try {
    block = lease.acquire(body_bytes, false);
  } catch (const LimitExceeded&) {
    // Larger than the pool's blocks: memory of its own.
  }
  std::unique_ptr<std::byte[], void (*)(std::byte*)> own(
      nullptr, [](std::byte* memory) { ::operator delete[](memory, std::align_val_t{64}); });
  if (!block) {
    own.reset(static_cast<std::byte*>(::operator new[](body_bytes, std::align_val_t{64})));
  }
  std::byte* const memory = block ? block->data() : own.get();
  std::size_t at = 0;
  std::size_t filled = 0;
  for (const auto& slice : slices_) {
    const std::size_t skipped = std::min(slice.size(), begin - std::min(begin, at));
    const std::size_t size = slice.size() - skipped;
    if (size != 0) std::memcpy(memory + filled, slice.begin() + skipped, size);
    filled += size;
    at += slice.size();
  }
  copies.gathered += filled;
  if (block) {
    to.push_back(std::move(*block).to_chunk(filled));
  } else {
    to.push_back(Chunk::borrow(
        {memory, filled},
        Release{[](void* context) noexcept { ::operator delete[](context, std::align_val_t{64}); },
                own.release()}));
  }
  return true;
}

::grpc::ByteBuffer data_message(std::vector<Chunk> pieces, std::size_t size) {
  std::vector<::grpc::Slice> slices;
  std::string small = data_head(size);
  const auto flush = [&] {
    if (!small.empty()) slices.emplace_back(small.data(), small.size());
    small.clear();
  };
  for (Chunk& piece : pieces) {
    if (piece.size() <= kCopyBytesMax) {
      small.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    } else {
      flush();
      slices.push_back(slice_of(std::move(piece)));
    }
  }
  flush();
  return {slices.data(), slices.size()};
}

::grpc::ByteBuffer control_message(const std::string& bytes) {
  const ::grpc::Slice slice(bytes.data(), bytes.size());
  return {&slice, 1};
}

}  // namespace forebay::grpc
