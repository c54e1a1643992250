// SPDX-License-Identifier: Apache-2.0
#include "http2_protocol.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace forebay::grpc {

namespace {

// What one DATA frame may hold.
constexpr std::size_t kFrameBytesMax = std::size_t{1} << 20;
// It is nobody's bound: see the head of the header.
constexpr std::int32_t kConnectionWindowBytes = 1 << 30;
// A body of so many bytes is received straight into its place.
constexpr std::size_t kStraightBytesMin = std::size_t{8} << 10;
// Received elsewhere: the head of a message with a little of its body, or many small messages.
constexpr std::size_t kHeadBytesAhead = std::size_t{4} << 10;
// Resets are how engines cancel, and every engine is this user's or this machine's.
constexpr std::uint64_t kResetBurst = 100'000;
constexpr std::uint64_t kResetsPerSecond = 10'000;
// As gRPC's servers have it.
constexpr int kPingStrikesMax = 2;
// What each header field counts besides its bytes (RFC 9113, 6.5.2).
constexpr std::size_t kFieldBytes = 32;

nghttp2_nv field(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

// The text of a status as a header ("Percent-Encoded" in gRPC's protocol), cut to what every client
// takes.
std::string percent_encoded(const std::string& text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  constexpr std::size_t kBytesMax = 1024;
  std::string encoded;
  for (const char letter : text) {
    if (encoded.size() >= kBytesMax) break;
    const auto code = static_cast<unsigned char>(letter);
    if (code >= 0x20 && code < 0x7F && letter != '%') {
      encoded += letter;
    } else {
      encoded += {'%', kDigits[code >> 4], kDigits[code & 0xF]};
    }
  }
  return encoded;
}

// "Timeout" in gRPC's protocol: at most eight digits and a unit.
Deadline deadline_in(std::string_view timeout) {
  std::uint32_t count = 0;
  const char* const end = timeout.data() + timeout.size();
  const auto [at, error] = std::from_chars(timeout.data(), end, count);
  if (error != std::errc() || end - at != 1 || timeout.size() > 9) return Deadline::never();
  switch (*at) {
    case 'H':
      return Deadline::after(std::chrono::hours(count));
    case 'M':
      return Deadline::after(std::chrono::minutes(count));
    case 'S':
      return Deadline::after(std::chrono::seconds(count));
    case 'm':
      return Deadline::after(std::chrono::milliseconds(count));
    case 'u':
      return Deadline::after(std::chrono::microseconds(count));
    case 'n':
      return Deadline::after(std::chrono::nanoseconds(count));
    default:
      return Deadline::never();
  }
}

struct FreeOption {
  void operator()(nghttp2_option* option) const noexcept { nghttp2_option_del(option); }
};

}  // namespace

Http2Protocol::Http2Protocol(const Http2Limits& limits, OpenCall open)
    : limits_(limits), open_(std::move(open)) {
  nghttp2_option* made = nullptr;
  if (nghttp2_option_new(&made) != 0) throw std::bad_alloc();
  const std::unique_ptr<nghttp2_option, FreeOption> option(made);
  nghttp2_option_set_no_auto_window_update(made, 1);
  nghttp2_option_set_no_closed_streams(made, 1);
  // Engines call us by the path of a socket, which is no valid authority.
  nghttp2_option_set_no_http_messaging(made, 1);
  nghttp2_option_set_stream_reset_rate_limit(made, kResetBurst, kResetsPerSecond);
  if (nghttp2_session_server_new2(&session_, callbacks(), this, made) != 0) {
    throw std::bad_alloc();
  }
  const std::array settings{
      nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                             static_cast<std::uint32_t>(limits.streams_max)},
      nghttp2_settings_entry{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindowBytes},
      nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kFrameBytesMax},
      nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
                             static_cast<std::uint32_t>(limits.metadata_bytes_max)}};
  if (nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) != 0 ||
      nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                            kConnectionWindowBytes) != 0) {
    nghttp2_session_del(session_);
    throw std::bad_alloc();
  }
}

Http2Protocol::~Http2Protocol() { nghttp2_session_del(session_); }

// --- Receiving -----------------------------------------------------------------------------------

void Http2Protocol::receive(std::span<const std::byte> bytes, const ReceiveBuffer& buffer,
                            Clock::time_point now) {
  if (failed_ || bytes.empty()) return;
  buffer_ = &buffer;
  now_ = now;
  const ssize_t taken = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  buffer_ = nullptr;
  if (taken != static_cast<ssize_t>(bytes.size())) failed_ = true;
}

