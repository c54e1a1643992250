// SPDX-License-Identifier: Apache-2.0
//
// Views on many threads: the reader cuts the stream into records and hands each to a oneTBB task
// together with a guard, which keeps the record's memory until the task is done. Nothing is copied,
// and what the tasks have not finished yet counts against the stream's bound, so that a fast sender
// waits for slow tasks.

#include <forebay/forebay.h>
#include <oneapi/tbb/task_group.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <thread>
#include <vector>

int main() {
  constexpr std::size_t kRecordBytes = 4096;
  constexpr std::size_t kChunks = 256;
  constexpr std::size_t kRecordsPerChunk = 16;

  auto [writer, reader] = forebay::make_stream({.max_bytes = 1 << 20});
  std::jthread receiver([writer = std::move(writer)]() mutable {
    for (std::size_t i = 0; i < kChunks; ++i) {
      std::vector<std::byte> chunk(kRecordBytes * kRecordsPerChunk, std::byte{1});
      writer.add_next_chunk(forebay::Chunk::adopt(std::move(chunk)));
    }
    writer.finish();
  });

  std::atomic<std::uint64_t> sum{0};
  oneapi::tbb::task_group tasks;
  while (!reader.at_end()) {
    // Pinned before the read: the guard keeps this view, and the reader may go on at once.
    const forebay::Guard guard = reader.pin();
    const forebay::ByteView record = reader.read(kRecordBytes);
    tasks.run([&sum, guard, record] {
      std::uint64_t part = 0;
      for (const std::byte byte : record) part += std::to_integer<std::uint64_t>(byte);
      sum.fetch_add(part, std::memory_order_relaxed);
    });
  }
  tasks.wait();

  const std::uint64_t expected = kRecordBytes * kRecordsPerChunk * kChunks;
  std::printf("sum %llu of %llu, %llu bytes copied\n", static_cast<unsigned long long>(sum.load()),
              static_cast<unsigned long long>(expected),
              static_cast<unsigned long long>(reader.stats().bytes_copied));
  return sum == expected && reader.stats().bytes_copied == 0 ? 0 : 1;
}
