// SPDX-License-Identifier: Apache-2.0
#include "message.h"

#include <grpc/slice.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

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

Chunk chunk_of(const ::grpc::Slice& slice, std::size_t begin) {
  const auto bytes = bytes_of(slice).subspan(begin);
  const grpc_slice counted = slice.c_slice();  // one more reference
  // gRPC keeps a few bytes inside of their handle.
  if (counted.refcount == nullptr) return Chunk::copy_of(bytes);
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

void ReceivedMessage::to_chunks(std::size_t offset, std::vector<Chunk>& to) && {
  for (const auto& slice : slices_) {
    const std::size_t skipped = std::min(offset, slice.size());
    offset -= skipped;
    if (skipped != slice.size()) to.push_back(chunk_of(slice, skipped));
  }
}

::grpc::ByteBuffer data_buffer(std::vector<Chunk> pieces, std::size_t size) {
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

::grpc::ByteBuffer control_buffer(const std::string& bytes) {
  const ::grpc::Slice slice(bytes.data(), bytes.size());
  return {&slice, 1};
}

}  // namespace forebay::grpc
