// SPDX-License-Identifier: Apache-2.0

// Sessions in any order of messages and events: whatever comes, what is answered is one of the
// exchanges that the protocol allows.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <random>
#include <stdexcept>

#include "session.h"
#include "trace.h"

namespace forebay::grpc::test {
namespace {

enum class Step : std::uint8_t {
  init,
  chunked_init,
  bad_init,
  chunk,
  last_chunk,
  data,
  empty_data,
  finish,
  cancel,
  unknown,
  half_close,
  broken,
  shut_down,
  ready,
  worked,
  failed,
  concluded,
};
constexpr int kSteps = 17;

// For a property as well as for a plain test.
void require(bool condition, int line = __builtin_LINE()) {
  if (!condition) throw std::logic_error("line " + std::to_string(line));
}

// What the engine has said so far, judged by the order alone: the rules once more, as a table.
class Order {
 public:
  // Whether the engine may say this now.
  bool allows(Step step) const {
    switch (step) {
      case Step::init:
      case Step::chunked_init:
        return !init_;
      case Step::chunk:
      case Step::last_chunk:
        return chunking_;
      case Step::data:
      case Step::finish:
        return answered && !refused && !finish_ && !cancel_;
      case Step::cancel:
        return true;
      case Step::half_close:
        return finish_ || cancel_ || told;
      default:
        return false;
    }
  }
  void said(Step step) {
    if (step == Step::init || step == Step::chunked_init) init_ = true;
    if (step == Step::chunked_init) chunking_ = true;
    if (step == Step::last_chunk || step == Step::cancel) chunking_ = false;
    if (step == Step::finish) finish_ = true;
    if (step == Step::cancel) cancel_ = true;
  }
  bool finished() const { return finish_; }
  bool cancelled() const { return cancel_; }

  bool answered = false;  // InitResponse was sent
  bool refused = false;   // with an error
  bool told = false;      // an error was

 private:
  bool init_ = false;
  bool chunking_ = false;
  bool finish_ = false;
  bool cancel_ = false;
};

// Runs a session and holds every action against what was sent before it.
class Checker {
 public:
  bool running() const { return work_ == 1; }
  bool concluding() const { return work_ == 3; }
  bool closed() const { return closed_; }

  void take(Step step) {
    const bool from_engine = step <= Step::half_close;
    // A broken transport brings nothing more, and half of one nothing but cancels' end.
    if (from_engine && (broken_ || half_closed_)) return;
    if ((step == Step::ready || step == Step::worked || step == Step::failed) && !running()) return;
    if (step == Step::concluded && !concluding()) return;
    const bool allowed = order_.allows(step);
    const bool was_ending = violated_ || closed_ || shut_;
    if (step == Step::worked || step == Step::failed) work_ = 2;
    if (step == Step::concluded) work_ = 4;
    if (step == Step::broken) broken_ = true;
    if (step == Step::half_close) half_closed_ = true;
    if (step == Step::shut_down && !closed_) shut_ = true;
    const Actions actions = perform(step);
    if (from_engine && !was_ending) {
      if (!allowed) violated_ = true;
      order_.said(step);
      // A violation that is seen is told, now or by the terminator.
      if (!allowed && !order_.finished() && !order_.cancelled() && !order_.told) {
        require(error_text(actions).find("ProtocolError: ") == 0u);
      }
      if (allowed) require(trace_of(actions).find(" protocol") == std::string::npos);
    }
    for (const Action& action : actions) std::visit(*this, action);
    require(session_.closed() == closed_);
    require(!session_.may_send_data() || (running() && order_.answered && !order_.told));
    if (session_.may_send_data()) require(!closed_ && !order_.cancelled());
  }

  // The engine does what the rules ask of it, the function ends: the session must end too.
  void play_out() {
    take(Step::cancel);
    take(Step::worked);
    take(Step::concluded);
    require(closed_);
    require(broken_ || terminators_ == 1);
    require(work_ == 0 || work_ == 4 || shut_);
  }

  void operator()(const Start& start) {
    require(work_ == 0 && !closed_);
    require(start.init.udf.bytes == payload_);
    work_ = 1;
  }
  void operator()(const TakeData&) { require(running() && order_.answered && !input_ended_); }
  void operator()(const DropData&) { require(!closed_); }
  void operator()(const EndInput&) {
    require(running() && !input_ended_);
    input_ended_ = true;
  }
  void operator()(const StopWork&) {
    require(running() && !stopped_);
    stopped_ = true;
  }
  void operator()(const DropOutput&) { require(!closed_); }
  void operator()(const Conclude& conclude) {
    require(work_ == 2 && !closed_);
    if (!conclude.cancelled) {
      require(order_.finished() && !order_.cancelled() && !order_.told && !violated_ && !broken_);
    }
    work_ = 3;
  }
  void operator()(const Send& send) {
    require(!closed_ && !broken_ && terminators_ == 0);
    std::visit(*this, send.response);
  }
  void operator()(const InitResponse& init) {
    require(!order_.answered);
    order_.answered = true;
    order_.refused = order_.told = init.error.has_value();
  }
  void operator()(const ErrorResponse&) {
    require(order_.answered && !order_.told);
    order_.told = true;
  }
  void operator()(const FinishResponse&) {
    require(order_.finished() && !order_.cancelled() && !order_.told && !violated_ && !shut_);
    require(order_.answered && work_ == 4);
    ++terminators_;
  }
  void operator()(const CancelResponse&) {
    require(order_.cancelled() || order_.told || violated_ || shut_);
    require(work_ == 0 || work_ == 4 || shut_);
    ++terminators_;
  }
  void operator()(const Close&) {
    require(!closed_);
    require(broken_ ? terminators_ == 0 : terminators_ == 1);
    closed_ = true;
  }

