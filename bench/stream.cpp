// SPDX-License-Identifier: Apache-2.0
//
// What it costs to read bytes that came in chunks, by each of the ways in which people do it.
//
//   <peer>/read/bytes:<n>/chunk:<m>/threads:<t>
//
// n: size of one read, or `chunk` for whatever is left of a chunk. m: size of a chunk. t: 1, the
// thread that reads adds the chunks; 2, a second thread adds them, as fast as the bound lets it,
// and the reader is measured in the midst of it. Every peer reads the same bytes and looks at the
// first of each read; before it is measured, it is checked that they are the right ones.
//
//   Forebay           forebay::StreamReader, statistics on
//   PointerBump       a pointer that is moved and checked, over contiguous memory: the floor
//   Cord              absl::Cord of external chunks, its chunk iterator
//   CodedInput        protobuf's CodedInputStream over a ZeroCopyInputStream of the chunks
//   ZeroCopyInput     the ZeroCopyInputStream, with a cursor
//   ArrowBufferReader arrow::io::BufferReader over contiguous memory: Read(n, out) for integers
//   Iostream          std::istream over a streambuf of the chunks
//   MutexPort         a port of Spark's class: a lock for every read
//   BatchSwap         two vectors under a mutex and an unlocked cursor: the honest rival
//
// `./dev bench stream` alternates the peers and compares the first quartiles of `ns_per_item`.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>

#include "harness/pin_thread.h"
#include "harness/received_bytes.h"
#include "peers/chunk_readers.h"
#include "peers/stream_hand_over.h"

namespace {

using forebay::bench::pin_this_thread;
using forebay::bench::ReceivedBytes;

constexpr std::size_t kWholeChunk = 0;
// What may be on its way between two threads.
constexpr std::size_t kBoundBytes = std::size_t{4} << 20;
// Chunks are added and read in batches of so many bytes, or of one chunk, where one thread does
// both.
constexpr std::size_t kBatchBytes = std::size_t{64} << 10;

struct Case {
  std::size_t read_bytes;
  std::size_t chunk_bytes;

