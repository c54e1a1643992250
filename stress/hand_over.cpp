// SPDX-License-Identifier: Apache-2.0

// One stream at a time from one thread to another: every byte at its place, whatever the sizes and
// the calls.

#include <thread>

#include "scenario.h"

namespace forebay::stress {

namespace {

StreamOptions random_options(Random& random) {
  StreamOptions options;
  options.max_bytes = std::size_t{1} << pick(random, 20);
  options.max_items = 1 + pick(random, 64);
  options.retention_grace = std::chrono::nanoseconds(0);
  if (pick(random, 2) == 0) options.spin_max = std::chrono::nanoseconds(0);
  return options;
}

// Adds `total` bytes in random pieces.
void write(Run& run, StreamWriter& writer, Random random, std::uint64_t stream, std::uint64_t total,
           std::size_t largest) {
  for (std::uint64_t at = 0; at < total;) {
    const std::uint64_t size = std::min<std::uint64_t>(pick(random, largest + 1), total - at);
    Chunk chunk = make_chunk(run, stream, at, static_cast<std::size_t>(size));
    PushStatus status = PushStatus::would_block;
    switch (pick(random, 3)) {
      case 0:
        writer.add_next_chunk(std::move(chunk));
        break;
      case 1:
        while ((status = writer.try_add_next_chunk(chunk)) == PushStatus::would_block) {
          std::this_thread::yield();
        }
        require(status == PushStatus::ok, "a chunk was refused");
        break;
      default:
        while ((status = writer.add_next_chunk_until(
                    chunk, Deadline::after(std::chrono::microseconds(pick(random, 200))))) ==
               PushStatus::timed_out) {
        }
        require(status == PushStatus::ok, "a chunk was refused");
    }
    at += size;
  }
}

// One random read; the bytes it consumed.
std::size_t read_once(StreamReader& reader, Random& random, std::uint64_t stream,
                      std::uint64_t position, std::size_t left, std::size_t largest) {
  const std::size_t n = std::min(1 + pick(random, largest), left);
  switch (pick(random, 8)) {
    case 0: {
      require_bytes(reader.peek(n), stream, position);
      return 0;
    }
    case 1:
      require(reader.skip(n) == n, "fewer bytes were skipped than sent");
      return n;
    case 2: {
      std::vector<std::byte> out(n);
      require(reader.read_into(out) == n, "fewer bytes were read than sent");
      require_bytes(out, stream, position);
      return n;
    }
    case 3: {
      const ByteView view = reader.read_some(n);
      require(!view.empty(), "an end before the end");
      require_bytes(view, stream, position);
      return view.size();
    }
    case 4: {
      const ReadResult result = reader.try_read(n);
      if (result.status == ReadStatus::would_block) return 0;
      require(result.status == ReadStatus::ok, "a read was refused");
      require_bytes(result.view, stream, position);
      return n;
    }
    case 5: {
      const ReadResult result =
          reader.read_until(n, Deadline::after(std::chrono::microseconds(pick(random, 200))));
      if (result.status == ReadStatus::timed_out) return 0;
      require(result.status == ReadStatus::ok, "a read was refused");
      require_bytes(result.view, stream, position);
      return n;
    }
    default:
      require_bytes(reader.read(n), stream, position);
      return n;
  }
}

void one_stream(Run& run, Random& random, std::uint64_t stream) {
  const StreamOptions options = random_options(random);
  auto [writer, reader] = make_stream(options);
  const Run::Watched watched(run, reader);
  const std::size_t largest = std::size_t{1} << pick(random, 14);
  const std::size_t most = std::size_t{1} << pick(random, 14);
  // Some thousand calls of either side, whatever the sizes.
  const std::uint64_t total = pick(random, 2000 * std::min(largest, most));
  std::jthread writing([&run, &own = writer, seed = random(), stream, total, largest] {
    write_with(std::move(own),
               [&](StreamWriter& to) { write(run, to, Random(seed), stream, total, largest); });
  });
  try {
    for (std::uint64_t at = 0; at < total; run.checked()) {
      at += read_once(reader, random, stream, at, static_cast<std::size_t>(total - at), most);
    }
    require(reader.at_end(), "there is more than was sent");
    const StreamStats stats = reader.stats();
    require(stats.bytes_in == total, "the figures miss bytes");
    require(stats.bytes_peak <= std::max(options.max_bytes, largest),
            "more memory was used than the bound");
  } catch (...) {
    reader.cancel();  // The writer must not wait for a reader that gave up.
    throw;
  }
}

}  // namespace

void hand_over(Run& run) {
  Random random = run.random(0);
  for (std::uint64_t stream = 0; !run.expired(); ++stream) {
    one_stream(run, random, stream);
  }
}

}  // namespace forebay::stress
