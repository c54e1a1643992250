// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the socket tests share: connected pairs, senders, and looking at what the process holds.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "forebay/socket/receiver.h"
#include "unit/core/support.h"

namespace forebay::test {

using socket::Descriptor;
using socket::Listener;
using socket::ReceiveMode;
using socket::ReceiverOptions;
using socket::SocketReceiver;

/// A connection: what is sent at `far` is received at `near`.
struct Wire {
  Descriptor near;
  Descriptor far;
};

inline Wire socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw std::system_error(errno, std::system_category(), "socketpair");
  }
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

inline Wire pipe_pair() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::system_category(), "pipe");
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

inline Wire tcp_pair() {
  Listener listener = Listener::listen_loopback(0);
  Descriptor far = socket::connect_loopback(listener.port());
  return {listener.accept(), std::move(far)};
}

/// A folder of the test's own, which goes with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "forebay-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw std::system_error(errno, std::system_category(), "mkdtemp");
    }
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(std::string_view name) const {
    return path_ + "/" + std::string(name);
  }

 private:
  std::string path_;
};

inline Wire unix_pair() {
  const TemporaryFolder folder;
  Listener listener = Listener::listen_unix(folder / "socket");
  Descriptor far = socket::connect_unix(folder / "socket");
  return {listener.accept(), std::move(far)};
}

/// Writes everything, to sockets and to pipes. False when the peer is gone.
inline bool write_all(const Descriptor& to, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t done = ::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (done < 0 && errno == ENOTSOCK) done = ::write(to.get(), bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

/// Sends the bytes in parts of the sizes, again and again, and closes.
class Sender {
 public:
  Sender(Descriptor to, std::string bytes, std::vector<std::size_t> parts = {SIZE_MAX})
      : thread_([to = std::move(to), bytes = std::move(bytes), parts = std::move(parts)] {
          std::string_view left = bytes;
          for (std::size_t i = 0; !left.empty(); ++i) {
            const std::string_view part = left.substr(0, parts[i % parts.size()]);
            if (!write_all(to, part)) return;
            left.remove_prefix(part.size());
          }
        }) {}

 private:
  std::jthread thread_;
};

/// The bytes are those expected; says where the first difference is, not all of them.
inline testing::AssertionResult same(std::string_view got, std::string_view expected,
                                     std::size_t offset = 0) {
  if (got == expected) return testing::AssertionSuccess();
  const auto [at, unused] = std::mismatch(
      got.begin(), got.begin() + static_cast<std::ptrdiff_t>(std::min(got.size(), expected.size())),
      expected.begin());
  return testing::AssertionFailure()
         << "got " << got.size() << " bytes, expected " << expected.size()
         << ", the first difference is at " << offset + static_cast<std::size_t>(at - got.begin());
}

/// Reads everything in reads of the sizes, again and again; the stream holds `expected`.
inline void expect_all(StreamReader& reader, std::string_view expected,
                       const std::vector<std::size_t>& sizes) {
  std::size_t done = 0;
  for (std::size_t i = 0; done < expected.size(); ++i) {
    const std::size_t n = std::min(sizes[i % sizes.size()], expected.size() - done);
    ASSERT_TRUE(same(reader.read(n), expected.substr(done, n), done));
    done += n;
  }
  EXPECT_TRUE(reader.at_end());
}

inline std::size_t entries_of(const char* folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}
inline std::size_t open_descriptors() { return entries_of("/proc/self/fd"); }
inline std::size_t running_threads() { return entries_of("/proc/self/task"); }

inline pid_t this_thread_id() { return static_cast<pid_t>(::syscall(SYS_gettid)); }

/// Whether the thread sleeps in the kernel.
inline bool is_asleep(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  const std::string line(std::istreambuf_iterator<char>(file), {});
  const std::size_t name_end = line.rfind(')');
  return name_end != std::string::npos && line.size() > name_end + 2 && line[name_end + 2] == 'S';
}

/// Until every other thread of the process sleeps.
inline void await_all_asleep() {
  eventually([] {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
      const auto thread = static_cast<pid_t>(std::stol(entry.path().filename().string()));
      if (thread != this_thread_id() && !is_asleep(thread)) return false;
    }
    return true;
  });
}

/// Runs `act` on a thread of its own once the thread that made this sleeps.
class WhenAsleep {
 public:
  explicit WhenAsleep(std::function<void()> act)
      : thread_([act = std::move(act), sleeper = this_thread_id()] {
          eventually([sleeper] { return is_asleep(sleeper); });
          act();
        }) {}

 private:
  std::jthread thread_;
};

/// Every test leaves descriptors and threads as it found them.
class LeavesNothing : public testing::Test {
 protected:
  void SetUp() override {
    // ThreadSanitizer adds a thread of its own when the first one is made.
    std::thread([] {}).join();
    descriptors_before_ = open_descriptors();
    threads_before_ = running_threads();
  }
  void TearDown() override {
    EXPECT_EQ(open_descriptors(), descriptors_before_);
    // A thread that was joined is listed for another moment.
    eventually([this] { return running_threads() <= threads_before_; });
  }

 private:
  std::size_t descriptors_before_ = 0;
  std::size_t threads_before_ = 0;
};

inline const char* name_of(ReceiveMode mode) {
  switch (mode) {
    case ReceiveMode::threaded:
      return "Threaded";
    case ReceiveMode::inline_:
      return "Inline";
    case ReceiveMode::automatic:
      return "Automatic";
  }
  return "";
}

/// A suite over the three modes.
class EachMode : public LeavesNothing, public testing::WithParamInterface<ReceiveMode> {
 protected:
  [[nodiscard]] ReceiverOptions options(StreamOptions stream = {}) const {
    ReceiverOptions options;
    options.mode = GetParam();
    options.stream = std::move(stream);
    return options;
  }
};

#define FOREBAY_INSTANTIATE_MODES(suite)                                                    \
  INSTANTIATE_TEST_SUITE_P(                                                                 \
      Modes, suite,                                                                         \
      testing::Values(ReceiveMode::threaded, ReceiveMode::inline_, ReceiveMode::automatic), \
      [](const testing::TestParamInfo<ReceiveMode>& each) { return name_of(each.param); })

}  // namespace forebay::test
