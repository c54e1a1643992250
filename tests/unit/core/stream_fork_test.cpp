// SPDX-License-Identifier: Apache-2.0

// A child of fork() has its parent's streams and must leave them alone.

#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "unit/core/child.h"
#include "unit/core/support.h"

namespace forebay {
namespace {

using test::chunk;
using test::holds_in_child;
using test::text;

template <class Call>
bool throws_forked_child(Call&& call) {
  try {
    (void)call();
  } catch (const ForkedChild&) {
    return true;
  }
  return false;
}

TEST(StreamFork, EveryCallThatMayThrowSaysSo) {
#if FOREBAY_CHECKED
  auto [writer, reader] = make_stream();
  writer.add_next_chunk(chunk("abcdef"));
  ASSERT_EQ(text(reader.read(2)), "ab");  // What is left would need no call.

  EXPECT_TRUE(holds_in_child([&own = reader] {
    std::byte out[1];
    return throws_forked_child([&] { return own.read(1); }) &&
           throws_forked_child([&] { return own.read_some(1); }) &&
           throws_forked_child([&] { return own.peek(1); }) &&
           throws_forked_child([&] { return own.skip(1); }) &&
           throws_forked_child([&] { return own.read_into(out); }) &&
           throws_forked_child([&] { return own.read_gather(1); }) &&
           throws_forked_child([&] { return own.read_all(); }) &&
           throws_forked_child([&] { return own.read_be<std::uint16_t>(); }) &&
           throws_forked_child([&] { return own.try_read(1).status; }) &&
           throws_forked_child([&] { return own.read_until(1, Deadline::never()).status; }) &&
           throws_forked_child([&] { return own.at_end(); }) &&
           throws_forked_child([&] { return own.pin(); }) &&
           throws_forked_child([&] { return own.share({}); }) &&
           throws_forked_child([&] { return own.on_readable([](void*) {}, nullptr); });
  }));
  EXPECT_TRUE(holds_in_child([&own = writer] {
    Chunk one = chunk("x");
    return throws_forked_child([&] { return own.try_add_next_chunk(one); }) &&
           throws_forked_child([&] { return own.add_next_chunk_until(one, Deadline::never()); }) &&
           throws_forked_child([&] { return own.on_writable([](void*) {}, nullptr); }) &&
           throws_forked_child([&] {
             own.add_next_chunk(std::move(one));
             return true;
           });
  }));
  EXPECT_EQ(text(reader.read(4)), "cdef");
#else
  GTEST_SKIP() << "this build does not check the contract";
#endif
}

TEST(StreamFork, EndingAndDestructionInTheChildDoNothing) {
  int released = 0;
  {
    auto stream = std::make_unique<Stream>(make_stream());
    stream->writer.add_next_chunk(test::borrow("abc", released));
    EXPECT_TRUE(holds_in_child([&] {
      const auto& core = detail::StreamAccess::core(stream->reader);
      stream->reader.cancel();
      stream->writer.cancel();
      stream->writer.fail(std::make_error_code(std::errc::io_error));
      stream->writer.fail(std::make_exception_ptr(UserError("in the child")));
      stream->writer.finish();
      const bool untouched = !core.ended() && !core.is_cancelled();
      stream.reset();
      return untouched && released == 0;
    }));
    EXPECT_EQ(text(stream->reader.read(3)), "abc");
  }
  EXPECT_EQ(released, 1);
}

TEST(StreamFork, ChildHasStreamsOfItsOwn) {
  auto [writer, reader] = make_stream();
  EXPECT_TRUE(holds_in_child([] {
    auto [own_writer, own_reader] = make_stream(test::small(1));
    std::thread writing([&to = own_writer] {
      for (int i = 0; i < 1000; ++i) to.add_next_chunk(chunk("x"));  // Each waits for the last.
      to.finish();
    });
    std::size_t bytes = 0;
    while (!own_reader.at_end()) bytes += own_reader.read_some(1).size();
    writing.join();
    return bytes == 1000;
  }));
}

// A child of a child is no better.
TEST(StreamFork, GrandchildIsForkedToo) {
#if FOREBAY_CHECKED
  auto [writer, reader] = make_stream();
  EXPECT_TRUE(holds_in_child([&own = reader] {
    return holds_in_child(
        [&] { return throws_forked_child([&] { return own.try_read(1).status; }); });
  }));
#else
  GTEST_SKIP() << "this build does not check the contract";
#endif
}

}  // namespace
}  // namespace forebay
