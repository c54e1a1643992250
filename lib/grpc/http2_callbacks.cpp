// SPDX-License-Identifier: Apache-2.0
// What nghttp2 calls, on behalf of an Http2Protocol.

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "http2_protocol.h"

namespace forebay::grpc {

namespace {

std::string_view text_of(const std::uint8_t* text, std::size_t size) {
  return {reinterpret_cast<const char*>(text), size};
}

bool ends_stream(const nghttp2_frame_hd& head) {
  return (head.type == NGHTTP2_HEADERS || head.type == NGHTTP2_DATA) &&
         (head.flags & NGHTTP2_FLAG_END_STREAM) != 0;
}

bool is_request(const nghttp2_frame& frame) {
  return frame.hd.type == NGHTTP2_HEADERS && frame.headers.cat == NGHTTP2_HCAT_REQUEST;
}

// nghttp2 is written in C: nothing may be thrown through it.
template <class F>
int guarded(F&& action) noexcept {
  try {
    std::forward<F>(action)();
    return 0;
  } catch (...) {
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }
}

struct FreeCallbacks {
  void operator()(nghttp2_session_callbacks* callbacks) const noexcept {
    nghttp2_session_callbacks_del(callbacks);
  }
};

}  // namespace

// An exception of one call ends that call, any other the connection.
struct Http2Protocol::Glue {
  static Http2Protocol& of(void* user) { return *static_cast<Http2Protocol*>(user); }

  template <class F>
  static int within_call(void* user, std::int32_t id, F&& action) noexcept {
    return guarded([&] {
      CallStream* const stream = of(user).find(id);
      if (stream == nullptr) return;
      try {
        std::forward<F>(action)(of(user), *stream);
      } catch (const std::exception& error) {
        of(user).give_up(*stream, {Status::resource_exhausted, error.what()});
      }
    });
  }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (!is_request(*frame)) return 0;
    return guarded([&] { of(user).begin_stream(frame->hd.stream_id); });
  }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                    std::size_t name_bytes, const std::uint8_t* value, std::size_t value_bytes,
                    std::uint8_t, void* user) {
    if (!is_request(*frame)) return 0;
    return within_call(user, frame->hd.stream_id, [&](Http2Protocol& protocol, CallStream& stream) {
      protocol.add_header(stream, text_of(name, name_bytes), text_of(value, value_bytes));
    });
  }

  static int begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* user) {
    Http2Protocol& protocol = of(user);
    // Padding would have to be told from data.
    const bool plain = head->type == NGHTTP2_DATA && (head->flags & NGHTTP2_FLAG_PADDED) == 0;
    protocol.data_stream_ = plain ? protocol.find(head->stream_id) : nullptr;
    protocol.data_left_ = head->length;
    return 0;
  }

  static int data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                  std::size_t size, void* user) {
    Http2Protocol& protocol = of(user);
    protocol.data_left_ -= std::min(size, protocol.data_left_);
    return within_call(user, id, [&](Http2Protocol&, CallStream& stream) {
      protocol.take_data(stream, {reinterpret_cast<const std::byte*>(data), size});
    });
  }

  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
      of(user).ping();
    }
    return within_call(user, frame->hd.stream_id, [&](Http2Protocol& protocol, CallStream& stream) {
      if (is_request(*frame)) protocol.open(stream);
      if (ends_stream(frame->hd)) protocol.half_close(stream);
    });
  }

  static int stream_closed(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    return guarded([&] { of(user).close(id); });
  }

  static std::ptrdiff_t frame_limit(nghttp2_session*, std::uint8_t, std::int32_t,
                                    std::int32_t connection_window, std::int32_t stream_window,
                                    std::uint32_t frame_bytes_max, void*) {
    return std::min<std::int64_t>({connection_window, stream_window, frame_bytes_max});
  }

  // Says how much data the next frame has; send_data() is called for it.
  static ssize_t read_data(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t length,
                           std::uint32_t* flags, nghttp2_data_source* source, void* user) {
    CallStream& stream = *static_cast<CallStream*>(source->ptr);
    if (stream.queued_bytes_ != 0) {
      *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
      stream.promised_bytes_ = std::min(length, stream.queued_bytes_);
      return static_cast<ssize_t>(stream.promised_bytes_);
    }
    if (!stream.status_) {
      stream.deferred_ = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return guarded([&] { of(user).submit_status(stream); });
  }

  static int send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* head,
                       std::size_t length, nghttp2_data_source* source, void* user) {
    constexpr std::size_t kFrameHeadBytes = 9;
    Http2Protocol& protocol = of(user);
    if (protocol.out_->bytes() >= protocol.out_bytes_max_) return NGHTTP2_ERR_WOULDBLOCK;
    return guarded([&] {
      CallStream& stream = *static_cast<CallStream*>(source->ptr);
      protocol.out_->copy(std::as_bytes(std::span(head, kFrameHeadBytes)));
      const std::size_t ended = stream.move_to(*protocol.out_, length);
      protocol.written_.insert(protocol.written_.end(), ended, stream.id_);
      protocol.ping_strikes_ = 0;
    });
  }

  static int frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_HEADERS) of(user).ping_strikes_ = 0;
    if (!ends_stream(frame->hd)) return 0;
    CallStream* const stream = of(user).find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    stream->ended_ = true;
    // Whoever has not closed his side need not send more for a call that has ended.
    if (stream->half_closed_) return 0;
    return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                     NGHTTP2_NO_ERROR);
  }
};

nghttp2_session_callbacks* Http2Protocol::callbacks() {
  static const std::unique_ptr<nghttp2_session_callbacks, FreeCallbacks> all = [] {
    nghttp2_session_callbacks* made = nullptr;
    if (nghttp2_session_callbacks_new(&made) != 0) throw std::bad_alloc();
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, Glue::begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(made, Glue::header);
    nghttp2_session_callbacks_set_on_begin_frame_callback(made, Glue::begin_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, Glue::data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, Glue::frame_received);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, Glue::stream_closed);
    nghttp2_session_callbacks_set_data_source_read_length_callback(made, Glue::frame_limit);
    nghttp2_session_callbacks_set_send_data_callback(made, Glue::send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(made, Glue::frame_sent);
    return std::unique_ptr<nghttp2_session_callbacks, FreeCallbacks>(made);
  }();
  return all.get();
}

nghttp2_data_provider Http2Protocol::provider_of(CallStream& stream) {
  return {{.ptr = &stream}, Glue::read_data};
}

}  // namespace forebay::grpc
