// SPDX-License-Identifier: Apache-2.0
#include "output_queue.h"

#include <algorithm>
#include <utility>

namespace forebay::grpc {

void OutputQueue::copy(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  if (pieces_.empty() || pieces_.back().owner) pieces_.emplace_back();
  pieces_.back().copied.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  bytes_ += bytes.size();
}

void OutputQueue::share(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  if (bytes.empty()) return;
  pieces_.push_back({.shared = bytes, .owner = std::move(owner)});
  bytes_ += bytes.size();
}

std::size_t OutputQueue::peek(std::span<iovec> to) const noexcept {
  std::size_t count = 0;
  std::size_t skipped = skipped_;
  for (const Piece& piece : pieces_) {
    if (count == to.size()) break;
    const auto bytes = piece.bytes().subspan(std::exchange(skipped, 0));
    to[count++] = {const_cast<std::byte*>(bytes.data()), bytes.size()};
  }
  return count;
}

void OutputQueue::pop(std::size_t count) noexcept {
  bytes_ -= count;
  while (count != 0) {
    const std::size_t left = pieces_.front().bytes().size() - skipped_;
    if (count < left) {
      skipped_ += count;
      return;
    }
    count -= left;
    skipped_ = 0;
    pieces_.pop_front();
  }
}

void OutputQueue::clear() noexcept {
  pieces_.clear();
  skipped_ = bytes_ = 0;
}

}  // namespace forebay::grpc
