// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every scheme of the reclamation benchmark protects and retires, and the schemes of the
// standard library.
//
// A scheme is a class with
//     Thread    what a thread that uses it keeps for as long as it does
//     Source    one pointer to the present block of a stream, with
//       read()     pins, reads a word of the block and drops
//       replace()  puts a new block in the old one's place and retires that, without a pin
//       read_and_replace()  both, under one pin
//       pin()      a hold that may be kept, on the thread that made it
//     settle()  gives back everything that nobody holds, as far as the scheme can be asked to

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace forebay::bench {

inline constexpr std::size_t kBlockBytes = std::size_t{64} << 10;

/// What a block weighs. A small one is for what a scheme costs by itself.
struct Small {
  static constexpr bool kCounted = false;
  std::byte bytes[32];
};
/// Large blocks are counted, for each scheme by itself: some free the last ones late or never.
template <class Scheme>
struct Large {
  static constexpr bool kCounted = true;
  static inline std::atomic<std::int64_t> alive{0};
  std::byte bytes[kBlockBytes - 256];
};

template <class Weight>
struct Content {
  Content() noexcept {
    if constexpr (Weight::kCounted) Weight::alive.fetch_add(1, std::memory_order_relaxed);
  }
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;
  ~Content() {
    if constexpr (Weight::kCounted) Weight::alive.fetch_sub(1, std::memory_order_relaxed);
  }
  std::uint64_t value = 1;
  Weight weight;  // not written: a block comes as it is
};

/// No protection: the limit.
struct BareLoad {
  struct Thread {};
  template <class Weight>
  class Source {
    using Block = Content<Weight>;

   public:
    Source() = default;
    ~Source() { delete block_.load(std::memory_order_relaxed); }
    std::uint64_t read() { return block_.load(std::memory_order_acquire)->value; }
    /// Frees at once: nobody else looks.
    void replace() { delete block_.exchange(new Block, std::memory_order_acq_rel); }
    std::uint64_t read_and_replace() {
      const std::uint64_t value = read();
      replace();
      return value;
    }
    const Block* pin() { return block_.load(std::memory_order_acquire); }

   private:
    std::atomic<Block*> block_{new Block};
  };
  static void settle() {}
};

/// A counted pointer that one thread copies and replaces.
struct SharedPtr {
  struct Thread {};
  template <class Weight>
  class Source {
    using Block = Content<Weight>;

   public:
    std::uint64_t read() {
      const std::shared_ptr<Block> held = block_;
      return held->value;
    }
    void replace() { block_ = std::make_shared<Block>(); }
    std::uint64_t read_and_replace() {
      const std::shared_ptr<Block> held = block_;
      replace();
      return held->value;
    }
    std::shared_ptr<Block> pin() { return block_; }

   private:
    std::shared_ptr<Block> block_ = std::make_shared<Block>();
  };
  static void settle() {}
};

/// The same that any thread may copy and replace.
struct AtomicSharedPtr {
  struct Thread {};
  template <class Weight>
  class Source {
    using Block = Content<Weight>;

   public:
    std::uint64_t read() { return pin()->value; }
    void replace() { block_.store(std::make_shared<Block>(), std::memory_order_release); }
    std::uint64_t read_and_replace() {
      const std::shared_ptr<Block> held = pin();
      replace();
      return held->value;
    }
    std::shared_ptr<Block> pin() { return block_.load(std::memory_order_acquire); }

   private:
    std::atomic<std::shared_ptr<Block>> block_{std::make_shared<Block>()};
  };
  static void settle() {}
};

}  // namespace forebay::bench
