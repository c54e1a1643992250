// SPDX-License-Identifier: Apache-2.0

// The session's rules, one after the other.

#include "session.h"

#include <gtest/gtest.h>

#include "payload.h"
#include "trace.h"

namespace forebay::grpc::test {
namespace {

constexpr std::size_t kPayloadMax = 1000;

// A session with what is said to it in few words.
class Exchange {
 public:
  std::string init(Init message = some_init()) { return say(session.received(std::move(message))); }
  std::string chunk(std::string bytes, bool complete = false) {
    return say(session.received(PayloadChunk{std::move(bytes), complete}));
  }
  std::string data(std::size_t size = 1) { return say(session.received(Data{size})); }
  std::string finish() { return say(session.received(Finish{})); }
  std::string cancel() { return say(session.received(Cancel{})); }
  std::string ready() { return say(session.initialized("ready")); }
  std::string worked() { return say(session.worked()); }
  std::string failed(ErrorKind kind = ErrorKind::user) {
    return say(session.failed({.kind = kind, .message = "UserError: it failed"}));
  }
  std::string concluded(LastWord word = {}) { return say(session.concluded(std::move(word))); }
  std::string say(Actions actions) {
    last = std::move(actions);
    return trace_of(last);
  }
  std::string error() const { return error_text(last); }

