// SPDX-License-Identifier: Apache-2.0
#pragma once

// Whole sessions, from the connection to the last byte, in which any call or allocation may fail.
// Each throws what it met, and checks by itself that what was received is a prefix of what was
// sent, and all of it when nothing was thrown.

#include <exception>
#include <filesystem>
#include <ostream>
#include <stop_token>
#include <string>
#include <thread>

#include "faults/support.h"
#include "faults/system_calls.h"

namespace forebay::test {

inline const std::string& session_bytes() {
  static const std::string bytes = pattern(300'000);
  return bytes;
}

/// Sends everything from `far` to `near` and receives it.
inline void send_and_receive(Wire wire, ReceiveMode mode, bool far_is_socket) {
  const std::string_view sent = session_bytes();
  std::exception_ptr sender_error;
  std::string got;
  got.reserve(sent.size());
  {
    std::stop_source stop;
    std::jthread sending([&, far = std::move(wire.far)]() mutable {
      const Descriptor own = std::move(far);  // Closed when all was sent or nothing can be.
      try {
        if (far_is_socket) {
          socket::send_all(own, bytes_of(sent), Deadline::after(std::chrono::seconds(20)),
                           stop.get_token());
        } else {
          const ExemptThread exempt;
          block_sigpipe();
          (void)write_all(own, sent);
        }
      } catch (...) {
        sender_error = std::current_exception();
      }
    });
    ReceiverOptions options;
    options.mode = mode;
    options.stream = small(std::size_t{1} << 20);
    SocketReceiver receiver(std::move(wire.near), options);
    StreamReader& reader = receiver.reader();
    try {
      while (!reader.at_end()) {
        const ReadResult some = reader.read_until(1, Deadline::after(std::chrono::seconds(20)));
        if (some.status == ReadStatus::failed) std::rethrow_exception(reader.error());
        ASSERT_EQ(some.status, ReadStatus::ok);
        got += text(some.view);
        got += text(reader.read_some(40'000));
      }
    } catch (...) {
      ASSERT_TRUE(same(got, sent.substr(0, got.size())));
      throw;
    }
  }
  ASSERT_TRUE(same(got, sent.substr(0, got.size())));
  if (sender_error != nullptr) std::rethrow_exception(sender_error);
  ASSERT_EQ(got.size(), sent.size()) << "part was taken for the whole";
}

/// A server at a path, where the socket of one that died is in the way.
inline void unix_session(ReceiveMode mode, const std::string& path) {
  const Deadline deadline = Deadline::after(std::chrono::seconds(20));
  std::stop_source stop;
  Listener listener = Listener::listen_unix(path);
  Descriptor far = socket::connect_unix(path, deadline, stop.get_token());
  Wire wire{listener.accept(deadline, stop.get_token()), std::move(far)};
  send_and_receive(std::move(wire), mode, true);
}

inline void loopback_session(ReceiveMode mode, const std::string&) {
  const Deadline deadline = Deadline::after(std::chrono::seconds(20));
  Listener listener = Listener::listen_loopback(0);
  Descriptor far = socket::connect_loopback(listener.port(), deadline);
  Wire wire{listener.accept(deadline), std::move(far)};
  send_and_receive(std::move(wire), mode, true);
}

inline void pipe_session(ReceiveMode mode, const std::string&) {
  send_and_receive(pipe_pair(), mode, false);
}

/// Two threads that each wait for the other most of the time.
inline void stream_session(ReceiveMode, const std::string&) {
  const std::string_view sent = std::string_view(session_bytes()).substr(0, 4000);
  auto [writer, reader] = make_stream(small(64));
  std::jthread writing([&, own = std::move(writer)]() mutable {
    try {
      for (std::size_t at = 0; at < sent.size(); at += 40) {
        own.add_next_chunk(chunk(sent.substr(at, 40)));
      }
      own.finish();
    } catch (const Cancelled&) {
      return;
    } catch (...) {
      own.fail(std::current_exception());
    }
  });
  StreamReader own = std::move(reader);  // Goes before the writer is joined.
  std::string got;
  got.reserve(sent.size());
  while (!own.at_end()) got += text(own.read(40));
  ASSERT_TRUE(same(got, sent));
}

struct Session {
  const char* name;
  void (*run)(ReceiveMode, const std::string& path);
};
/// For GoogleTest, which would print addresses, and so other names of tests each time.
inline void PrintTo(const Session& session, std::ostream* out) { *out << session.name; }
inline constexpr Session kSessions[] = {{"Unix", unix_session},
                                        {"Loopback", loopback_session},
                                        {"Pipe", pipe_session},
                                        {"Stream", stream_session}};

/// A suite over the sessions and the modes of receiving.
class EachSession : public LeavesNothing,
                    public testing::WithParamInterface<std::tuple<Session, ReceiveMode>> {
 protected:
  void SetUp() override {
    LeavesNothing::SetUp();
    const Listener dead = Listener::listen_unix(folder_ / "made");
    std::filesystem::rename(folder_ / "made", dead_);
  }
  /// To be called before every run: the socket of a server that died is in the way.
  void prepare() {
    std::filesystem::remove(path_);
    std::filesystem::create_hard_link(dead_, path_);
  }
  void run() const { std::get<0>(GetParam()).run(std::get<1>(GetParam()), path_); }
  /// Whether a socket file was left that is not that of the dead server.
  [[nodiscard]] bool socket_file_left() const {
    return std::filesystem::exists(path_) && std::filesystem::hard_link_count(path_) < 2;
  }

 private:
  const TemporaryFolder folder_;
  const std::string dead_ = folder_ / "dead";
  const std::string path_ = folder_ / "socket";
};

#define FOREBAY_INSTANTIATE_SESSIONS(suite)                                                  \
  INSTANTIATE_TEST_SUITE_P(                                                                  \
      Sessions, suite,                                                                       \
      testing::Combine(testing::ValuesIn(kSessions),                                         \
                       testing::Values(ReceiveMode::threaded, ReceiveMode::inline_)),        \
      [](const testing::TestParamInfo<std::tuple<Session, ReceiveMode>>& each) {             \
        return std::string(std::get<0>(each.param).name) + name_of(std::get<1>(each.param)); \
      })

}  // namespace forebay::test
