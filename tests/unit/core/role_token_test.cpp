// SPDX-License-Identifier: Apache-2.0

// RoleToken: what belongs to the role is plain data, and one side at a time has it.

#include "forebay/detail/role_token.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "unit/core/support.h"

namespace forebay::test {
namespace {

using Token = detail::RoleToken<detail::SystemPolicy>;

TEST(RoleToken, BeginsWithTheReader) {
  const Token token;
  EXPECT_TRUE(token.with_reader());
  EXPECT_FALSE(token.recalled());
  EXPECT_FALSE(token.quitting());
}

TEST(RoleToken, QuitEndsAWaitForTheRole) {
  Token token;
  bool had_role = true;
  std::jthread thread([&] { had_role = token.await(); });
  token.quit();
  thread.join();
  EXPECT_FALSE(had_role);
}

TEST(RoleToken, QuitEndsAWaitAtAnyTime) {
  // The thread sleeps in some of the rounds, and is on its way there in others.
  for (int round = 0; round < 200; ++round) {
    Token token;
    std::atomic<bool> started = false;
    std::jthread thread([&] {
      started = true;
      EXPECT_FALSE(token.await());
    });
    while (!started) std::this_thread::yield();
    for (int i = 0; i < round; ++i) std::this_thread::yield();
    token.quit();
  }
}

TEST(RoleToken, QuitCountsEvenWhenTheRoleWasLent) {
  Token token;
  token.lend();
  token.quit();
  EXPECT_FALSE(token.await());
}

TEST(RoleToken, LendingTakesAnEarlierRecallBack) {
  Token token;
  token.recall();
  EXPECT_TRUE(token.recalled());
  token.lend();
  EXPECT_FALSE(token.recalled());
  EXPECT_FALSE(token.with_reader());
}

TEST(RoleToken, WhatBelongsToTheRoleIsSeenByWhoHasIt) {
  const int rounds =
      static_cast<int>(from_environment("FOREBAY_ROLE_ROUNDS", kSanitized ? 2'000 : 20'000));
  Token token;
  EventCount returned(0);
  long plain = 0;  // Belongs to the role: a data race here is the test's failure under TSan.
  std::jthread thread([&] {
    while (token.await()) {
      do {
        ++plain;
      } while (!token.recalled() && !token.quitting());
      token.give_back();
      returned.notify();
    }
  });

  long before = 0;
  for (int i = 0; i < rounds; ++i) {
    token.lend();
    token.recall();
    returned.await([&] { return token.with_reader(); });
    ASSERT_GT(plain, before);
    before = ++plain;
  }
  token.quit();
}

}  // namespace
}  // namespace forebay::test
