// SPDX-License-Identifier: Apache-2.0
#include "call_stream.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <span>
#include <utility>

#include "http2_protocol.h"

namespace forebay::grpc {

namespace {

// To copy so few bytes costs less than a piece of their own.
constexpr std::size_t kCopyBytesMax = 512;

}  // namespace

void CallStream::send(OutgoingMessage message) {
  if (broken_ || status_) return;
  const std::size_t size = message.size();
  messages_.push_back({std::make_shared<const OutgoingMessage>(std::move(message)), size, 0, 0});
  queued_bytes_ += size;
  protocol_.submit_answer(*this);
}

void CallStream::finish(Status status) {
  if (broken_ || status_) return;
  status_ = std::move(status);
  protocol_.submit_answer(*this);
}

void CallStream::set_reading(bool reading) {
  reading_ = reading;
  if (!reading_ || uncredited_bytes_ == 0) return;
  nghttp2_session_consume_stream(protocol_.session_, id_, std::exchange(uncredited_bytes_, 0));
}

std::size_t CallStream::move_to(OutputQueue& out, std::size_t count) {
  std::size_t ended = 0;
  queued_bytes_ -= count;
  promised_bytes_ = 0;
  while (count != 0) {
    Sending& sending = messages_.front();
    const OutgoingMessage& message = *sending.message;
    const auto bytes = sending.piece == 0 ? std::as_bytes(std::span(message.head))
                                          : message.pieces[sending.piece - 1].bytes();
    const auto part = bytes.subspan(sending.at, std::min(count, bytes.size() - sending.at));
    if (sending.piece == 0 || bytes.size() <= kCopyBytesMax) {
      out.copy(part);
    } else {
      out.share(part, sending.message);
    }
    count -= part.size();
    sending.left -= part.size();
    sending.at += part.size();
    if (sending.at == bytes.size()) {
      ++sending.piece;
      sending.at = 0;
    }
    if (sending.left == 0) {
      messages_.pop_front();
      ++ended;
    }
  }
  return ended;
}

void CallStream::drop_messages() {
  queued_bytes_ = promised_bytes_;
  if (queued_bytes_ == 0) messages_.clear();
}

}  // namespace forebay::grpc
