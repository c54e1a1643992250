// SPDX-License-Identifier: Apache-2.0

// How often the bytes of data are copied: hardly as slices; as aligned bodies at most once, and
// large ones hardly.

#include "support.h"
#include "unit/socket/arrow_frames.h"

namespace forebay::grpc::test {
namespace {

using forebay::test::ArrowStream;

// Messages of many sizes, and what they are cut into.
struct Messages {
  Messages() {
    for (const std::size_t body : {0u, 8u, 64u, 1000u, 70'000u, 1u << 20, 5u << 20, 300'000u}) {
      stream.add_message(256, body);
      bodies += body;
    }
  }
  // Each as one data message.
  void send_all(ClientSession& session) const {
    std::size_t at = 0;
    for (const auto& message : stream.messages) {
      const std::size_t size = message.head_bytes + message.body_bytes;
      EXPECT_TRUE(send(session, std::string(stream.bytes().substr(at, size))));
      at += size;
    }
  }
  ArrowStream stream;
  std::size_t bodies = 0;
};

TEST(GrpcCopies, SlicesAreSharedUnlessTheyAreSmall) {
  const Messages messages;
  ServerOptions options;
  options.placement = Placement::slices;
  std::string came;
  std::uint64_t copied = 1;
  Service service(
      [&](Execution& execution) {
        execution.ready();
        while (!execution.input().at_end()) {
          came += std::string_view(execution.input().read_some(SIZE_MAX));
        }
        copied = execution.input().stats().bytes_copied;
      },
      options);
  ClientSession session = service.client.open(some_init());
  EXPECT_EQ(next_of(session).words, "init");
  messages.send_all(session);
  EXPECT_TRUE(session.finish());
  EXPECT_EQ(all_of(session).words, "finish");
  EXPECT_EQ(came, std::string(messages.stream.bytes()) + kArrowEnd);
  EXPECT_EQ(copied, 0u);
  eventually([&] { return service.server.sessions() == 0; });
  const ServerStats stats = service.server.stats();
  EXPECT_EQ(stats.bytes_in, messages.stream.bytes().size());
  EXPECT_EQ(stats.bytes_gathered, 0u);
  EXPECT_EQ(stats.bytes_adopted, 0u);
  // But for small messages, and the ends of others.
  EXPECT_LE(stats.bytes_inlined, stats.bytes_in / 4);
}

TEST(GrpcCopies, BodiesLieInOneAlignedPieceAndLargeOnesAreReceivedThere) {
  const Messages messages;
  std::uint64_t copied = 1;
  std::size_t misplaced = 0;
  Service service(
      [&](Execution& execution) {
        execution.ready();
        std::size_t at = 0;
        for (const auto& message : messages.stream.messages) {
          (void)execution.input().skip(message.head_bytes);
          const std::uint64_t before = execution.input().stats().bytes_copied;
          const ByteView body = execution.input().read(message.body_bytes);
          EXPECT_EQ(execution.input().stats().bytes_copied, before);
          at += message.head_bytes;
          EXPECT_EQ(std::string_view(body), messages.stream.bytes().substr(at, message.body_bytes));
          at += message.body_bytes;
          if (!body.empty() && reinterpret_cast<std::uintptr_t>(body.data()) % 64 != 0) ++misplaced;
        }
        copied = execution.input().stats().bytes_copied;
        drain(execution);
      },
      ServerOptions{});
  ClientSession session = service.client.open(some_init());
  EXPECT_EQ(next_of(session).words, "init");
  messages.send_all(session);
  EXPECT_TRUE(session.finish());
  EXPECT_EQ(all_of(session).words, "finish");
  EXPECT_EQ(copied, 0u);
  EXPECT_EQ(misplaced, 0u);
  eventually([&] { return service.server.sessions() == 0; });
  // The beginning of each, and of each frame, comes with what stands before it.
  EXPECT_LE(service.server.stats().bytes_gathered, messages.bodies / 2);
}

TEST(GrpcCopies, DataThatIsNotOneWholeArrowMessageIsAViolation) {
  ArrowStream stream;
  stream.add_message(256, 1000);
  const std::string whole(stream.bytes());
  ArrowStream empty;
  empty.add_message(256, 0);
  const std::string no_body(empty.bytes());
  std::uint64_t came = 0;
  Service service(
      [&](Execution& execution) {
        execution.ready();
        while (!execution.input().at_end()) came += execution.input().read_some(SIZE_MAX).size();
      },
      ServerOptions{});
  for (const std::string& data :
       {whole.substr(0, whole.size() - 8), whole + "x", whole + whole, no_body + no_body,
        whole.substr(0, 100), whole.substr(0, 4), kArrowEnd, std::string("no Arrow at all")}) {
    ClientSession session = service.client.open(some_init());
    EXPECT_EQ(next_of(session).words, "init");
    send(session, data);
    const Told told = all_of(session);
    EXPECT_EQ(told.words, "error protocol, cancel") << data.size();
    EXPECT_EQ(told.error, "ProtocolError: data of " + std::to_string(data.size()) +
                              " bytes that is not one whole Arrow message");
  }
  EXPECT_EQ(came, 0u);
  for (const std::string& data : {whole, no_body}) {
    ClientSession session = service.client.open(some_init());
    EXPECT_EQ(next_of(session).words, "init");
    EXPECT_TRUE(send(session, data));
    EXPECT_TRUE(session.finish());
    EXPECT_EQ(all_of(session).words, "finish");
  }
}

}  // namespace
}  // namespace forebay::grpc::test
