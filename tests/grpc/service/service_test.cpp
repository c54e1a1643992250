// SPDX-License-Identifier: Apache-2.0

// Sessions over a real Unix socket, and over TCP.

#include <grp.h>

#include <thread>

#include "forebay/socket/descriptor.h"
#include "support.h"

namespace forebay::grpc::test {
namespace {

using std::chrono::milliseconds;

TEST(GrpcService, SessionRunsFromInitToFinish) {
  Service service([](Execution& execution) {
    EXPECT_EQ(execution.init().udf.bytes, "payload");
    EXPECT_EQ(execution.init().task_context.at("partition"), "7");
    echo(execution);
  });
  Init init = some_init();
  init.task_context["partition"] = "7";
  init.input_schema = "schema";
  ClientSession session = service.client.open(init);
  EXPECT_EQ(next_of(session).words, "init");
  const std::string large = pattern(3'000'000);
  EXPECT_TRUE(send(session, "small"));
  EXPECT_TRUE(send(session, large));
  EXPECT_TRUE(session.finish());
  const Told told = all_of(session);
  EXPECT_EQ(told.words, "finish");
  EXPECT_EQ(told.data, "schemasmall" + large + kArrowEnd);
  EXPECT_EQ(told.metrics.at("bytes_in"), std::to_string(5 + large.size()));
  EXPECT_EQ(told.metrics.at("batches_in"), "2");
  EXPECT_EQ(told.metrics.at("bytes_out"), std::to_string(told.data.size()));
}

TEST(GrpcService, PayloadComesInChunks) {
  std::promise<std::string> payload;
  Service service([&](Execution& execution) {
    payload.set_value(execution.init().udf.bytes);
    drain(execution);
  });
  Init init = some_init();
  init.chunked = true;
  ClientSession session = service.client.open(init);
  const std::string more = pattern(200'000);
  EXPECT_TRUE(session.send(Request(PayloadChunk{more, false})));
  EXPECT_TRUE(session.send(Request(PayloadChunk{"end", true})));
  EXPECT_EQ(next_of(session).words, "init");
  EXPECT_EQ(payload.get_future().get(), "payload" + more + "end");
  EXPECT_TRUE(session.finish());
  EXPECT_EQ(all_of(session).words, "finish");
}

TEST(GrpcService, BothLoopbackAddressesServe) {
  const std::uint16_t port = socket::Listener::listen_loopback(0).port();
  Server server(Connection(port), [] { return std::make_unique<FunctionHandler>(drain); });
  EXPECT_EQ(server.port(), port);
  Client client(std::to_string(port));
  ClientSession session = client.open(some_init());
  EXPECT_EQ(next_of(session).words, "init");
  EXPECT_TRUE(session.finish());
  EXPECT_EQ(all_of(session).words, "finish");
  EXPECT_TRUE(socket::connect_loopback(port, socket::Loopback::ipv4));
  EXPECT_TRUE(socket::connect_loopback(port, socket::Loopback::ipv6));
}

TEST(GrpcService, SocketFileIsOursAloneAndGoesWithUs) {
  Folder folder;
  const std::string path = folder.file("w.sock");
  const auto make = [] { return std::make_unique<FunctionHandler>(drain); };
  {
    Server server(Connection(path), make);
    EXPECT_THROW(Server(Connection(path), make), AddressInUse);
    EXPECT_EQ(std::filesystem::status(path).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    Client client(path);
    EXPECT_NO_THROW((void)client.heartbeat(Deadline::after(std::chrono::seconds(5))));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(GrpcService, ConnectionsAreValidated) {
  EXPECT_EQ(std::get<std::uint16_t>(parse_connection("65535")), 65535);
  EXPECT_EQ(std::get<std::string>(parse_connection("/a/b.sock")), "/a/b.sock");
  EXPECT_NO_THROW((void)parse_connection("/" + std::string(106, 'x')));
  for (const std::string& text : {std::string("0"), std::string("65536"), std::string("99999"),
                                  std::string("-1"), std::string("80x"), std::string(""),
                                  "/" + std::string(107, 'x'), "/" + std::string(199, 'x')}) {
    EXPECT_THROW((void)parse_connection(text), InvalidConnection) << text;
  }
}

// --- Errors --------------------------------------------------------------------------------------

TEST(GrpcService, WhatAFunctionThrowsIsToldBehindItsData) {
  struct Case {
    Serve serve;
    std::string words;
    std::string error;
  };
  const auto say = [](Execution& execution) {
    execution.ready();
    std::vector<Chunk> message;
    message.push_back(Chunk::adopt(std::string("out")));
    execution.send(std::move(message));
  };
  const std::vector<Case> cases = {
      {[=](Execution& execution) {
         say(execution);
         throw UserError("mine");
       },
       "init, error user, cancel", "UserError: mine"},
      {[=](Execution& execution) {
         say(execution);
         throw std::runtime_error("lost");
       },
       "init, error worker, cancel", "lost"},
      {[=](Execution& execution) {
         say(execution);
         throw 7;
       },
       "init, error user, cancel", "UserError: it threw something that is no std::exception"},
      {[=](Execution& execution) {
         say(execution);
         throw forebay::ProtocolError("bad bytes", 3);
       },
       "init, error protocol, cancel", "ProtocolError: bad bytes, at offset 3"},
      {[](Execution&) { throw UserError("no such function"); }, "init user, cancel",
       "UserError: no such function"},
  };
  for (const Case& one : cases) {
    Service service(one.serve);
    ClientSession session = service.client.open(some_init());
    Told told;
    while (told.error.empty()) {
      auto reply = session.receive();
      ASSERT_TRUE(reply);
      add(told, *reply);
    }
    EXPECT_EQ(told.data, one.words.starts_with("init,") ? "out" : "");
    EXPECT_TRUE(session.cancel());
    while (auto reply = session.receive()) add(told, *reply);
    EXPECT_EQ(told.words, one.words);
    EXPECT_EQ(told.error, one.error);
  }
}

TEST(GrpcService, ViolationsAreToldInTheProtocol) {
  Service service(drain);
  struct Case {
    std::function<void(ClientSession&)> send;
    std::string words;
  };
  Init bad_crc = some_init();
  bad_crc.udf.crc32 = 1;
  const std::vector<Case> cases = {
      {[](ClientSession& session) { send(session, "early"); }, "init protocol, cancel"},
      {[](ClientSession& session) { session.finish(); }, "init protocol, cancel"},
      {[&](ClientSession& session) { session.send(Request(bad_crc)); }, "init protocol, cancel"},
      {[](ClientSession& session) { session.send_raw("\xFF\xFF no message"); },
       "init protocol, cancel"},
      {[](ClientSession& session) { session.send_raw(""); }, "init protocol, cancel"},
      {[](ClientSession& session) { session.half_close(); }, "init protocol, cancel"},
      {[](ClientSession& session) { session.cancel(); }, "cancel"},
      {[](ClientSession& session) {
         session.send(Request(some_init()));
         EXPECT_EQ(next_of(session).words, "init");
         session.send(Request(some_init()));
       },
       "error protocol, cancel"},
      {[](ClientSession& session) {
         session.send(Request(some_init()));
         EXPECT_EQ(next_of(session).words, "init");
         send(session, "");
       },
       "error protocol, cancel"},
  };
  for (const Case& one : cases) {
    ClientSession session = service.client.open();
    one.send(session);
    EXPECT_EQ(all_of(session).words, one.words);
  }
}

TEST(GrpcService, DataInAnUnusualEncodingIsDataToo) {
  Service service(echo);
  ClientSession session = service.client.open(some_init());
  EXPECT_EQ(next_of(session).words, "init");
  // A field that nobody knows stands before the data; and the length is written in two bytes.
  EXPECT_TRUE(session.send_raw(std::string("\x78\x01\x12\x04\x0A\x02hi", 8)));
  EXPECT_TRUE(session.send_raw(std::string("\x12\x84\x00\x0A\x02ho", 7)));
  EXPECT_TRUE(session.finish());
  const Told told = all_of(session);
  EXPECT_EQ(told.words, "finish");
  EXPECT_EQ(told.data, "hiho" + kArrowEnd);
}

TEST(GrpcService, MessageOfTheLimitPassesAndOneByteMoreBreaksTheCall) {
  ServerOptions options = plain_options();
  options.message_bytes_max = 100'000;
  Service service(drain, options);
  // A tag and a length of three bytes each for the message and for its bytes.
  constexpr std::size_t kHead = 8;
  for (const std::size_t more : {0u, 1u}) {
    ClientSession session = service.client.open(some_init());
    EXPECT_EQ(next_of(session).words, "init");
    send(session, pattern(options.message_bytes_max - kHead + more));
    session.finish();
    const Told told = all_of(session);
    EXPECT_EQ(told.words, more == 0 ? "finish" : "broken 8") << told.error;
  }
  eventually([&] { return service.server.sessions() == 0; });
}

TEST(GrpcService, OutputBeyondTheLimitIsAnErrorOfTheSession) {
  ServerOptions options = plain_options();
  options.message_bytes_max = 1000;
  Service service(
      [](Execution& execution) {
        execution.ready();
        std::vector<Chunk> message;
        message.push_back(Chunk::adopt(pattern(1001)));
        execution.send(std::move(message));
      },
      options);
  ClientSession session = service.client.open(some_init());
  EXPECT_EQ(next_of(session).words, "init");
  const Told told = next_of(session);
  EXPECT_EQ(told.words, "error protocol");
  EXPECT_EQ(told.error.find("LimitExceeded: bytes of one message"), 0u) << told.error;
  EXPECT_TRUE(session.cancel());
  EXPECT_EQ(all_of(session).words, "cancel");
}

// --- Cancelling ----------------------------------------------------------------------------------

TEST(GrpcService, CancelStopsAFunctionThatWaitsForInput) {
  std::promise<void> stopped;
  Service service([&](Execution& execution) {
    execution.ready();
    EXPECT_THROW((void)execution.input().read(1), Cancelled);
    EXPECT_TRUE(execution.stop().stop_requested());
    stopped.set_value();
    throw Cancelled();
  });
  ClientSession session = service.client.open(some_init());
  EXPECT_EQ(next_of(session).words, "init");
  EXPECT_TRUE(session.cancel("enough"));
  EXPECT_EQ(all_of(session).words, "cancel");
  stopped.get_future().get();
}

TEST(GrpcService, CancelIsSeenWhileDataIsQueued) {
  std::promise<void> go;
  std::promise<void> filled;
  Service service([&, gate = go.get_future().share()](Execution& execution) {
    execution.ready();
    eventually([&] { return execution.input().stats().bytes_in >= 50'000; });
    filled.set_value();
    // Nothing was read yet, and the function learns of the cancel.
    eventually([&] { return execution.stop().stop_requested(); });
    // More than came: without the cancel it would wait for ever.
    EXPECT_THROW((void)execution.input().read(50'001), Cancelled);
    throw Cancelled();
  });
  ClientSession session = service.client.open(some_init());
  EXPECT_EQ(next_of(session).words, "init");
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(send(session, pattern(1000)));
  filled.get_future().get();
  EXPECT_TRUE(session.cancel());
  EXPECT_EQ(all_of(session).words, "cancel");
}

TEST(GrpcService, FinishRacingCancelHasOneTerminator) {
  Service service(drain);
  const std::size_t rounds = forebay::test::from_environment("FOREBAY_GRPC_RACES", 200);
  for (std::size_t round = 0; round < rounds; ++round) {
    ClientSession session = service.client.open(some_init());
    EXPECT_EQ(next_of(session).words, "init");
    std::thread finish([&] { session.finish(); });
    session.cancel();
    finish.join();
    const std::string words = all_of(session).words;
    // Finish behind Cancel is a violation, which the terminator tells.
    EXPECT_TRUE(words == "finish" || words == "cancel" || words == "cancel protocol") << words;
  }
  eventually([&] { return service.server.sessions() == 0; });
  EXPECT_EQ(service.server.stats().sessions, rounds);
}

TEST(GrpcService, ClientThatBreaksOffStopsAFunctionThatSends) {
  std::promise<void> stopped;
  Service service([&](Execution& execution) {
    execution.ready();
    try {
      for (;;) {
        std::vector<Chunk> message;
        message.push_back(Chunk::adopt(pattern(100'000)));
        execution.send(std::move(message));
      }
    } catch (const Cancelled&) {
      stopped.set_value();
      throw;
    }
  });
  {
    ClientSession session = service.client.open(some_init());
    EXPECT_EQ(next_of(session).words, "init");
  }
  stopped.get_future().get();
  eventually([&] { return service.server.sessions() == 0; });
  // The next session is served on the same connection.
  ClientSession session = service.client.open(some_init());
  EXPECT_EQ(next_of(session).words, "init");
}

// --- Bounds --------------------------------------------------------------------------------------

TEST(GrpcService, InputStaysWithinItsBound) {
  ServerOptions options = plain_options();
  options.input_bytes_max = 256 << 10;
  std::uint64_t peak = 0;
  Service service(
      [&](Execution& execution) {
        execution.ready();
        eventually([&] { return execution.input().stats().bound_hits >= 1; });
        while (!execution.input().at_end()) (void)execution.input().read_some(1000);
        peak = execution.input().stats().bytes_peak;
      },
      options);
  ClientSession session = service.client.open(some_init());
  EXPECT_EQ(next_of(session).words, "init");
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(send(session, pattern(50'000)));
  EXPECT_TRUE(session.finish());
  const Told told = all_of(session);
  EXPECT_EQ(told.words, "finish");
  EXPECT_EQ(told.metrics.at("bytes_in"), "5000000");
  EXPECT_LE(peak, options.input_bytes_max);
}

TEST(GrpcService, SlowSessionsStallNeitherOthersNorManage) {
  std::promise<void> go;
  Service service([gate = go.get_future().share()](Execution& execution) {
    execution.ready();
    if (execution.init().udf.name == "slow") gate.wait();
    while (!execution.input().at_end()) {
      const ByteView view = execution.input().read_some(SIZE_MAX);
      std::vector<Chunk> message;
      message.push_back(Chunk::copy_of(view));
      execution.send(std::move(message));
    }
  });
  Init slow = some_init();
  slow.udf.name = "slow";
  std::vector<ClientSession> slow_ones;
  // One that does not read and one whose replies nobody takes, each on a connection of its own.
  Client other(service.folder.file("w.sock"));
  for (Client* client : {&other, &other, &other}) {
    slow_ones.push_back(client->open(slow));
    EXPECT_EQ(next_of(slow_ones.back()).words, "init");
    for (int i = 0; i < 8; ++i) EXPECT_TRUE(send(slow_ones.back(), pattern(1 << 20)));
  }
  for (int i = 0; i < 10; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(service.client.heartbeat(Deadline::after(std::chrono::seconds(20))).at("sessions"),
              "3");
    // Heartbeats of the busy connection pass too.
    (void)other.heartbeat(Deadline::after(std::chrono::seconds(20)));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(200));
  }
  ClientSession session = service.client.open(some_init());
  EXPECT_EQ(next_of(session).words, "init");
  EXPECT_TRUE(send(session, "quick"));
  EXPECT_TRUE(session.finish());
  EXPECT_EQ(all_of(session).data, "quick" + kArrowEnd);
  go.set_value();
  for (ClientSession& one : slow_ones) {
    EXPECT_TRUE(one.finish());
    EXPECT_EQ(all_of(one).data.size(), (std::size_t{8} << 20) + kArrowEnd.size());
  }
}

TEST(GrpcService, SessionsBeyondTheLimitAreRefusedAndManageIsNot) {
  ServerOptions options = plain_options();
  options.sessions_max = 2;
  Service service(drain, options);
  ClientSession one = service.client.open(some_init());
  ClientSession two = service.client.open(some_init());
  EXPECT_EQ(next_of(one).words, "init");
  EXPECT_EQ(next_of(two).words, "init");
  ClientSession three = service.client.open(some_init());
  const Told told = all_of(three);
  EXPECT_EQ(told.words, "broken 8");
  EXPECT_EQ(told.error, "LimitExceeded: at most 2 sessions are served at once");
  EXPECT_NO_THROW((void)service.client.heartbeat(Deadline::after(std::chrono::seconds(5))));
}

// --- Manage --------------------------------------------------------------------------------------

TEST(GrpcManage, ShutdownLetsSessionsEnd) {
  Service service(echo);
  ClientSession session = service.client.open(some_init());
  EXPECT_EQ(next_of(session).words, "init");
  const auto deadline = Deadline::after(std::chrono::seconds(20));
  EXPECT_FALSE(service.client.shut_down(false, deadline));
  EXPECT_FALSE(service.server.wait(Deadline::after(milliseconds(1))));
  ClientSession late = service.client.open(some_init());
  EXPECT_EQ(all_of(late).words, "broken 14");
  EXPECT_TRUE(send(session, "still"));
  EXPECT_TRUE(session.finish());
  EXPECT_EQ(all_of(session).data, "still" + kArrowEnd);
  EXPECT_TRUE(service.server.wait(deadline));
  EXPECT_TRUE(service.client.shut_down(false, deadline));
}

TEST(GrpcManage, ShutdownThatCancelsEndsSessionsAtOnce) {
  std::promise<void> go;
  Service service([gate = go.get_future().share()](Execution& execution) {
    execution.ready();
    gate.wait();
  });
  ClientSession session = service.client.open(some_init());
  EXPECT_EQ(next_of(session).words, "init");
  const auto deadline = Deadline::after(std::chrono::seconds(20));
  EXPECT_TRUE(service.client.shut_down(true, deadline, "maintenance"));
  const Told told = all_of(session);
  EXPECT_EQ(told.words, "error worker, cancel");
  EXPECT_EQ(told.error, "Cancelled: maintenance");
  EXPECT_TRUE(service.server.wait(deadline));
  EXPECT_EQ(service.server.functions(), 1u);
  go.set_value();
  eventually([&] { return service.server.functions() == 0; });
}

}  // namespace
}  // namespace forebay::grpc::test
