// SPDX-License-Identifier: Apache-2.0
#pragma once

// liburcu in three flavours, with the inlined read side.

#define _LGPL_SOURCE
#include <urcu/flavor.h>
#include <urcu/urcu-bp.h>
#include <urcu/urcu-memb.h>
#include <urcu/urcu-qsbr.h>

#include <atomic>
#include <cstdint>

#include "peers/reclaimed_block.h"

// Of several flavours in one file, the headers declare only the first one's.
extern "C" {
extern const rcu_flavor_struct urcu_memb_flavor;
extern const rcu_flavor_struct urcu_qsbr_flavor;
extern const rcu_flavor_struct urcu_bp_flavor;
}

namespace forebay::bench {

template <class Flavour>
struct Urcu {
  struct Thread {
    Thread() { Flavour::register_thread(); }
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;
    ~Thread() { Flavour::unregister_thread(); }
  };
  class Pin {
   public:
    Pin() { Flavour::lock(); }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin() { Flavour::unlock(); }
  };
  template <class Weight>
  class Source {
    struct Block : rcu_head, Content<Weight> {};

   public:
    Source() = default;
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    ~Source() { delete block_.load(std::memory_order_relaxed); }
    std::uint64_t read() {
      const Pin pin;
      return block_.load(std::memory_order_acquire)->value;
    }
    void replace() {
      Flavour::retire(block_.exchange(new Block, std::memory_order_acq_rel),
                      [](rcu_head* head) { delete static_cast<Block*>(head); });
    }
    std::uint64_t read_and_replace() {
      const Pin pin;
      const std::uint64_t value = block_.load(std::memory_order_acquire)->value;
      replace();
      return value;
    }
    Pin pin() { return {}; }

   private:
    std::atomic<Block*> block_{new Block};
  };
  /// Waits until everything that was retired is freed; part of what retiring costs.
  static void settle() { Flavour::settle(); }
};

struct MembFlavour {
  static void register_thread() { urcu_memb_register_thread(); }
  static void unregister_thread() { urcu_memb_unregister_thread(); }
  static void lock() { urcu_memb_read_lock(); }
  static void unlock() { urcu_memb_read_unlock(); }
  static void retire(rcu_head* head, void (*free)(rcu_head*)) {
    urcu_memb_flavor.update_call_rcu(head, free);
  }
  static void settle() { urcu_memb_flavor.barrier(); }
};

struct BpFlavour {
  static void register_thread() {}
  static void unregister_thread() {}
  static void lock() { urcu_bp_read_lock(); }
  static void unlock() { urcu_bp_read_unlock(); }
  static void retire(rcu_head* head, void (*free)(rcu_head*)) {
    urcu_bp_flavor.update_call_rcu(head, free);
  }
  static void settle() { urcu_bp_flavor.barrier(); }
};

/// A read costs nothing; that it is over is said by a quiescent state, after each as after a drop.
struct QsbrFlavour {
  static void register_thread() { urcu_qsbr_register_thread(); }
  static void unregister_thread() { urcu_qsbr_unregister_thread(); }
  static void lock() { urcu_qsbr_read_lock(); }
  static void unlock() {
    urcu_qsbr_read_unlock();
    urcu_qsbr_quiescent_state();
  }
  static void retire(rcu_head* head, void (*free)(rcu_head*)) {
    urcu_qsbr_flavor.update_call_rcu(head, free);
  }
  static void settle() { urcu_qsbr_flavor.barrier(); }
};

using UrcuMemb = Urcu<MembFlavour>;
using UrcuBp = Urcu<BpFlavour>;
using UrcuQsbr = Urcu<QsbrFlavour>;

}  // namespace forebay::bench
