// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a queue between two threads is asked to do, for any queue.
//
// An adapter is a class template over the item with a constructor that takes the size of the ring,
// and with one of these pairs; the harness waits where the queue does not:
//
//     void push(const T&);       void pop(T&);          // wait by themselves
//     bool try_push(const T&);   bool try_pop(T&);      // false: full, empty
//
// and, where the queue has it, in bulk: both return how many were moved.
//
//     std::size_t try_push_n(T*, std::size_t);   std::size_t try_pop_n(T*, std::size_t);
//
// All peers run the same loops: each word of an item is written and read, and a round that lost or
// changed an item is an error, not a figure.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "forebay/detail/futex.h"
#include "harness/partner.h"

namespace forebay::bench {

/// An item of `kBytes` bytes.
template <std::size_t kBytes>
struct Item {
  std::uint64_t words[kBytes / 8];

  /// The item with that number; never all zero.
  static Item make(std::uint64_t number) noexcept {
    Item item;
    for (std::uint64_t& word : item.words) word = ++number;
    return item;
  }
  [[nodiscard]] std::uint64_t sum() const noexcept {
    std::uint64_t sum = 0;
    for (const std::uint64_t word : words) sum += word;
    return sum;
  }
  /// What the items numbered from 0 to `count` add up to.
  static std::uint64_t sum_of(std::uint64_t count) noexcept {
    constexpr std::uint64_t kWords = kBytes / 8;
    return kWords * (count * (count - 1) / 2) + count * (kWords * (kWords + 1) / 2);
  }
};

template <class Peer, class T>
void push(Peer& peer, const T& item) {
  if constexpr (requires { peer.push(item); }) {
    peer.push(item);
  } else {
    while (!peer.try_push(item)) detail::cpu_pause();
  }
}

template <class Peer, class T>
void pop(Peer& peer, T& item) {
  if constexpr (requires { peer.pop(item); }) {
    peer.pop(item);
  } else {
    while (!peer.try_pop(item)) detail::cpu_pause();
  }
}

/// Sets what a round of `count` items took, or that it went wrong.
inline void report(benchmark::State& state, Partner::Clock::duration took, std::uint64_t count,
                   bool correct) {
  if (!correct) state.SkipWithError("an item was lost or changed");
  const double ns = std::chrono::duration<double, std::nano>(took).count();
  state.SetIterationTime(ns * 1e-9);
  state.counters["ns_per_item"] = ns / static_cast<double>(count);
}

/// Items to move in a round: some laps of the ring, and never so few that the start shows.
inline std::uint64_t items_per_round(std::size_t ring) {
  return std::max<std::uint64_t>(std::uint64_t{1} << 17, 4 * ring);
}

/// One thread pushes as fast as it can, the other pops.
template <class Peer, std::size_t kBytes>
void throughput(benchmark::State& state, std::size_t ring) {
  using T = Item<kBytes>;
  const std::uint64_t count = items_per_round(ring);
  for (auto _ : state) {
    Peer peer(ring);
    std::uint64_t sum = 0;
    const auto move = [&](std::uint64_t items) {
      return Partner::get().run(
          [&] {
            std::uint64_t seen = 0;
            T item{};
            for (std::uint64_t i = 0; i < items; ++i) {
              pop(peer, item);
              seen += item.sum();
            }
            sum = seen;
          },
          [&] {
            for (std::uint64_t i = 0; i < items; ++i) push(peer, T::make(i));
          });
    };
    move(2 * ring);  // Touches all its memory, on both cores.
    const auto took = move(count);
    report(state, took, count, sum == T::sum_of(count));
  }
}

/// As throughput, up to `kBatch` items with one call.
template <class Peer, std::size_t kBytes, std::size_t kBatch>
void bulk(benchmark::State& state, std::size_t ring) {
  using T = Item<kBytes>;
  const std::uint64_t count = items_per_round(ring);
  for (auto _ : state) {
    Peer peer(ring);
    std::uint64_t sum = 0;
    const auto move = [&](std::uint64_t items) {
      return Partner::get().run(
          [&] {
            std::uint64_t seen = 0;
            T batch[kBatch];
            for (std::uint64_t done = 0; done < items;) {
              const std::size_t some = peer.try_pop_n(batch, kBatch);
              if (some == 0) detail::cpu_pause();
              for (std::size_t i = 0; i < some; ++i) seen += batch[i].sum();
              done += some;
            }
            sum = seen;
          },
          [&] {
            T batch[kBatch];
            for (std::uint64_t done = 0; done < items; done += kBatch) {
              for (std::size_t i = 0; i < kBatch; ++i) batch[i] = T::make(done + i);
              for (std::size_t sent = 0; sent < kBatch;) {
                const std::size_t some = peer.try_push_n(batch + sent, kBatch - sent);
                if (some == 0) detail::cpu_pause();
                sent += some;
              }
            }
          });
    };
    move(2 * ring);
    const auto took = move(count);
    report(state, took, count, sum == T::sum_of(count));
  }
}

/// An item goes over one queue and comes back over another.
template <class Peer, std::size_t kBytes>
void round_trip(benchmark::State& state, std::size_t ring) {
  using T = Item<kBytes>;
  constexpr std::uint64_t kTrips = 1000;
  for (auto _ : state) {
    Peer there(ring);
    Peer back(ring);
    std::uint64_t sum = 0;
    const auto travel = [&](std::uint64_t trips) {
      return Partner::get().run(
          [&] {
            std::uint64_t seen = 0;
            T item{};
            for (std::uint64_t i = 0; i < trips; ++i) {
              push(there, T::make(i));
              pop(back, item);
              seen += item.sum();
            }
            sum = seen;
          },
          [&] {
            T item{};
            for (std::uint64_t i = 0; i < trips; ++i) {
              pop(there, item);
              push(back, item);
            }
          });
    };
    travel(kTrips / 8);
    const auto took = travel(kTrips);
    report(state, took, kTrips, sum == T::sum_of(kTrips));
  }
}

}  // namespace forebay::bench
