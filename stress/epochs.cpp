// SPDX-License-Identifier: Apache-2.0

// Guards handed to other threads, which look at memory again and again while its owner has retired
// it. Reclaimed memory is poisoned and used again at once, so that a look that comes too late finds
// poison or the numbers of something newer.

#include <memory>
#include <thread>

#include "scenario.h"

namespace forebay::stress {

namespace {

constexpr std::uint64_t kPoison = 0xDDDDDDDDDDDDDDDD;
constexpr std::size_t kLooks = 64;  // at each object
constexpr std::size_t kObjects = 256;

struct Home;

struct Object : Retirable {
  // Plain memory, so that a reclaim that comes too early is a race to ThreadSanitizer as well.
  std::array<std::uint64_t, 16> words{};
  Home* home = nullptr;
};

// Where the objects of one issuer come from. Whoever reclaims gives back, so the list is locked.
struct Home {
  std::mutex mutex;
  std::vector<Object*> free;
  std::uint64_t reclaimed = 0;

  Object* take() {
    const std::lock_guard lock(mutex);
    if (free.empty()) return nullptr;
    Object* const object = free.back();
    free.pop_back();
    return object;
  }
};

void reclaim(Retirable* self) noexcept {
  auto* const object = static_cast<Object*>(self);
  object->words.fill(kPoison);
  const std::lock_guard lock(object->home->mutex);
  object->home->free.push_back(object);  // There is room for all of them.
  ++object->home->reclaimed;
}

struct Look {
  Guard guard;
  const Object* object = nullptr;
  std::uint64_t number = 0;
};

// Looks at what it is given until it is given nothing.
void look(Run& run, SpscQueue<Look>& queue, std::atomic<bool>& stale) {
  for (Look job;;) {
    while (!queue.try_pop(job)) std::this_thread::yield();
    if (job.object == nullptr) return;
    const Guard copy = job.guard;
    job.guard.reset();
    bool wrong = false;
    for (std::size_t i = 0; i < kLooks; ++i) {
      const volatile std::uint64_t& word = job.object->words[i % job.object->words.size()];
      wrong |= word != job.number;
    }
    if (wrong) stale = true;
    run.count(Counted::protected_reads, kLooks);
  }
}

void issue(Run& run, std::vector<std::unique_ptr<SpscQueue<Look>>>& queues) {
  Home home;
  std::vector<Object> objects(kObjects);
  for (Object& object : objects) {
    object.home = &home;
    object.reclaim = reclaim;
    home.free.push_back(&object);
  }
  std::uint64_t number = 0;
  {
    EpochDomain domain;
    for (; number % 64 != 0 || !run.expired(); ++number) {
      Object* object;
      while ((object = home.take()) == nullptr) std::this_thread::yield();
      object->words.fill(number);
      Look job{domain.pin(), object, number};
      SpscQueue<Look>& queue = *queues[number % queues.size()];
      while (!queue.try_push(std::move(job))) std::this_thread::yield();
      domain.retire(object);
      run.count(Counted::retirements);
    }
    for (const auto& queue : queues) {
      while (!queue->try_push(Look{})) std::this_thread::yield();
    }
  }
  // The workers drop the last guards.
  for (;;) {
    const std::lock_guard lock(home.mutex);
    if (home.reclaimed == number) break;
  }
  require(home.free.size() == kObjects, "memory was reclaimed twice or not at all");
}

}  // namespace

void guards_on_threads(Run& run) {
  const int workers = std::max(1, run.threads() - 1);
  std::vector<std::unique_ptr<SpscQueue<Look>>> queues;
  for (int i = 0; i < workers; ++i) queues.push_back(std::make_unique<SpscQueue<Look>>(16));
  std::atomic<bool> stale{false};
  run.on_threads(workers + 1, [&](int thread) {
    if (thread == workers) {
      issue(run, queues);
    } else {
      look(run, *queues[static_cast<std::size_t>(thread)], stale);
    }
  });
  require(!stale, "a stale read: memory under a guard was reclaimed");
  run.checked();
}

}  // namespace forebay::stress