  Session session{kPayloadMax};
  Actions last;
};

// A session whose function is ready for data.
Exchange streaming() {
  Exchange exchange;
  EXPECT_EQ(exchange.init(), "start");
  EXPECT_EQ(exchange.ready(), "init");
  return exchange;
}

TEST(GrpcSession, RunsFromInitToFinish) {
  Exchange exchange;
  EXPECT_EQ(exchange.init(), "start");
  EXPECT_EQ(std::get<Start>(exchange.last.front()).init.udf.bytes, "payload");
  EXPECT_FALSE(exchange.session.may_send_data());
  EXPECT_EQ(exchange.ready(), "init");
  EXPECT_TRUE(exchange.session.may_send_data());
  EXPECT_EQ(exchange.data(), "take");
  EXPECT_EQ(exchange.data(), "take");
  EXPECT_EQ(exchange.finish(), "end-input");
  EXPECT_TRUE(exchange.session.may_send_data());
  EXPECT_EQ(exchange.worked(), "conclude-finish");
  EXPECT_FALSE(exchange.session.may_send_data());
  EXPECT_EQ(exchange.concluded({.metrics = {{"rows_in", "2"}}, .data = "bye"}), "finish, close");
  const auto& end = std::get<FinishResponse>(std::get<Send>(exchange.last.front()).response);
  EXPECT_EQ(end.metrics.at("rows_in"), "2");
  EXPECT_EQ(end.data, "bye");
  EXPECT_TRUE(exchange.session.closed());
}

TEST(GrpcSession, InputAndOutputAreIndependent) {
  // Nothing in, nothing out; and a function that is done before its input is.
  Exchange sink = streaming();
  EXPECT_EQ(sink.finish(), "end-input");
  EXPECT_EQ(sink.worked(), "conclude-finish");
  Exchange early = streaming();
  EXPECT_TRUE(early.session.may_send_data());
  EXPECT_EQ(early.worked(), "");
  EXPECT_EQ(early.data(), "drop");
  EXPECT_EQ(early.finish(), "conclude-finish");
  EXPECT_EQ(early.concluded(), "finish, close");
}

TEST(GrpcSession, InitIsAnsweredOnceAlsoByAFunctionThatNeverSaysSo) {
  Exchange exchange = streaming();
  EXPECT_EQ(exchange.ready(), "");
  Exchange silent;
  EXPECT_EQ(silent.init(), "start");
  EXPECT_EQ(silent.worked(), "init");
  EXPECT_EQ(silent.finish(), "conclude-finish");
}

TEST(GrpcSession, SecondInitIsAViolation) {
  Exchange exchange = streaming();
  EXPECT_EQ(exchange.init(), "stop, error protocol");
  EXPECT_EQ(exchange.error(), "ProtocolError: a second Init");
  EXPECT_EQ(exchange.worked(), "conclude-cancel");
  EXPECT_EQ(exchange.concluded(), "cancel, close");
}

TEST(GrpcSession, DataOrFinishBeforeInitResponseIsAViolation) {
  Exchange data;
  EXPECT_EQ(data.data(), "drop, init protocol, cancel, close");
  EXPECT_EQ(data.error(), "ProtocolError: data before InitResponse");
  Exchange finish;
  EXPECT_EQ(finish.finish(), "init protocol, cancel, close");
  EXPECT_EQ(finish.error(), "ProtocolError: Finish before InitResponse");
  // With a function that is getting ready, the session ends when that has stopped.
  Exchange early;
  EXPECT_EQ(early.init(), "start");
  EXPECT_EQ(early.data(), "drop, stop, init protocol");
  EXPECT_EQ(early.data(), "drop");
  EXPECT_EQ(early.finish(), "");
  EXPECT_EQ(early.ready(), "");
  EXPECT_EQ(early.worked(), "conclude-cancel");
  EXPECT_EQ(early.concluded(), "cancel, close");
}

TEST(GrpcSession, CancelComesAtAnyTime) {
  Exchange first;
  EXPECT_EQ(first.cancel(), "drop-output, cancel, close");
  Exchange chunking;
  Init init = some_init();
  init.chunked = true;
  EXPECT_EQ(chunking.init(init), "");
  EXPECT_EQ(chunking.cancel(), "drop-output, cancel, close");
  Exchange starting;
  EXPECT_EQ(starting.init(), "start");
  EXPECT_EQ(starting.cancel(), "stop, drop-output");
  EXPECT_EQ(starting.ready(), "");
  EXPECT_EQ(starting.worked(), "conclude-cancel");
  EXPECT_EQ(starting.concluded(), "cancel, close");
  Exchange running = streaming();
  EXPECT_EQ(running.data(), "take");
  EXPECT_EQ(running.cancel(), "stop, drop-output");
  EXPECT_FALSE(running.session.may_send_data());
  EXPECT_EQ(running.cancel(), "");
  EXPECT_EQ(running.worked(), "conclude-cancel");
  EXPECT_EQ(running.concluded({.error = ExecutionError{.message = "WorkerError: left over"}}),
            "cancel worker, close");
}

TEST(GrpcSession, NothingMayFollowCancel) {
  Exchange exchange = streaming();
  EXPECT_EQ(exchange.cancel(), "stop, drop-output");
  EXPECT_EQ(exchange.finish(), "");
  EXPECT_EQ(exchange.data(), "drop");
  EXPECT_EQ(exchange.worked(), "conclude-cancel");
  EXPECT_EQ(exchange.concluded(), "cancel protocol, close");
  EXPECT_EQ(exchange.error(), "ProtocolError: Finish after Cancel");
}

TEST(GrpcSession, FinishThenCancelAbortsUntilFinishResponseIsOut) {
  Exchange working = streaming();
  EXPECT_EQ(working.finish(), "end-input");
  EXPECT_EQ(working.cancel(), "stop, drop-output");
  EXPECT_EQ(working.worked(), "conclude-cancel");
  EXPECT_EQ(working.concluded(), "cancel, close");
  Exchange concluding = streaming();
  EXPECT_EQ(concluding.finish(), "end-input");
  EXPECT_EQ(concluding.worked(), "conclude-finish");
  EXPECT_EQ(concluding.cancel(), "drop-output");
  EXPECT_EQ(concluding.concluded(), "cancel, close");
  Exchange out = streaming();
  EXPECT_EQ(out.finish(), "end-input");
  EXPECT_EQ(out.worked(), "conclude-finish");
  EXPECT_EQ(out.concluded(), "finish, close");
  EXPECT_EQ(out.cancel(), "");
}

TEST(GrpcSession, ViolationWhileEndingIsToldByTheTerminator) {
  for (const bool data : {false, true}) {
    Exchange exchange = streaming();
    EXPECT_EQ(exchange.finish(), "end-input");
    EXPECT_EQ(data ? exchange.data() : exchange.finish(), data ? "drop, stop" : "stop");
    EXPECT_EQ(exchange.worked(), "conclude-cancel");
    EXPECT_EQ(exchange.concluded(), "cancel protocol, close");
    EXPECT_EQ(exchange.error(),
              data ? "ProtocolError: data after Finish" : "ProtocolError: a second Finish");
  }
}

TEST(GrpcSession, HalfCloseIsLateOrAViolation) {
  Exchange early;
  EXPECT_EQ(early.say(early.session.half_closed()), "init protocol, cancel, close");
  Exchange running = streaming();
  EXPECT_EQ(running.say(running.session.half_closed()), "stop, error protocol");
  EXPECT_EQ(running.worked(), "conclude-cancel");
  EXPECT_EQ(running.concluded(), "cancel, close");
  // After Finish it harms nothing.
  Exchange finished = streaming();
  EXPECT_EQ(finished.finish(), "end-input");
  EXPECT_EQ(finished.say(finished.session.half_closed()), "");
  EXPECT_EQ(finished.worked(), "conclude-finish");
  EXPECT_EQ(finished.concluded(), "finish, close");
}

TEST(GrpcSession, FunctionThatFailsIsToldOnceAndWaitsForCancel) {
  Exchange exchange = streaming();
  EXPECT_EQ(exchange.data(), "take");
  EXPECT_EQ(exchange.failed(), "error user");
  EXPECT_FALSE(exchange.session.may_send_data());
  // What the engine sent before it knew.
  EXPECT_EQ(exchange.data(), "drop");
  EXPECT_EQ(exchange.finish(), "");
  EXPECT_EQ(exchange.cancel(), "drop-output, conclude-cancel");
  EXPECT_EQ(exchange.concluded(), "cancel, close");
}

TEST(GrpcSession, FunctionThatFailsAfterFinishEndsWithCancelResponse) {
  Exchange exchange = streaming();
  EXPECT_EQ(exchange.finish(), "end-input");
  EXPECT_EQ(exchange.failed(), "error user");
  EXPECT_EQ(exchange.cancel(), "drop-output, conclude-cancel");
  EXPECT_EQ(exchange.concluded(), "cancel, close");
  // An engine that cannot say Cancel any more does not keep the session.
  Exchange deaf = streaming();
  EXPECT_EQ(deaf.finish(), "end-input");
  EXPECT_EQ(deaf.say(deaf.session.half_closed()), "");
  EXPECT_EQ(deaf.failed(), "error user, conclude-cancel");
  EXPECT_EQ(deaf.concluded(), "cancel, close");
}

TEST(GrpcSession, FunctionThatCannotBeginIsToldByInitResponse) {
  Exchange exchange;
  EXPECT_EQ(exchange.init(), "start");
  EXPECT_EQ(exchange.failed(ErrorKind::worker), "init worker");
  EXPECT_EQ(exchange.cancel(), "drop-output, conclude-cancel");
  EXPECT_EQ(exchange.concluded(), "cancel, close");
  Exchange goes_on;
  EXPECT_EQ(goes_on.init(), "start");
  EXPECT_EQ(goes_on.failed(), "init user");
  EXPECT_EQ(goes_on.data(), "drop, conclude-cancel");
  EXPECT_EQ(goes_on.concluded(), "cancel protocol, close");
}

TEST(GrpcSession, ErrorsOfTheLastWordGoIntoTheTerminator) {
  Exchange exchange = streaming();
  EXPECT_EQ(exchange.finish(), "end-input");
  EXPECT_EQ(exchange.worked(), "conclude-finish");
  EXPECT_EQ(exchange.concluded({.error = ExecutionError{.kind = ErrorKind::user}}),
            "finish user, close");
  // What a function throws after it was cancelled, unless that is the cancel itself.
  Exchange cancelled = streaming();
  EXPECT_EQ(cancelled.cancel(), "stop, drop-output");
  EXPECT_EQ(cancelled.failed(), "conclude-cancel");
  EXPECT_EQ(cancelled.concluded(), "cancel user, close");
}

TEST(GrpcSession, BrokenTransportIsACancelThatSendsNothing) {
  Exchange idle;
  EXPECT_EQ(idle.say(idle.session.broken()), "drop-output, close");
  Exchange running = streaming();
  EXPECT_EQ(running.say(running.session.broken()), "stop, drop-output");
  EXPECT_EQ(running.finish(), "");
  EXPECT_EQ(running.failed(), "conclude-cancel");
  EXPECT_EQ(running.concluded(), "close");
  Exchange failed = streaming();
  EXPECT_EQ(failed.failed(), "error user");
  EXPECT_EQ(failed.say(failed.session.broken()), "drop-output, conclude-cancel");
  EXPECT_EQ(failed.concluded(), "close");
}

TEST(GrpcSession, ShutDownEndsEveryStreamAtOnce) {
  Exchange idle;
  EXPECT_EQ(idle.say(idle.session.shut_down("the worker ends")), "init worker, cancel, close");
  Exchange running = streaming();
  EXPECT_EQ(running.say(running.session.shut_down("the worker ends")),
            "stop, error worker, cancel, close");
  EXPECT_EQ(running.error(), "Cancelled: the worker ends");
  EXPECT_EQ(running.worked(), "");
  Exchange broken = streaming();
  EXPECT_EQ(broken.say(broken.session.broken()), "stop, drop-output");
  EXPECT_EQ(broken.say(broken.session.shut_down("the worker ends")), "close");
  EXPECT_EQ(broken.worked(), "");
  Exchange cancelled = streaming();
  EXPECT_EQ(cancelled.cancel(), "stop, drop-output");
  EXPECT_EQ(cancelled.say(cancelled.session.shut_down("the worker ends")), "cancel worker, close");
}

// --- Init and payload ----------------------------------------------------------------------------

TEST(GrpcSession, VersionsAndFormatsThatAreNotSpokenAreRefused) {
  for (const auto version : {std::optional<std::uint32_t>(), std::optional<std::uint32_t>(1)}) {
    Exchange exchange;
    Init init = some_init();
    init.protocol_version = version;
    EXPECT_EQ(exchange.init(init), "start");
  }
  Exchange version;
  Init init = some_init();
  init.protocol_version = 999;
  EXPECT_EQ(version.init(init), "init protocol, cancel, close");
  EXPECT_EQ(version.error(), "ProtocolError: protocol version 999, this worker speaks 1");
  for (const std::int32_t format : {0, 99}) {
    Exchange exchange;
    Init other = some_init();
    other.data_format = format;
    EXPECT_EQ(exchange.init(other), "init protocol, cancel, close");
    EXPECT_EQ(exchange.error().find("ProtocolError: data format " + std::to_string(format)), 0u);
  }
}

Init chunked_init(std::string inline_bytes, std::optional<std::int64_t> size = {},
                  std::optional<std::uint32_t> crc32 = {}) {
  Init init = some_init();
  init.chunked = true;
  init.udf.bytes = std::move(inline_bytes);
  init.udf.size = size;
  init.udf.crc32 = crc32;
  return init;
}

TEST(GrpcSession, PayloadIsInlineBytesAndThenChunks) {
  // The check value of this CRC: that of the nine digits.
  EXPECT_EQ(crc32_of("123456789"), 0xCBF43926u);
  Exchange exchange;
  EXPECT_EQ(exchange.init(chunked_init("123", 9, 0xCBF43926)), "");
  EXPECT_EQ(exchange.chunk("4567"), "");
  EXPECT_EQ(exchange.chunk("89", true), "start");
  EXPECT_EQ(std::get<Start>(exchange.last.front()).init.udf.bytes, "123456789");
  EXPECT_EQ(exchange.ready(), "init");
}

TEST(GrpcSession, PayloadThatIsNotAsAnnouncedNeverStartsTheFunction) {
  struct Case {
    Init init;
    std::vector<PayloadChunk> chunks;
    std::string text;
  };
  Init without_format = some_init();
  without_format.udf.format = "";
  Init other_crc = some_init();
  other_crc.udf.crc32 = crc32_of("payload") ^ 1u;
  Init negative = some_init();
  negative.udf.size = -1;
  Init huge = chunked_init("", std::int64_t{1} << 62);
  Init short_of = some_init();
  short_of.udf.size = 8;
  Init beyond = some_init();
  beyond.udf.size = 6;
  const std::vector<Case> cases = {
      {without_format, {}, "a payload without a format"},
      {other_crc, {}, "a payload whose CRC-32 is"},
      {negative, {}, "a payload of -1 bytes"},
      {huge, {}, "a payload of at least 4611686018427387904 bytes, at most 1000 are taken"},
      {short_of, {}, "a payload of 7 bytes, where 8 were announced"},
      {beyond, {}, "a payload of at least 7 bytes, where 6 were announced"},
      {chunked_init("123", 9, 0xCBF43927),
       {{"456789", true}},
       "a payload whose CRC-32 is 0xcbf43926"},
      {chunked_init("", 5), {{"123", false}, {"456", false}}, "a payload of at least 6 bytes"},
      {chunked_init("", 5), {{"1234", true}}, "a payload of 4 bytes, where 5 were announced"},
      {chunked_init(""),
       {{std::string(kPayloadMax, 'x'), false}, {"y", false}},
       "a payload of at least 1001 bytes, at most 1000 are taken"},
      {chunked_init(""), {{"", false}}, "a chunk of the payload without bytes"},
      {chunked_init(""), {{"", true}}, "a chunk of the payload without bytes"},
  };
  for (const Case& one : cases) {
    Exchange exchange;
    std::string trace = exchange.init(one.init);
    for (const PayloadChunk& chunk : one.chunks) {
      EXPECT_EQ(trace, "") << one.text;
      trace = exchange.chunk(chunk.bytes, chunk.last);
    }
    EXPECT_EQ(trace, "init protocol, cancel, close") << one.text;
    EXPECT_EQ(exchange.error().find("ProtocolError: " + one.text), 0u) << exchange.error();
  }
}

TEST(GrpcSession, ChunksOutOfPlaceAreViolations) {
  Exchange before;
  EXPECT_EQ(before.chunk("x"), "init protocol, cancel, close");
  Exchange unannounced;
  EXPECT_EQ(unannounced.init(), "start");
  EXPECT_EQ(unannounced.chunk("x"), "stop, init protocol");
  Exchange after_last;
  EXPECT_EQ(after_last.init(chunked_init("")), "");
  EXPECT_EQ(after_last.chunk("x", true), "start");
  EXPECT_EQ(after_last.chunk("y", true), "stop, init protocol");
  Exchange late = streaming();
  EXPECT_EQ(late.chunk("x"), "stop, error protocol");
  // The last one never comes.
  Exchange unending;
  EXPECT_EQ(unending.init(chunked_init("")), "");
  EXPECT_EQ(unending.chunk("x"), "");
  EXPECT_EQ(unending.finish(), "init protocol, cancel, close");
}

TEST(GrpcSession, DataHasBytes) {
  Exchange exchange = streaming();
  EXPECT_EQ(exchange.data(0), "drop, stop, error protocol");
  EXPECT_EQ(exchange.error(), "ProtocolError: data without bytes");
}

TEST(GrpcSession, MessagesThatSayNothingAreViolations) {
  Exchange unknown = streaming();
  EXPECT_EQ(unknown.say(unknown.session.received(Unknown{})), "stop, error protocol");
  Exchange garbage = streaming();
  EXPECT_EQ(garbage.say(garbage.session.received_garbage("no message")), "stop, error protocol");
  EXPECT_EQ(garbage.error(), "ProtocolError: no message");
}

}  // namespace
}  // namespace forebay::grpc::test
