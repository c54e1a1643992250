// SPDX-License-Identifier: Apache-2.0

// The epochs alone: an issuer pins, retires and looks; guards are copied and dropped on other
// fibers, and outlive the domain. Whoever holds a guard finds what it protects alive; in the end
// everything was reclaimed once.

#include <memory>
#include <optional>

#include "forebay/epoch.h"
#include "scenario.h"

namespace forebay::deterministic {

namespace {

using Policy = detail::SystemPolicy;

struct Object : Retirable {
  int reclaimed = 0;
};

// A guard, and an object that was not retired when it was pinned.
struct Held {
  Guard guard;
  const Object* object = nullptr;
};

void hold(Mailbox<Held>& mail, std::uint64_t seed) {
  Random random(seed);
  std::vector<Held> held;
  const auto look = [](const Held& one) {
    require(one.object->reclaimed == 0, "an object was reclaimed under a guard");
  };
  Held one;
  while (mail.take(one)) {
    held.push_back(std::move(one));
    const std::size_t which = random.below(held.size());
    look(held[which]);
    switch (random.below(4)) {
      case 0:
        held.push_back(held[which]);
        break;
      case 1:
        break;
      default:
        look(held[which]);
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
    }
    yield();
  }
  for (const Held& left : held) look(left);
}

}  // namespace

void run_epochs(Random& random) {
  const std::size_t count = random.up_to(10);
  const auto objects = std::make_unique<Object[]>(count + 1);
  for (std::size_t i = 0; i <= count; ++i) {
    objects[i].reclaim = [](Retirable* retired) noexcept {
      ++static_cast<Object*>(retired)->reclaimed;
    };
  }
  {
    Mailbox<Held> mail;
    std::vector<Task> holders;
    for (std::size_t i = random.up_to(3); i-- > 0;) {
      holders.emplace_back("holder", [&mail, seed = random.next()] { hold(mail, seed); });
    }
    const bool scarce = random.one_in(4);
    g_memory_refused_once_in = 2;
    detail::DropWatch<Policy> watch;
    std::optional<EpochDomain> domain(std::in_place, 1 + random.below(40), &watch);
    std::vector<Guard> own;
    const auto issue = [&](std::size_t i) {
      for (std::size_t pins = random.below(3); pins-- > 0;) {
        try {
          Guard guard = domain->pin();
          if (random.one_in(3)) own.push_back(guard);
          mail.put({std::move(guard), &objects[i + random.below(count + 1 - i)]});
        } catch (const LimitExceeded&) {
          // So many live, or lived a moment ago.
        }
      }
      if (!own.empty() && random.one_in(2)) {
        std::swap(own.back(), own[random.below(own.size())]);
        own.pop_back();
      }
      const ScarceMemory memory(scarce);
      domain->retire(&objects[i]);
      if (!domain->held_back()) yield();
    };
    for (std::size_t i = 0; i < count; ++i) {
      if (random.one_in(4)) {
        const Task issuer("issuer", [&] { issue(i); });  // The role goes there and comes back.
      } else {
        issue(i);
      }
    }
    if (random.one_in(2)) domain->retire_last(&objects[count]);
    domain.reset();
    if (random.one_in(2)) own.clear();
    mail.close();
    holders.clear();
    own.clear();
  }
  for (std::size_t i = 0; i < count; ++i) {
    require(objects[i].reclaimed == 1, "an object was not reclaimed once");
  }
  require(objects[count].reclaimed <= 1, "the last object was reclaimed more than once");
}

}  // namespace forebay::deterministic
