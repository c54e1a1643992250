// SPDX-License-Identifier: Apache-2.0

// Guards and shares that others hold: in tasks, after the stream, and for too long.

#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "scenario.h"

namespace forebay::stress {

namespace {

constexpr std::size_t kChunkBytes = 4096;

// Adds chunks until the run is over, or `chunks` of them.
void write(StreamWriter writer, std::uint64_t chunks, Run& run) {
  write_with(std::move(writer), [&](StreamWriter& to) {
    for (std::uint64_t i = 0; i < chunks && !run.expired(); ++i) {
      to.add_next_chunk(make_chunk(run, 0, i * kChunkBytes, kChunkBytes));
    }
  });
}

}  // namespace

void guards_in_tasks(Run& run) {
  std::atomic<bool> wrong{false};
  StreamOptions options;
  options.max_bytes = 16 * kChunkBytes;
  while (!run.expired()) {
    auto [writer, reader] = make_stream(options);
    const Run::Watched watched(run, reader);
    std::jthread writing([&, &own = writer] { write(std::move(own), 2000, run); });
    oneapi::tbb::task_arena arena(run.threads());
    oneapi::tbb::task_group tasks;
    Random random = run.random(run.counted(Counted::checks));
    for (std::uint64_t at = 0; !reader.at_end(); run.checked()) {
      Guard guard = reader.pin();
      const ByteView view = reader.read_some(1 + pick(random, kChunkBytes));
      arena.execute([&] {
        tasks.run([&wrong, guard, view, at] {
          for (std::size_t i = 0; i < view.size(); ++i) {
            if (view[i] != byte_at(0, at + i)) wrong = true;
          }
        });
      });
      at += view.size();
    }
    arena.execute([&] { tasks.wait(); });
    writing.join();
    require(!wrong, "a view changed under its guard");
    require(reader.try_read(1).status == ReadStatus::end, "the end was lost");
    require(reader.stats().bytes_retained == 0, "memory is counted that nobody holds");
  }
}

void outliving_shares(Run& run) {
  run.on_threads(run.threads(), [&](int thread) {
    Random random = run.random(static_cast<std::uint64_t>(thread));
    struct Held {
      SharedBytes bytes;
      std::uint64_t at;
    };
    std::deque<Held> held;
    for (; !run.expired(); run.checked()) {
      std::optional<Stream> stream(make_stream());
      const std::size_t chunks = 1 + pick(random, 8);
      std::jthread writing([&, chunks, writer = std::move(stream->writer)]() mutable {
        write(std::move(writer), chunks, run);
      });
      Guard guard = stream->reader.pin();
      for (std::uint64_t at = 0; !stream->reader.at_end();) {
        const ByteView view = stream->reader.read_some(1 + pick(random, kChunkBytes));
        const auto retention = pick(random, 2) == 0 ? Retention::bounded : Retention::detached;
        held.push_back({stream->reader.share(view, retention), at});
        if (pick(random, 4) == 0) held.back().bytes = held.back().bytes.compact();
        at += view.size();
      }
      writing.join();
      stream.reset();
      guard.reset();
      while (held.size() > 64) {
        require_bytes(held.front().bytes, 0, held.front().at);
        held.pop_front();
      }
    }
  });
}

void stalled_holders(Run& run) {
  StreamOptions options;
  options.max_bytes = 4 * kChunkBytes;
  options.retention_grace = std::chrono::nanoseconds(0);
  Random random = run.random(0);
  while (!run.expired()) {
    auto [writer, reader] = make_stream(options);
    const Run::Watched watched(run, reader);
    std::jthread writing([&, &own = writer] { write(std::move(own), 500, run); });
    struct Held {
      Guard guard;
      ByteView view;
      std::uint64_t at;
    };
    std::mutex mutex;
    std::deque<Held> held;
    std::atomic<bool> over{false};
    // Drops now and then, so that the reader is told of exhaustion, or is fed in the last moment.
    std::jthread dropping([&, seed = random()] {
      Random mine(seed);
      while (!over) {
        std::optional<Held> dropped;
        {
          const std::lock_guard lock(mutex);
          if (!held.empty() && pick(mine, 2) == 0) {
            dropped = std::move(held.front());
            held.pop_front();
          }
        }
        std::this_thread::yield();
      }
    });
    const auto drop_all = [&] {
      const std::lock_guard lock(mutex);
      for (const Held& one : held) require_bytes(one.view, 0, one.at);
      held.clear();
    };
    try {
      for (std::uint64_t at = 0;; run.checked()) {
        try {
          if (reader.at_end()) break;
          Guard guard = reader.pin();
          const ByteView view = reader.read_some(1 + pick(random, 2 * kChunkBytes));
          {
            const std::lock_guard lock(mutex);
            held.push_back({std::move(guard), view, at});
          }
          at += view.size();
          require(run.chunks_alive <= 6, "a stalled holder did not stop the writer");
        } catch (const RetainedBudgetExhausted&) {
          drop_all();
        }
      }
    } catch (...) {
      over = true;
      reader.cancel();
      throw;
    }
    over = true;
    dropping.join();
    drop_all();
    writing.join();
  }
}

}  // namespace forebay::stress
