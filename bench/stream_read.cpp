// SPDX-License-Identifier: Apache-2.0
//
// What one small read costs: 4 and 8 bytes out of chunks of 64 KiB that are there already, on one
// thread. Every peer sums the same integers out of the same memory. The floor is a pointer that is
// moved and checked; the peer to beat is the port of Spark's class, which locks for every read.
//
// To compare: --benchmark_enable_random_interleaving=true --benchmark_repetitions=25

#include <benchmark/benchmark.h>
#include <forebay/forebay.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <stdexcept>

#include "peers/mutex_byte_stream.h"

namespace {

constexpr std::size_t kChunkBytes = std::size_t{64} << 10;

std::shared_ptr<const std::byte[]> chunk() {
  static const std::shared_ptr<const std::byte[]> memory = [] {
    auto bytes = std::make_shared<std::byte[]>(kChunkBytes);
    for (std::size_t i = 0; i < kChunkBytes; ++i) bytes[i] = static_cast<std::byte>(i * 31);
    return bytes;
  }();
  return memory;
}

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

class BoundsCheckedPointer {
 public:
  BoundsCheckedPointer(const std::byte* begin, std::size_t size)
      : current_(begin), end_(begin + size) {}
  const std::byte* read(std::size_t n) {
    if (n > static_cast<std::size_t>(end_ - current_)) throw std::out_of_range("read");
    const std::byte* const at = current_;
    current_ += n;
    return at;
  }

 private:
  const std::byte* current_;
  const std::byte* end_;
};

template <class T>
void report(benchmark::State& state, std::uint64_t sum) {
  benchmark::DoNotOptimize(sum);
  const auto reads = static_cast<std::int64_t>(kChunkBytes / sizeof(T));
  state.SetItemsProcessed(state.iterations() * reads);
}

template <class T>
void PointerBump(benchmark::State& state) {
  const auto memory = chunk();
  std::uint64_t sum = 0;
  for (auto _ : state) {
    BoundsCheckedPointer pointer(memory.get(), kChunkBytes);
    benchmark::DoNotOptimize(pointer);  // In memory, where a stream's cursor is.
    for (std::size_t i = 0; i < kChunkBytes / sizeof(T); ++i)
      sum += load<T>(pointer.read(sizeof(T)));
  }
  report<T>(state, sum);
}

template <class T>
void Forebay(benchmark::State& state) {
  const auto memory = chunk();
  auto [writer, reader] = forebay::make_stream();
  std::uint64_t sum = 0;
  for (auto _ : state) {
    writer.add_next_chunk(forebay::Chunk::borrow({memory.get(), kChunkBytes}, forebay::Release{}));
    for (std::size_t i = 0; i < kChunkBytes / sizeof(T); ++i) sum += reader.read_le<T>();
  }
  report<T>(state, sum);
}

template <class T>
void MutexPortOfSpark(benchmark::State& state) {
  const auto memory = chunk();
  peers::MutexByteStream stream;
  std::uint64_t sum = 0;
  for (auto _ : state) {
    stream.add_next_chunk({memory, {memory.get(), kChunkBytes}});
    for (std::size_t i = 0; i < kChunkBytes / sizeof(T); ++i) {
      sum += load<T>(stream.read(sizeof(T)).bytes.data());
    }
  }
  report<T>(state, sum);
}

}  // namespace

BENCHMARK(PointerBump<std::uint32_t>);
BENCHMARK(Forebay<std::uint32_t>);
BENCHMARK(MutexPortOfSpark<std::uint32_t>);
BENCHMARK(PointerBump<std::uint64_t>);
BENCHMARK(Forebay<std::uint64_t>);
BENCHMARK(MutexPortOfSpark<std::uint64_t>);
