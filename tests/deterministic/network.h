// SPDX-License-Identifier: Apache-2.0
#pragma once

// Descriptors of a world without a kernel: connections whose bytes a script sends, and eventfds.
// The linker puts the functions of network.cpp in the place of recv(), read(), ppoll() and the
// others that the library calls; with descriptors that are not of this world they pass the call on.

#include <poll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "random.h"
#include "scheduler.h"

namespace forebay::deterministic {

/// How often a system call does what programs forget: once in so many times; 0: never.
struct Hardships {
  std::size_t interrupted_once_in = 0;   // EINTR
  std::size_t not_ready_once_in = 0;     // EAGAIN although there are bytes
  std::size_t short_once_in = 1;         // fewer bytes than there are
  std::size_t descriptor_once_in = 0;    // EMFILE from eventfd
  std::size_t poll_refused_once_in = 0;  // ENOMEM from poll
};

class Network {
 public:
  static constexpr int kFirst = 1'000'000;
  static constexpr std::size_t kDescriptorsMax = 32;

  explicit Network(const Hardships& hardships) noexcept;
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  ~Network();

  /// The network of the run; null when there is none.
  [[nodiscard]] static Network* current() noexcept { return g_current; }
  [[nodiscard]] bool has(int descriptor) const noexcept {
    return descriptor >= kFirst && descriptor < kFirst + static_cast<int>(kDescriptorsMax);
  }
  [[nodiscard]] std::size_t open_descriptors() const noexcept;

  /// A connection, or a pipe, that brings the bytes, which outlive it.
  [[nodiscard]] int connect(std::span<const std::byte> bytes, bool is_socket);
  /// Its peer: sends up to `bytes` more; false when all are sent, or nobody can receive any more.
  bool send_some(int descriptor, std::size_t bytes);
  /// Its peer is gone: an end for 0, else the error that receiving comes to.
  void hang_up(int descriptor, int error);

  // The calls of the library, with errno set as by the kernel.
  long receive(int descriptor, std::byte* to, std::size_t size, int flags, const Site& site);
  int make_event();
  long write_event(int descriptor);
  int poll(pollfd* descriptors, std::size_t count, Time deadline);
  int shut_down(int descriptor);
  int type_of(int descriptor);
  int close(int descriptor);

 private:
  enum class Kind : std::uint8_t { none, socket, pipe, event };
  struct Entry {
    Kind kind = Kind::none;
    std::span<const std::byte> bytes = {};
    std::size_t sent = 0;
    std::size_t received = 0;
    bool hung_up = false;
    bool shut_down = false;
    int error = 0;  // what a receive comes to after the bytes
    std::uint64_t raised = 0;
  };

  Entry& entry(int descriptor);
  int put(Entry entry);
  [[nodiscard]] static bool readable(const Entry& entry) noexcept;
  void changed() noexcept;
  long take(Entry& entry, std::byte* to, std::size_t size) noexcept;

  static inline Network* g_current = nullptr;
  const Hardships hardships_;
  std::array<Entry, kDescriptorsMax> entries_{};
};

}  // namespace forebay::deterministic
