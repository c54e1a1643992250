// SPDX-License-Identifier: Apache-2.0

// A child of fork() that destroys what it inherited does no harm to its parent.

#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "forebay/socket/receiver.h"
#include "unit/core/child.h"
#include "unit/socket/support.h"

namespace forebay::test {
namespace {

class Fork : public EachMode {};

TEST_P(Fork, ChildThatDestroysAReceiverLeavesTheConnectionAlone) {
  Wire wire = socket_pair();
  std::optional<SocketReceiver> receiver(std::in_place, std::move(wire.near), options());
  ASSERT_TRUE(write_all(wire.far, "abc"));
  ASSERT_EQ(text(receiver->reader().read(3)), "abc");

  EXPECT_TRUE(holds_in_child([&] {
    receiver->reader().cancel();
    receiver.reset();  // There is no thread to join.
    return true;
  }));

  ASSERT_TRUE(write_all(wire.far, "def"));
  EXPECT_EQ(text(receiver->reader().read(3)), "def");
}

TEST_P(Fork, ChildThatAssignsToAReceiverLeavesTheConnectionAlone) {
  Wire wire = socket_pair();
  SocketReceiver receiver(std::move(wire.near), options());

  EXPECT_TRUE(holds_in_child([&] {
    SocketReceiver other = std::move(receiver);
    other = SocketReceiver(Descriptor(::dup(wire.far.get())), {.mode = ReceiveMode::inline_});
    return true;
  }));

  ASSERT_TRUE(write_all(wire.far, "abc"));
  EXPECT_EQ(text(receiver.reader().read(3)), "abc");
}

FOREBAY_INSTANTIATE_MODES(Fork);

TEST(ForkedListener, LeavesTheSocketFileToItsParent) {
  const TemporaryFolder folder;
  std::optional<Listener> listener(Listener::listen_unix(folder / "socket"));
  EXPECT_TRUE(holds_in_child([&] {
    listener.reset();
    return true;
  }));
  EXPECT_TRUE(socket::connect_unix(folder / "socket"));
}

}  // namespace
}  // namespace forebay::test
