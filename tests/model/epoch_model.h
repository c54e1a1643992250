// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the models of the epochs share: objects that notice when they are reclaimed too early or
// twice, and boxes that carry guards between threads.

#include "forebay/epoch.h"
#include "model.h"

namespace forebay::model {

/// Makes the allocations that may fail fail now and then; off by default.
inline bool g_memory_may_be_short = false;

}  // namespace forebay::model

void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  if (forebay::model::g_memory_may_be_short && rl::rand(2) == 0) return nullptr;
  return ::operator new(bytes);
}

namespace forebay::model {
using Domain = BasicEpochDomain<ModelPolicy>;
using HeldGuard = BasicGuard<ModelPolicy>;
using Watch = detail::DropWatch<ModelPolicy>;

/// What is retired. Holders read `content`; reclaiming writes it, which is a race if a holder has
/// not let go or if its reading does not come before.
struct Object : Retirable {
  Var<int> content = 0;
  Var<int> reclaimed = 0;
  Object() {
    reclaim = [](Retirable* self) noexcept {
      auto* const object = static_cast<Object*>(self);
      object->content = -1;
      object->reclaimed = static_cast<int>(object->reclaimed) + 1;
    };
  }
  void hold() const { MODEL_CHECK(static_cast<int>(content) >= 0); }
};

/// Carries a guard and what it protects to a worker.
struct Mailbox {
  Gate full;
  HeldGuard guard;
  void send(HeldGuard held) {
    guard = std::move(held);
    full.open();
  }
  HeldGuard receive() {
    full.pass();
    return std::move(guard);
  }
};

template <class Derived, int kThreads, int kObjects, int kBoxes>
struct EpochTest : Test<Derived, kThreads> {
  std::unique_ptr<Domain> domain;
  std::unique_ptr<Object[]> objects;
  std::unique_ptr<Mailbox[]> boxes;

  void before() {
    domain = std::make_unique<Domain>();
    objects = std::make_unique<Object[]>(kObjects);
    boxes = std::make_unique<Mailbox[]>(kBoxes);
  }
  /// Everything that was retired is reclaimed once when the domain and all guards are gone.
  void after() {
    domain.reset();
    boxes.reset();
    for (int i = 0; i < kObjects; ++i) MODEL_CHECK(static_cast<int>(objects[i].reclaimed) == 1);
    objects.reset();
  }
  void fill(int i) { objects[i].content = i + 1; }
};

}  // namespace forebay::model