std::span<std::byte> Http2Protocol::room(std::shared_ptr<Call>& holder) const {
  if (data_stream_ == nullptr || data_stream_->broken_ || !data_stream_->call_) return {};
  const auto room = data_stream_->call_->reader.room();
  const std::size_t bytes = std::min(room.size(), data_left_);
  if (bytes < kStraightBytesMin) return {};
  holder = data_stream_->call_;
  return room.first(bytes);
}

std::size_t Http2Protocol::bytes_ahead() const noexcept {
  return last_body_bytes_ >= 2 * kStraightBytesMin ? kHeadBytesAhead : SIZE_MAX;
}

CallStream* Http2Protocol::find(std::int32_t id) noexcept {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

void Http2Protocol::begin_stream(std::int32_t id) {
  streams_.emplace(id, std::make_unique<CallStream>(*this, id));
}

void Http2Protocol::add_header(CallStream& stream, std::string_view name, std::string_view value) {
  stream.metadata_bytes_ += name.size() + value.size() + kFieldBytes;
  if (stream.metadata_bytes_ > limits_.metadata_bytes_max) return;
  if (name == ":method") {
    stream.method_ = value;
  } else if (name == ":path") {
    stream.path_ = value;
  } else if (name == "content-type") {
    stream.content_type_ = value;
  } else if (name == "grpc-timeout") {
    stream.deadline_ = deadline_in(value);
    next_deadline_ = std::min(next_deadline_, stream.deadline_);
  }
}

void Http2Protocol::open(CallStream& stream) {
  if (stream.broken_) return;  // out of time before its headers were complete
  if (stream.metadata_bytes_ > limits_.metadata_bytes_max) {
    return stream.finish({Status::resource_exhausted,
                          "LimitExceeded: " + std::to_string(stream.metadata_bytes_) +
                              " bytes of metadata, at most " +
                              std::to_string(limits_.metadata_bytes_max) + " are taken"});
  }
  if (stream.method_ != "POST") return refuse_request(stream, "405");
  if (!stream.content_type_.starts_with("application/grpc")) return refuse_request(stream, "415");
  stream.call_ = open_(stream);
}

void Http2Protocol::half_close(CallStream& stream) {
  if (std::exchange(stream.half_closed_, true)) return;
  if (stream.call_ && !stream.broken_) stream.call_->on_half_closed();
}

void Http2Protocol::take_data(CallStream& stream, std::span<const std::byte> bytes) {
  nghttp2_session_consume_connection(session_, bytes.size());
  if (stream.broken_ || !stream.call_) {
    nghttp2_session_consume_stream(session_, stream.id_, bytes.size());
    return;
  }
  if (stream.reading_) {
    nghttp2_session_consume_stream(session_, stream.id_, bytes.size());
  } else {
    stream.uncredited_bytes_ += bytes.size();
  }
  MessageReader& reader = stream.call_->reader;
  if (const auto room = reader.room(); !room.empty() && room.data() == bytes.data()) {
    reader.received(bytes.size());
    return deliver(stream);
  }
  while (!bytes.empty() && !stream.broken_) {
    bytes = bytes.subspan(reader.consume(bytes, *buffer_));
    buffer_is_shared_ = reader.take_shared() || buffer_is_shared_;
    deliver(stream);
  }
}

void Http2Protocol::deliver(CallStream& stream) {
  MessageReader& reader = stream.call_->reader;
  last_body_bytes_ = reader.last_body_bytes();
  switch (reader.fault()) {
    case MessageReader::Fault::none:
      break;
    case MessageReader::Fault::compressed:
      return give_up(stream, {Status::unimplemented, "Unsupported: a compressed message"});
    case MessageReader::Fault::too_large:
      return give_up(stream,
                     {Status::resource_exhausted,
                      "LimitExceeded: a message of " + std::to_string(reader.announced_bytes()) +
                          " bytes, at most " + std::to_string(reader.bytes_max()) + " are taken"});
  }
  if (auto message = reader.take()) stream.call_->on_message(*std::move(message));
}

void Http2Protocol::ping() {
  const bool early = now_ - last_ping_ < limits_.ping_interval_min;
  last_ping_ = now_;
  if (!early || ++ping_strikes_ <= kPingStrikesMax) return;
  // By these words gRPC's clients know that they should ping less.
  constexpr std::string_view kWhy = "too_many_pings";
  nghttp2_submit_goaway(
      session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
      NGHTTP2_ENHANCE_YOUR_CALM, reinterpret_cast<const std::uint8_t*>(kWhy.data()), kWhy.size());
  nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
}

void Http2Protocol::close(std::int32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const std::unique_ptr<CallStream> stream = std::move(found->second);
  streams_.erase(found);
  if (data_stream_ == stream.get()) data_stream_ = nullptr;
  if (!stream->call_) return;
  if (!stream->ended_ && !std::exchange(stream->broken_, true)) {
    try {
      stream->call_->on_broken();
    } catch (const std::bad_alloc&) {
      // It has to hear of its end all the same.
    }
  }
  stream->broken_ = true;
  stream->call_->on_closed();
}

void Http2Protocol::give_up(CallStream& stream, Status status) {
  if (stream.broken_) return;
  // A status would come behind what the engine takes, which may be nothing for ever.
  const bool is_stuck = stream.queued_bytes_ != 0 ||
                        nghttp2_session_get_remote_window_size(session_) <= 0 ||
                        nghttp2_session_get_stream_remote_window_size(session_, stream.id_) <= 0;
  stream.drop_messages();
  if (is_stuck) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, NGHTTP2_CANCEL);
  } else if (!stream.status_) {
    stream.status_ = std::move(status);
    submit_answer(stream);
  }
  stream.broken_ = true;
  if (stream.call_) stream.call_->on_broken();
}

