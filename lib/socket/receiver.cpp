// SPDX-License-Identifier: Apache-2.0
#include "forebay/socket/receiver.h"

#include <system_error>
#include <utility>

#include "forebay/detail/futex.h"
#include "forebay/detail/role_token.h"
#include "mode_chooser.h"
#include "receive_engine.h"

namespace forebay::socket {

using forebay::detail::ByteSource;
using forebay::detail::relaxed;
using forebay::detail::RoleToken;
using forebay::detail::StreamAccess;
using forebay::detail::SystemPolicy;
using forebay::detail::Wait;

class SocketReceiver::Impl final : public ByteSource {
 public:
  Impl(Descriptor descriptor, const ReceiverOptions& options, const ModeLimits& limits)
      : Impl(std::move(descriptor), options, limits, make_stream(options.stream)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  ~Impl() {
    reader_.cancel();
    role_.quit();
    if (thread_.joinable()) thread_.join();
    core_.source = nullptr;
  }

  StreamReader& reader() noexcept { return reader_; }
  const Descriptor& descriptor() const noexcept { return engine_.descriptor(); }
  bool in_forked_child() const noexcept { return core_.birthplace.left(); }

  ReceiverStats stats() const noexcept {
    ReceiverStats stats;
    engine_.add_to(stats);
    stats.lends = lends_.load(relaxed);  // Relaxed, both: figures.
    stats.recalls = recalls_.load(relaxed);
    return stats;
  }

  // --- ByteSource ---

  Pull pull(const Wait& wait) override {
    const bool with_reader = role_.with_reader();
    if (with_reader && std::exchange(lent_, false)) {
      // What the thread received last is in the ring, and comes first.
      return Pull::progress;
    }
    if (mode_ == ReceiveMode::automatic) {
      const bool to_thread = chooser_.choose(Deadline::clock::now(), engine_.bytes(), !with_reader);
      if (to_thread && with_reader) {
        try {
          lend();
        } catch (const std::system_error&) {
          mode_ = ReceiveMode::inline_;  // No thread can be had: this one goes on.
        }
      }
      if (!to_thread && !with_reader && !std::exchange(recalled_, true)) recall();
    }
    return lent_ ? Pull::elsewhere : receive(wait);
  }

  bool changed() const noexcept override { return role_.with_reader(); }

  void interrupt() noexcept override { engine_.interrupt(); }

 private:
  Impl(Descriptor descriptor, const ReceiverOptions& options, const ModeLimits& limits,
       Stream stream)
      : mode_(options.mode == ReceiveMode::automatic && forebay::detail::usable_cpu_count() < 2
                  ? ReceiveMode::inline_
                  : options.mode),
        reader_(std::move(stream.reader)),
        core_(StreamAccess::core(reader_)),
        engine_(std::move(descriptor), options, std::move(stream.writer)),
        chooser_(limits) {
    if (mode_ == ReceiveMode::threaded) lend();
    core_.source = this;  // Last: from here on the destructor has to take it back.
  }

  // The reader's own thread receives.
  Pull receive(const Wait& wait) {
    const auto began = Deadline::clock::now();
    // The reader looks what it can give back before it waits for room.
    const ReceiveEngine::Step step = engine_.step(wait, ReceiveEngine::Starving::told_first);
    chooser_.count_receiving(Deadline::clock::now() - began);
    switch (step) {
      case ReceiveEngine::Step::would_block:
        return Pull::would_block;
      case ReceiveEngine::Step::timed_out:
        return Pull::timed_out;
      case ReceiveEngine::Step::stopped:
        return Pull::stopped;
      case ReceiveEngine::Step::starved:
        return starved_twice(wait) ? Pull::would_block : Pull::progress;
      default:
        return Pull::progress;
    }
  }

  // Polling must not spin: a second failure to find room within one call is an answer.
  bool starved_twice(const Wait& wait) noexcept {
    if (wait.allowed) return false;
    return std::exchange(polled_starved_, !polled_starved_);
  }

  void lend() {
    if (!thread_.joinable()) thread_ = SystemPolicy::thread([this] { receive_ahead(); });
    lent_ = true;
    recalled_ = false;
    lends_.store(lends_.load(relaxed) + 1, relaxed);  // Relaxed: one writer, a figure.
    role_.lend();
  }

  void recall() noexcept {
    recalls_.store(recalls_.load(relaxed) + 1, relaxed);  // Relaxed: one writer, a figure.
    role_.recall();
  }

  // The thread that receives ahead, while it has the role.
  void receive_ahead() {
    while (role_.await()) {
      ReceiveEngine::Step step;
      do {
        step = engine_.step({}, ReceiveEngine::Starving::waits);
      } while (step != ReceiveEngine::Step::ended && !role_.recalled() && !role_.quitting());
      role_.give_back();
      core_.reader_event.notify();
    }
  }

  ReceiveMode mode_;
  StreamReader reader_;
  forebay::detail::SystemCore& core_;
  ReceiveEngine engine_;
  RoleToken<SystemPolicy> role_;
  // The reader's.
  ModeChooser chooser_;
  bool lent_ = false;
  bool recalled_ = false;
  bool polled_starved_ = false;
  SystemPolicy::atomic<std::uint64_t> lends_{0};
  SystemPolicy::atomic<std::uint64_t> recalls_{0};
  SystemPolicy::thread thread_;
};

SocketReceiver::SocketReceiver(Descriptor descriptor, const ReceiverOptions& options)
    : SocketReceiver(std::move(descriptor), options, ModeLimits()) {}
SocketReceiver::SocketReceiver(Descriptor descriptor, const ReceiverOptions& options,
                               const ModeLimits& limits)
    : impl_(new Impl(std::move(descriptor), options, limits)) {}
void SocketReceiver::Destroy::operator()(Impl* impl) const noexcept {
  if (!impl->in_forked_child()) delete impl;
}
SocketReceiver::SocketReceiver(SocketReceiver&&) noexcept = default;
SocketReceiver& SocketReceiver::operator=(SocketReceiver&&) noexcept = default;
SocketReceiver::~SocketReceiver() = default;

StreamReader& SocketReceiver::reader() noexcept { return impl_->reader(); }
const Descriptor& SocketReceiver::descriptor() const noexcept { return impl_->descriptor(); }
ReceiverStats SocketReceiver::stats() const noexcept { return impl_->stats(); }

}  // namespace forebay::socket
