// SPDX-License-Identifier: Apache-2.0

// RoleToken under the model checker: what belongs to the receiving role is in one hand at a time,
// slices keep their order across a hand-over in either direction, and both sides can leave.

#include "forebay/detail/role_token.h"
#include "forebay/spsc_queue.h"
#include "model.h"

namespace forebay::model {
namespace {

using Token = detail::RoleToken<ModelPolicy>;
using EventCount = BasicEventCount<ModelPolicy>;

struct Slice {
  int number = -1;
  std::uint64_t padding[3] = {};
};
using Queue = SpscQueue<Slice, ModelPolicy>;

/// The reader lends the role, takes it back, receives itself, and so on for kRounds.
template <class Derived, int kRounds, bool kQuitWhileLent>
struct RoleTest : Test<Derived, 2> {
  std::unique_ptr<Token> token;
  std::unique_ptr<EventCount> reader_event;
  std::unique_ptr<Queue> queue;
  // What belongs to the role: how many slices were received, and how often it was given back.
  std::unique_ptr<Var<int>> received;
  std::unique_ptr<Var<int>> returns;
  int read = 0;

  void before() {
    token = std::make_unique<Token>();
    reader_event = std::make_unique<EventCount>();
    queue = std::make_unique<Queue>(4);
    received = std::make_unique<Var<int>>(0);
    returns = std::make_unique<Var<int>>(0);
  }
  void after() {
    drain();
    MODEL_CHECK(static_cast<int>(*received) == read);
    token.reset();
    reader_event.reset();
    queue.reset();
    received.reset();
    returns.reset();
  }
  bool receive() {
    const int number = *received;
    if (!queue->try_push(Slice{number})) return false;
    *received = number + 1;
    return true;
  }
  void drain() {
    for (Slice slice; queue->try_pop(slice); ++read) MODEL_CHECK(slice.number == read);
  }
  void read_ahead() {
    while (token->await()) {
      // At least one step; then until the reader wants the role back.
      do {
        if (receive()) reader_event->notify();
        yield();
      } while (!token->recalled() && !token->quitting());
      *returns = static_cast<int>(*returns) + 1;
      token->give_back();
      reader_event->notify();
    }
  }
  void thread(unsigned index) {
    if (index == 1) return read_ahead();
    for (int round = 0; round < kRounds; ++round) {
      token->lend();
      if (round == kRounds - 1 && kQuitWhileLent) break;
      token->recall();
      while (!token->with_reader()) {
        reader_event->await([this] { return queue->front() != nullptr || token->with_reader(); });
        drain();
      }
      MODEL_CHECK(static_cast<int>(*returns) == round + 1);
      // The thread's last slices come first.
      drain();
      MODEL_CHECK(receive());
      drain();
    }
    token->quit();
  }
};

struct HandOver : RoleTest<HandOver, 2, false> {
  static constexpr const char* kName = "hand_over";
};
struct HandOverOnce : RoleTest<HandOverOnce, 1, false> {
  static constexpr const char* kName = "hand_over_once";
};
struct QuitWhileLent : RoleTest<QuitWhileLent, 1, true> {
  static constexpr const char* kName = "quit_while_lent";
};

}  // namespace
}  // namespace forebay::model

int main(int argc, char** argv) {
  using namespace forebay::model;
  return run_models<HandOver, HandOverOnce, QuitWhileLent>("role_token", argc, argv);
}