// --- Sending -------------------------------------------------------------------------------------

// Begins the answer, or lets it go on.
void Http2Protocol::submit_answer(CallStream& stream) {
  if (std::exchange(stream.answered_, true)) {
    if (std::exchange(stream.deferred_, false)) nghttp2_session_resume_data(session_, stream.id_);
    return;
  }
  const std::array fields{field(":status", "200"), field("content-type", "application/grpc")};
  const nghttp2_data_provider provider = provider_of(stream);
  if (nghttp2_submit_response(session_, stream.id_, fields.data(), fields.size(), &provider) != 0) {
    throw std::bad_alloc();
  }
}

void Http2Protocol::refuse_request(CallStream& stream, const char* http_status) {
  const std::array fields{field(":status", http_status)};
  stream.answered_ = stream.broken_ = true;
  if (nghttp2_submit_response(session_, stream.id_, fields.data(), fields.size(), nullptr) != 0) {
    throw std::bad_alloc();
  }
}

void Http2Protocol::submit_status(CallStream& stream) {
  const std::string code = std::to_string(stream.status_->code);
  const std::string text = percent_encoded(stream.status_->text);
  const std::array fields{field("grpc-status", code), field("grpc-message", text)};
  const std::size_t count = text.empty() ? 1 : fields.size();
  if (nghttp2_submit_trailer(session_, stream.id_, fields.data(), count) != 0) {
    throw std::bad_alloc();
  }
}

void Http2Protocol::fill(OutputQueue& out, std::size_t bytes_max) {
  out_ = &out;
  out_bytes_max_ = bytes_max;
  bool more = true;
  while (more && out.bytes() < bytes_max) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session_, &bytes);
    if (count < 0) {
      failed_ = cannot_send_ = true;
      break;
    }
    out.copy(std::as_bytes(std::span(bytes, static_cast<std::size_t>(count))));
    more = count != 0 || !written_.empty();
    for (const std::int32_t id : std::exchange(written_, {})) {
      CallStream* const stream = find(id);
      if (stream != nullptr && stream->call_ && !stream->broken_) stream->call_->on_written();
    }
  }
  out_ = nullptr;
}

bool Http2Protocol::over() const {
  return failed_ ||
         (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0);
}

// --- The end -------------------------------------------------------------------------------------

void Http2Protocol::go_away() {
  if (std::exchange(going_away_, true)) return;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

void Http2Protocol::end() {
  failed_ = true;
  while (!streams_.empty()) close(streams_.begin()->first);
}

void Http2Protocol::expire(Clock::time_point now) {
  if (now < next_deadline_.when()) return;
  next_deadline_ = Deadline::never();
  for (const auto& [id, stream] : streams_) {
    if (stream->broken_ || stream->status_) continue;
    if (stream->deadline_.when() <= now) {
      give_up(*stream, {Status::deadline_exceeded, "DeadlineExceeded: the engine's own"});
    } else {
      next_deadline_ = std::min(next_deadline_, stream->deadline_);
    }
  }
}

}  // namespace forebay::grpc
