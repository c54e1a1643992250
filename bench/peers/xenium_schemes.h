// SPDX-License-Identifier: Apache-2.0
#pragma once

// The schemes of xenium, each with the options that its authors give as the default.

#include <atomic>
#include <cstdint>
#include <xenium/reclamation/generic_epoch_based.hpp>
#include <xenium/reclamation/hazard_eras.hpp>
#include <xenium/reclamation/hazard_pointer.hpp>

#include "peers/reclaimed_block.h"

namespace forebay::bench {

template <class Reclaimer>
struct Xenium {
  struct Thread {};  // Threads register themselves, at first use.
  template <class Weight>
  class Source {
    struct Block : Reclaimer::template enable_concurrent_ptr<Block>, Content<Weight> {};
    using Pointer = typename Reclaimer::template concurrent_ptr<Block>;
    using Guard = typename Pointer::guard_ptr;

   public:
    Source() { block_.store(new Block); }
    ~Source() { delete block_.load().get(); }
    std::uint64_t read() {
      Guard guard;
      guard.acquire(block_, std::memory_order_acquire);
      return guard->value;
    }
    // A guard retires what it holds; there is no other way.
    void replace() { read_and_replace(); }
    std::uint64_t read_and_replace() {
      Guard guard;
      guard.acquire(block_, std::memory_order_acquire);
      const std::uint64_t value = guard->value;
      block_.store(new Block, std::memory_order_release);
      guard.reclaim();
      return value;
    }
    Guard pin() {
      Guard guard;
      guard.acquire(block_, std::memory_order_acquire);
      return guard;
    }

   private:
    Pointer block_;
  };
  static void settle() {}
};

using XeniumEpochs = Xenium<xenium::reclamation::epoch_based<>>;
using XeniumDebra = Xenium<xenium::reclamation::debra<>>;
using XeniumHazardPointers = Xenium<xenium::reclamation::hazard_pointer<>>;
using XeniumHazardEras = Xenium<xenium::reclamation::hazard_eras<>>;

}  // namespace forebay::bench