  [[nodiscard]] std::size_t item_bytes() const {
    return read_bytes == kWholeChunk ? chunk_bytes : read_bytes;
  }
  [[nodiscard]] std::size_t reads_per_batch() const {
    return std::max(kBatchBytes, std::max(chunk_bytes, item_bytes())) / item_bytes();
  }
};

// Unrolled, where the compiler does, so that the loop is not what is measured. Plain loops all the
// same: a read that is passed as a callable is not inlined everywhere.
template <class Peer>
std::uint64_t read_all(Peer& peer, const Case& what, std::size_t reads) {
  std::uint64_t sum = 0;
  switch (what.read_bytes) {
    case kWholeChunk:
#pragma GCC unroll 8
      for (std::size_t i = 0; i < reads; ++i) {
        sum += peers::load<std::uint64_t>(peer.read_chunk().data());
      }
      break;
    case sizeof(std::uint32_t):
#pragma GCC unroll 8
      for (std::size_t i = 0; i < reads; ++i) sum += peer.template integer<std::uint32_t>();
      break;
    case sizeof(std::uint64_t):
#pragma GCC unroll 8
      for (std::size_t i = 0; i < reads; ++i) sum += peer.template integer<std::uint64_t>();
      break;
    default:
#pragma GCC unroll 8
      for (std::size_t i = 0; i < reads; ++i) {
        sum += peers::load<std::uint64_t>(peer.read(what.read_bytes));
      }
  }
  return sum;
}

// The reads of one batch, byte by byte against what they must be.
template <class Peer>
void check(Peer& peer, const ReceivedBytes& input, const Case& what, std::size_t reads,
           std::uint64_t position) {
  const auto same = [&](const std::byte* bytes, std::size_t n) {
    if (std::memcmp(bytes, input.at(position), n) != 0) throw std::runtime_error("wrong bytes");
    position += n;
  };
  for (std::size_t i = 0; i < reads; ++i) {
    if (what.read_bytes == kWholeChunk) {
      const std::span<const std::byte> chunk = peer.read_chunk();
      if (chunk.size() != what.chunk_bytes) throw std::runtime_error("not a whole chunk");
      same(chunk.data(), chunk.size());
    } else if (what.read_bytes == sizeof(std::uint64_t)) {
      const auto value = peer.template integer<std::uint64_t>();
      same(reinterpret_cast<const std::byte*>(&value), sizeof value);
    } else if (what.read_bytes == sizeof(std::uint32_t)) {
      const auto value = peer.template integer<std::uint32_t>();
      same(reinterpret_cast<const std::byte*>(&value), sizeof value);
    } else {
      same(peer.read(what.read_bytes), what.read_bytes);
    }
  }
}

void report(benchmark::State& state, const Case& what, std::size_t reads) {
  const auto items = static_cast<double>(state.iterations()) * static_cast<double>(reads);
  state.counters["ns_per_item"] =
      benchmark::Counter(items * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.SetBytesProcessed(
      static_cast<std::int64_t>(items * static_cast<double>(what.item_bytes())));
}

template <class Peer>
void alone(benchmark::State& state, const Case& what) {
  pin_this_thread(0);
  const ReceivedBytes input(what.chunk_bytes);
  const std::size_t reads = what.reads_per_batch();
  const std::size_t bytes = reads * what.item_bytes();
  Peer peer(input, kBoundBytes);
  std::uint64_t added = 0;   // chunks
  std::uint64_t wanted = 0;  // bytes
  const auto add = [&] {
    for (wanted += bytes; added * what.chunk_bytes < wanted; ++added) {
      if (!peer.add(input.chunk(added))) throw std::runtime_error("a chunk was not taken");
    }
  };
  for (int i = 0; i < 3; ++i) {
    add();
    peer.begin();
    check(peer, input, what, reads, wanted - bytes);
    peer.end();
  }
  std::uint64_t sum = 0;
  for (auto _ : state) {
    add();
    peer.begin();
    sum += read_all(peer, what, reads);
    peer.end();
  }
  benchmark::DoNotOptimize(sum);
  report(state, what, reads);
}

// Lets the writer go, however the reader ends.
template <class Peer>
struct Ending {
  Peer& peer;
  ~Ending() { peer.cancel(); }
};

template <class Peer>
void from_another_thread(benchmark::State& state, const Case& what) {
  const ReceivedBytes input(what.chunk_bytes);
  const std::size_t reads = what.reads_per_batch();
  Peer peer(input, kBoundBytes);
  pin_this_thread(0);
  std::jthread writer([&] {
    pin_this_thread(1);
    for (std::uint64_t i = 0; peer.add(input.chunk(i)); ++i) {
    }
  });
  const Ending ending{peer};
  // Also lets the writer come up to speed.
  for (std::uint64_t i = 0; i < 8; ++i) {
    check(peer, input, what, reads, i * reads * what.item_bytes());
  }
  std::uint64_t sum = 0;
  for (auto _ : state) sum += read_all(peer, what, reads);
  benchmark::DoNotOptimize(sum);
  report(state, what, reads);
}

void add_case(const char* peer, const Case& what, int threads,
              void (*run)(benchmark::State&, const Case&)) {
  const std::string read =
      what.read_bytes == kWholeChunk ? "chunk" : std::to_string(what.read_bytes);
  const std::string name = std::string(peer) + "/read/bytes:" + read +
                           "/chunk:" + std::to_string(what.chunk_bytes) +
                           "/threads:" + std::to_string(threads);
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    run(state, what);
  })->UseRealTime();
}

template <class Peer>
void add_peer_that_hands_over(const char* name, const Case& what) {
  add_case(name, what, 1, &alone<Peer>);
  add_case(name, what, 2, &from_another_thread<Peer>);
}

void add_all() {
  constexpr std::size_t kReads[] = {4, 8, 100, 4096, kWholeChunk};
  for (const std::size_t chunk_bytes : {512, 4 << 10, 64 << 10, 1 << 20}) {
    for (const std::size_t read_bytes : kReads) {
      const Case what{read_bytes, chunk_bytes};
      add_peer_that_hands_over<peers::ForebayPeer>("Forebay", what);
      add_peer_that_hands_over<peers::BatchSwapPeer>("BatchSwap", what);
      add_peer_that_hands_over<peers::MutexPortPeer>("MutexPort", what);
      add_case("PointerBump", what, 1, &alone<peers::PointerPeer>);
      add_case("Cord", what, 1, &alone<peers::CordPeer>);
      add_case("CodedInput", what, 1, &alone<peers::CodedInputPeer>);
      add_case("ZeroCopyInput", what, 1, &alone<peers::ZeroCopyInputPeer>);
      add_case("ArrowBufferReader", what, 1, &alone<peers::ArrowBufferReaderPeer>);
      add_case("Iostream", what, 1, &alone<peers::IostreamPeer>);
    }
  }
}

[[maybe_unused]] const bool g_added = (add_all(), true);

}  // namespace