 private:
  Actions perform(Step step) {
    Init init = some_init();
    switch (step) {
      case Step::init:
        if (payload_.empty()) payload_ = init.udf.bytes;
        return session_.received(init);
      case Step::chunked_init:
        if (payload_.empty()) payload_ = init.udf.bytes;
        init.chunked = true;
        return session_.received(init);
      case Step::bad_init:
        init.data_format = 0;
        return session_.received(init);
      case Step::chunk:
      case Step::last_chunk:
        if (order_.allows(step)) payload_ += "more";
        return session_.received(PayloadChunk{"more", step == Step::last_chunk});
      case Step::data:
        return session_.received(Data{8});
      case Step::empty_data:
        return session_.received(Data{0});
      case Step::finish:
        return session_.received(Finish{});
      case Step::cancel:
        return session_.received(Cancel{});
      case Step::unknown:
        return session_.received(Unknown{});
      case Step::half_close:
        return session_.half_closed();
      case Step::broken:
        return session_.broken();
      case Step::shut_down:
        return session_.shut_down("the worker ends");
      case Step::ready:
        return session_.initialized(std::nullopt);
      case Step::worked:
        return session_.worked();
      case Step::failed:
        return session_.failed({.kind = ErrorKind::user, .message = "UserError: no"});
      case Step::concluded:
        return session_.concluded({});
    }
    return {};
  }

  Session session_{1000};
  Order order_;
  std::string payload_;
  int work_ = 0;  // 0 none, 1 running, 2 ended, 3 asked for its last word, 4 has said it
  int terminators_ = 0;
  bool violated_ = false;
  bool broken_ = false;
  bool half_closed_ = false;
  bool shut_ = false;
  bool stopped_ = false;
  bool input_ended_ = false;
  bool closed_ = false;
};

// Steps that lead somewhere are more frequent than those that end everything.
rc::Gen<Step> any_step() {
  return rc::gen::mapcat(rc::gen::inRange(0, 4), [](int wild) {
    if (wild == 0) {
      return rc::gen::map(rc::gen::inRange(0, kSteps), [](int i) { return static_cast<Step>(i); });
    }
    return rc::gen::element(Step::init, Step::chunked_init, Step::chunk, Step::last_chunk,
                            Step::data, Step::ready, Step::worked, Step::finish, Step::concluded,
                            Step::failed);
  });
}

RC_GTEST_PROP(GrpcSessionModel, AnyOrderIsAnsweredByTheRules, ()) {
  const auto steps = *rc::gen::container<std::vector<Step>>(any_step());
  Checker checker;
  for (const Step step : steps) checker.take(step);
  checker.play_out();
}

// Every order of up to four steps, so that no short one is left to luck.
TEST(GrpcSessionModel, EveryShortOrderIsAnsweredByTheRules) {
  constexpr int kLength = 4;
  int orders = 1;
  for (int i = 0; i < kLength; ++i) orders *= kSteps;
  for (int order = 0; order < orders; ++order) {
    Checker checker;
    int rest = order;
    for (int i = 0; i < kLength && !checker.closed(); ++i) {
      checker.take(static_cast<Step>(rest % kSteps));
      rest /= kSteps;
    }
    checker.play_out();
  }
}

TEST(GrpcSessionModel, ManyLongOrdersAreAnsweredByTheRules) {
  std::mt19937 random(1);  // the same orders in every run
  constexpr std::array kUseful = {Step::init,   Step::chunked_init, Step::chunk,  Step::last_chunk,
                                  Step::data,   Step::ready,        Step::worked, Step::finish,
                                  Step::failed, Step::concluded,    Step::cancel};
  for (int order = 0; order < 20'000; ++order) {
    Checker checker;
    while (!checker.closed() && random() % 40 != 0) {
      const bool wild = random() % 16 == 0;
      checker.take(wild ? static_cast<Step>(random() % kSteps)
                        : kUseful[random() % kUseful.size()]);
    }
    checker.play_out();
  }
}

}  // namespace
}  // namespace forebay::grpc::test
