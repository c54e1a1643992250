// SPDX-License-Identifier: Apache-2.0

// The server's half of a connection, with nghttp2's client as its peer and no socket between them.

#include "http2_protocol.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "outgoing_message.h"

namespace forebay::grpc::test {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

// What a call heard, in words.
class Recorder final : public Call {
 public:
  Recorder(CallStream& its, std::size_t message_bytes_max)
      : Call(std::nullopt, message_bytes_max), stream(&its) {}
  void on_message(IncomingMessage message) override {
    bytes += message.bytes.size();
    heard += "message ";
    if (answer) stream->send(control_message(message.bytes));
  }
  void on_half_closed() override { heard += "half-closed "; }
  void on_broken() override { heard += "broken "; }
  void on_written() override { heard += "written "; }
  void on_closed() override {
    heard += "closed ";
    stream = nullptr;
  }

  CallStream* stream;
  std::string heard;
  std::size_t bytes = 0;
  bool answer = false;
};

// A client, its server, and what they have said to each other.
class Pair {
 public:
  explicit Pair(std::size_t message_bytes_max = 1 << 20)
      : server_({.streams_max = 100,
                 .metadata_bytes_max = 2000,
                 .ping_interval_min = std::chrono::seconds(10)},
                [this, message_bytes_max](CallStream& stream) {
                  call = std::make_shared<Recorder>(stream, message_bytes_max);
                  return call;
                }) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_bytes, const std::uint8_t* value, std::size_t value_bytes,
                      std::uint8_t, void* user) {
          (void)frame;
          of(user).fields[std::string(reinterpret_cast<const char*>(name), name_bytes)] =
              std::string(reinterpret_cast<const char*>(value), value_bytes);
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t, const std::uint8_t* bytes,
                      std::size_t size, void* user) {
          of(user).data.append(reinterpret_cast<const char*>(bytes), size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, std::int32_t, std::uint32_t code, void* user) {
          of(user).closed_with = static_cast<int>(code);
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
          if (frame->hd.type == NGHTTP2_GOAWAY) {
            of(user).away_with = static_cast<int>(frame->goaway.error_code);
          }
          return 0;
        });
    nghttp2_session_client_new(&client_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(client_, NGHTTP2_FLAG_NONE, nullptr, 0);
    talk();
  }
  ~Pair() {
    server_.end();
    nghttp2_session_del(client_);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  static Fields request(Fields more = {}) {
    Fields all{{":method", "POST"}, {":scheme", "http"},
               {":path", "/a.B/C"}, {":authority", "%2Ftmp%2Fw.sock"},
               {"te", "trailers"},  {"content-type", "application/grpc"}};
    for (auto& field : more) all.push_back(std::move(field));
    return all;
  }

  // Opens a stream; what it sends is given to send().
  void open(const Fields& all) {
    std::vector<nghttp2_nv> made;
    for (const auto& [name, value] : all) {
      made.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                      reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
                      value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    const nghttp2_data_provider provider{
        {.ptr = this},
        [](nghttp2_session*, std::int32_t, std::uint8_t* to, std::size_t length,
           std::uint32_t* flags, nghttp2_data_source* source, void*) -> ssize_t {
          Pair& pair = *static_cast<Pair*>(source->ptr);
          if (pair.unsent_.empty() && pair.half_close_) *flags |= NGHTTP2_DATA_FLAG_EOF;
          if (pair.unsent_.empty()) return pair.half_close_ ? 0 : NGHTTP2_ERR_DEFERRED;
          const std::size_t size = std::min(length, pair.unsent_.size());
          std::memcpy(to, pair.unsent_.data(), size);
          pair.unsent_.erase(0, size);
          return static_cast<ssize_t>(size);
        }};
    id = nghttp2_submit_request(client_, nullptr, made.data(), made.size(), &provider, nullptr);
    talk();
  }
  void send(const std::string& bytes, bool half_close = false) {
    unsent_ += bytes;
    half_close_ = half_close;
    nghttp2_session_resume_data(client_, id);
    talk();
  }
  void reset() {
    nghttp2_submit_rst_stream(client_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    talk();
  }
  void ping() {
    nghttp2_submit_ping(client_, NGHTTP2_FLAG_NONE, nullptr);
    talk();
  }

  // Until neither has more to say.
  void talk() {
    const ReceiveBuffer buffer(new std::byte[1 << 16]);
    for (bool more = true; more;) {
      more = false;
      const std::uint8_t* bytes = nullptr;
      while (const ssize_t size = nghttp2_session_mem_send(client_, &bytes)) {
        ASSERT_GT(size, 0);
        std::memcpy(buffer.get(), bytes, static_cast<std::size_t>(size));
        server_.receive({buffer.get(), static_cast<std::size_t>(size)}, buffer, now);
        more = true;
      }
      OutputQueue out;
      server_.fill(out, 1 << 16);
      more = !out.empty() || more;
      deliver(out);
    }
  }
  // Gives the client what the queue has.
  void deliver(OutputQueue& out) {
    while (!out.empty()) {
      iovec piece;
      ASSERT_EQ(out.peek({&piece, 1}), 1u);
      nghttp2_session_mem_recv(client_, static_cast<const std::uint8_t*>(piece.iov_base),
                               piece.iov_len);
      out.pop(piece.iov_len);
    }
  }
  [[nodiscard]] std::size_t unsent() const { return unsent_.size(); }
  Http2Protocol& server() { return server_; }

  std::shared_ptr<Recorder> call;
  Http2Protocol::Clock::time_point now{};
  std::int32_t id = 0;
  std::map<std::string, std::string> fields;
  std::string data;
  int closed_with = -1;
  int away_with = -1;

 private:
  static Pair& of(void* user) { return *static_cast<Pair*>(user); }

  Http2Protocol server_;
  nghttp2_session* client_ = nullptr;
  std::string unsent_;
  bool half_close_ = false;
};

std::string message(std::size_t size) { return control_message(std::string(size, 'x')).head; }

TEST(Http2, CallGoesFromItsRequestToItsStatus) {
  Pair pair;
  pair.open(Pair::request());
  ASSERT_TRUE(pair.call);
  EXPECT_EQ(pair.call->stream->path(), "/a.B/C");
  pair.call->answer = true;
  pair.send(message(10), true);
  EXPECT_EQ(pair.call->heard, "message half-closed written ");
  EXPECT_EQ(pair.data, message(10));
  EXPECT_EQ(pair.fields[":status"], "200");
  EXPECT_EQ(pair.fields["content-type"], "application/grpc");
  pair.call->stream->finish({Status::internal, "100 % wrong\n"});
  pair.talk();
  EXPECT_EQ(pair.fields["grpc-status"], "13");
  EXPECT_EQ(pair.fields["grpc-message"], "100 %25 wrong%0A");
  EXPECT_EQ(pair.closed_with, NGHTTP2_NO_ERROR);
  EXPECT_EQ(pair.call->heard, "message half-closed written closed ");
  EXPECT_FALSE(pair.server().has_streams());
}

TEST(Http2, StatusEndsACallThatTheEngineHasNotClosed) {
  Pair pair;
  pair.open(Pair::request());
  pair.call->stream->finish({});
  pair.talk();
  EXPECT_EQ(pair.fields["grpc-status"], "0");
  EXPECT_EQ(pair.fields.count("grpc-message"), 0u);
  EXPECT_EQ(pair.closed_with, NGHTTP2_NO_ERROR);
  EXPECT_EQ(pair.call->heard, "closed ");
}

TEST(Http2, EngineThatResetsBreaksItsCallAlone) {
  Pair pair;
  pair.open(Pair::request());
  const auto first = pair.call;
  pair.reset();
  EXPECT_EQ(first->heard, "broken closed ");
  pair.open(Pair::request());
  pair.send(message(5));
  EXPECT_EQ(pair.call->heard, "message ");
}

TEST(Http2, ConnectionThatGoesBreaksEveryCall) {
  Pair pair;
  pair.open(Pair::request());
  const auto call = pair.call;
  pair.server().end();
  EXPECT_EQ(call->heard, "broken closed ");
  EXPECT_TRUE(pair.server().over());
}

TEST(Http2, WindowGrowsWhileTheCallReadsAndNoMore) {
  constexpr std::size_t kSent = 4 * Http2Protocol::kWindowBytes;
  Pair pair(kSent);
  pair.open(Pair::request());
  pair.call->stream->set_reading(false);
  const std::string all = message(kSent / 2) + message(kSent / 2);
  pair.send(all);
  EXPECT_EQ(all.size() - pair.unsent(), Http2Protocol::kWindowBytes);
  // Another call of the connection is not in its way.
  const auto stuck = pair.call;
  pair.call->stream->set_reading(true);
  pair.talk();
  EXPECT_EQ(pair.unsent(), 0u);
  EXPECT_EQ(stuck->bytes, kSent);
}

TEST(Http2, FaultyMessagesEndTheCallWithAStatus) {
  Pair pair(100);
  pair.open(Pair::request());
  pair.send(message(101));
  EXPECT_EQ(pair.call->heard, "broken closed ");
  EXPECT_EQ(pair.fields["grpc-status"], "8");
  EXPECT_EQ(pair.fields["grpc-message"],
            "LimitExceeded: a message of 101 bytes, at most 100 are taken");
  pair.open(Pair::request());
  pair.send(std::string("\1\0\0\0\1x", 6));
  EXPECT_EQ(pair.call->heard, "broken closed ");
  EXPECT_EQ(pair.fields["grpc-status"], "12");
}

TEST(Http2, RequestsThatAreNotOfGrpcAreRefused) {
  Pair pair;
  Fields get = Pair::request();
  get[0].second = "GET";
  pair.open(get);
  EXPECT_EQ(pair.fields[":status"], "405");
  Fields text = Pair::request();
  text[5].second = "text/plain";
  pair.open(text);
  EXPECT_EQ(pair.fields[":status"], "415");
  EXPECT_FALSE(pair.call);
  EXPECT_FALSE(pair.server().has_streams());
}

TEST(Http2, MetadataBeyondTheLimitIsRefused) {
  Pair pair;
  pair.open(Pair::request({{"x", std::string(1500, 'x')}}));
  EXPECT_TRUE(std::exchange(pair.call, nullptr));
  pair.open(Pair::request({{"x", std::string(2000, 'x')}}));
  EXPECT_FALSE(pair.call);
  EXPECT_EQ(pair.fields["grpc-status"], "8");
  EXPECT_EQ(pair.fields["grpc-message"].find("LimitExceeded: "), 0u);
}

TEST(Http2, EnginesOwnDeadlineEndsTheCall) {
  Pair pair;
  pair.open(Pair::request({{"grpc-timeout", "10S"}}));
  const auto begin = Http2Protocol::Clock::now();
  EXPECT_LE(pair.server().next_deadline().when(), begin + std::chrono::seconds(10));
  pair.server().expire(begin);
  EXPECT_EQ(pair.call->heard, "");
  pair.server().expire(begin + std::chrono::seconds(11));
  pair.talk();
  EXPECT_EQ(pair.call->heard, "broken closed ");
  EXPECT_EQ(pair.fields["grpc-status"], "4");
  EXPECT_TRUE(pair.server().next_deadline().is_never());
}

TEST(Http2, CallThatIsGivenUpWhileItsOutputWaitsForTheSocketIsReset) {
  Pair pair;
  pair.open(Pair::request({{"grpc-timeout", "10S"}}));
  // The queue is full in the middle of this, so that nghttp2 holds a frame that it was promised.
  OutputQueue out;
  pair.call->stream->send(control_message(std::string(60'000, 'x')));
  pair.server().fill(out, 1000);
  EXPECT_GE(out.bytes(), 1000u);
  pair.server().expire(Http2Protocol::Clock::now() + std::chrono::seconds(11));
  EXPECT_EQ(pair.call->heard.find("broken "), 0u);
  for (int i = 0; i < 4; ++i) {
    pair.deliver(out);
    pair.server().fill(out, 1 << 16);
  }
  pair.deliver(out);
  EXPECT_EQ(pair.closed_with, NGHTTP2_CANCEL);
  EXPECT_EQ(pair.call->heard, "broken closed ");
}

TEST(Http2, PingsThatComeTooOftenEndTheConnection) {
  Pair pair;
  pair.now += std::chrono::hours(1);
  for (int i = 0; i < 5; ++i) {
    pair.ping();
    pair.now += std::chrono::seconds(11);
  }
  EXPECT_EQ(pair.away_with, -1);
  for (int i = 0; i < 4; ++i) pair.ping();
  EXPECT_EQ(pair.away_with, NGHTTP2_ENHANCE_YOUR_CALM);
}

TEST(Http2, BytesThatAreNoHttpEndTheConnection) {
  Pair pair;
  const ReceiveBuffer buffer(new std::byte[100]());
  EXPECT_FALSE(pair.server().over());
  pair.server().receive({buffer.get(), 100}, buffer, pair.now);
  pair.talk();
  EXPECT_TRUE(pair.server().over());
}

TEST(Http2, ServerThatGoesAwayLetsCallsEnd) {
  Pair pair;
  pair.open(Pair::request());
  pair.server().go_away();
  pair.talk();
  EXPECT_EQ(pair.away_with, NGHTTP2_NO_ERROR);
  pair.send(message(3));
  EXPECT_EQ(pair.call->heard, "message ");
  pair.call->stream->finish({});
  pair.talk();
  EXPECT_FALSE(pair.server().has_streams());
}

}  // namespace
}  // namespace forebay::grpc::test
