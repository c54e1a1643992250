// SPDX-License-Identifier: Apache-2.0
#include "message_reader.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "forebay/error.h"

namespace forebay::grpc {

namespace {

constexpr std::align_val_t kBodyAlignment{64};
// To copy fewer bytes costs less than the buffer that they would hold.
constexpr std::size_t kShareBytesMin = std::size_t{4} << 10;
// A flag, and a big-endian length.
constexpr std::size_t kLengthBytes = 4;
// Marker and length of an Arrow message.
constexpr std::size_t kArrowPrefixBytes = 8;

}  // namespace

void MessageReader::Free::operator()(std::byte* memory) const noexcept {
  ::operator delete[](memory, kBodyAlignment);
}

std::size_t MessageReader::consume(std::span<const std::byte> bytes, const ReceiveBuffer& buffer) {
  std::size_t taken = 0;
  while (taken != bytes.size() && !complete_ && fault_ == Fault::none) {
    taken += step(bytes.subspan(taken), buffer);
    settle();
  }
  return taken;
}

std::size_t MessageReader::step(std::span<const std::byte> bytes, const ReceiveBuffer& buffer) {
  if (part_ == Part::prefix) return take_prefix(bytes);
  if (part_ == Part::head) return take_head(bytes);
  bytes = bytes.first(std::min(bytes.size(), left_));
  switch (part_) {
    case Part::arrow_head:
      return take_arrow_head(bytes);
    case Part::bytes:
      message_.bytes.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      break;
    case Part::slices:
      add_slice(bytes, buffer);
      break;
    case Part::body:
      std::memcpy(body_ + body_filled_, bytes.data(), bytes.size());
      body_filled_ += bytes.size();
      message_.gathered_bytes += bytes.size();
      break;
    default:
      break;
  }
  left_ -= bytes.size();
  return bytes.size();
}

std::size_t MessageReader::take_prefix(std::span<const std::byte> bytes) {
  const std::size_t taken = std::min(bytes.size(), prefix_.size() - prefix_filled_);
  std::copy_n(bytes.begin(), taken, prefix_.begin() + static_cast<std::ptrdiff_t>(prefix_filled_));
  prefix_filled_ += taken;
  if (prefix_filled_ != prefix_.size()) return taken;
  for (const std::byte byte : std::span(prefix_).last<kLengthBytes>()) {
    left_ = left_ << 8 | std::to_integer<std::size_t>(byte);
  }
  if (prefix_[0] != std::byte{0}) {
    fault_ = Fault::compressed;
  } else if (left_ > message_bytes_max_) {
    fault_ = Fault::too_large;
  } else {
    part_ = placement_ ? Part::head : Part::bytes;
  }
  return taken;
}

std::size_t MessageReader::take_head(std::span<const std::byte> bytes) {
  const std::size_t needed = std::min(head_.size(), left_);
  // Where it lies together, what comes behind the head stays where it is.
  if (head_filled_ == 0 && bytes.size() >= needed) {
    if (const auto offset = find_data(bytes.first(needed), left_)) {
      begin_data(*offset);
      left_ -= *offset;
      return *offset;
    }
    part_ = Part::bytes;
    return 0;
  }
  const std::size_t taken = std::min(bytes.size(), needed - head_filled_);
  std::copy_n(bytes.begin(), taken, head_.begin() + static_cast<std::ptrdiff_t>(head_filled_));
  head_filled_ += taken;
  if (head_filled_ != needed) return taken;
  std::span<const std::byte> head(head_.data(), needed);
  const auto offset = find_data(head, left_);
  if (offset) {
    begin_data(*offset);
    left_ -= *offset;
    head = head.subspan(*offset);
  } else {
    part_ = Part::bytes;
  }
  if (part_ == Part::slices) {
    add_slice(head, {});
    left_ -= head.size();
  } else {
    while (!head.empty() && part_ != Part::prefix) {
      head = head.subspan(step(head, {}));
      settle();
    }
  }
  return taken;
}

void MessageReader::begin_data(std::size_t offset) {
  message_.data_bytes = left_ - offset;
  if (placement_ == Placement::slices) {
    part_ = Part::slices;
  } else {
    scanner_.restart();
    part_ = Part::arrow_head;
  }
}

std::size_t MessageReader::take_arrow_head(std::span<const std::byte> bytes) {
  using ArrowPart = ArrowFrameScanner::Part;
  const std::size_t taken = scanner_.consume(bytes);
  arrow_head_.insert(arrow_head_.end(), bytes.begin(),
                     bytes.begin() + static_cast<std::ptrdiff_t>(taken));
  left_ -= taken;
  if (scanner_.part() == ArrowPart::opaque) {
    refuse();
  } else if (scanner_.part() == ArrowPart::body) {
    if (scanner_.left() == left_) {
      begin_body();
    } else {
      refuse();
    }
  } else if (scanner_.part() == ArrowPart::prefix && scanner_.exact_bytes() == kArrowPrefixBytes &&
             !arrow_head_.empty()) {
    // Back at the beginning: a message without a body.
    if (left_ == 0) {
      add_arrow_head();
    } else {
      refuse();
    }
  }
  return taken;
}

// A piece that is shared holds all of its buffer.
void MessageReader::add_slice(std::span<const std::byte> bytes, const ReceiveBuffer& buffer) {
  if (bytes.size() < kShareBytesMin) {
    small_.insert(small_.end(), bytes.begin(), bytes.end());
    message_.inlined_bytes += bytes.size();
    return;
  }
  add_small();
  message_.pieces.push_back(
      Chunk::borrow(bytes, [held = buffer]() mutable noexcept { held.reset(); }));
  shared_ = true;
}

void MessageReader::add_small() {
  if (!small_.empty()) message_.pieces.push_back(Chunk::adopt(std::exchange(small_, {})));
}

void MessageReader::add_arrow_head() {
  message_.pieces.push_back(Chunk::adopt(std::exchange(arrow_head_, {})));
}

void MessageReader::begin_body() {
  add_arrow_head();
  if (lease_ != nullptr) {
    try {
      block_ = lease_->acquire(left_, false);
    } catch (const LimitExceeded&) {
      // Larger than the pool's blocks: memory of its own.
    }
  }
  if (!block_) {
    own_.reset(static_cast<std::byte*>(::operator new[](left_, kBodyAlignment)));
  }
  body_ = block_ ? block_->data() : own_.get();
  body_filled_ = 0;
  last_body_bytes_ = left_;
  part_ = Part::body;
}

std::span<std::byte> MessageReader::room() const noexcept {
  if (part_ != Part::body || complete_) return {};
  return {body_ + body_filled_, left_};
}

void MessageReader::received(std::size_t count) {
  body_filled_ += count;
  left_ -= count;
  settle();
}

void MessageReader::refuse() {
  message_.whole = false;
  message_.pieces.clear();
  arrow_head_.clear();
  part_ = Part::refused;
}

// Ends the message when all of it is here.
void MessageReader::settle() {
  if (part_ == Part::prefix || left_ != 0 || complete_ || fault_ != Fault::none) return;
  if (part_ == Part::head) {
    // It has no bytes at all.
    if (head_filled_ != 0 || prefix_filled_ != prefix_.size()) return;
  } else if (part_ == Part::arrow_head && message_.pieces.empty()) {
    refuse();
  } else if (part_ == Part::slices) {
    add_small();
  } else if (part_ == Part::body) {
    if (block_) {
      message_.pieces.push_back(std::move(*block_).to_chunk(body_filled_));
      block_.reset();
    } else {
      message_.pieces.push_back(Chunk::borrow(
          {body_, body_filled_},
          Release{[](void* memory) noexcept { Free()(static_cast<std::byte*>(memory)); },
                  own_.release()}));
    }
  }
  complete_ = true;
}

std::optional<IncomingMessage> MessageReader::take() {
  if (!complete_) return std::nullopt;
  complete_ = false;
  part_ = Part::prefix;
  prefix_filled_ = head_filled_ = 0;
  arrow_head_.clear();
  return std::exchange(message_, {});
}

}  // namespace forebay::grpc
