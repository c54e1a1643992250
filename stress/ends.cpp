// SPDX-License-Identifier: Apache-2.0

// finish(), fail() and cancel() against every call of the other side, and ends that are destroyed
// as soon as they were left.

#include <latch>
#include <optional>
#include <thread>

#include "scenario.h"

namespace forebay::stress {

namespace {

enum class Ending : std::uint8_t { finish, fail, abandon, cancel };

struct Failed : std::runtime_error {
  Failed() : runtime_error("failed by the scenario") {}
};

// Adds until a random moment, and ends. The bytes added.
std::uint64_t write(Run& run, StreamWriter writer, Random random, Ending ending) {
  std::uint64_t at = 0;
  try {
    for (std::size_t left = pick(random, 40); left != 0; --left) {
      const std::size_t size = 1 + pick(random, 60);
      writer.add_next_chunk(make_chunk(run, 0, at, size));
      at += size;
    }
  } catch (const Cancelled&) {
    return at;
  }
  if (ending == Ending::finish) writer.finish();
  if (ending == Ending::fail) writer.fail(std::make_exception_ptr(Failed()));
  if (ending == Ending::cancel) writer.cancel();
  return at;
}

// Reads until the end; what it was.
Ending read(StreamReader& reader, Random random, std::uint64_t& at) {
  try {
    while (!reader.at_end()) {
      const ByteView view = reader.read_some(1 + pick(random, 100));
      require_bytes(view, 0, at);
      at += view.size();
    }
    return Ending::finish;
  } catch (const Failed&) {
    return Ending::fail;
  } catch (const Abandoned&) {
    return Ending::abandon;
  } catch (const Cancelled&) {
    return Ending::cancel;
  }
}

void one_storm(Run& run, Random& random) {
  StreamOptions options;
  options.max_bytes = 1 + pick(random, 200);
  options.max_items = 1 + pick(random, 8);
  const auto ending = static_cast<Ending>(pick(random, 4));
  const bool cancelled_by_reader = pick(random, 3) == 0;
  std::optional<Stream> stream(make_stream(options));
  std::uint64_t sent = 0;
  std::uint64_t got = 0;
  Ending ended{};
  {
    std::latch start(2);
    std::jthread writing([&, seed = random()] {
      StreamWriter writer = std::move(stream->writer);
      start.arrive_and_wait();
      sent = write(run, std::move(writer), Random(seed), ending);
    });
    std::jthread reading([&, seed = random()] {
      StreamReader reader = std::move(stream->reader);
      start.arrive_and_wait();
      Random mine(seed);
      if (cancelled_by_reader) {
        for (std::size_t i = pick(mine, 20); i != 0; --i) (void)reader.try_read(pick(mine, 50));
        reader.cancel();
        ended = Ending::cancel;
        return;
      }
      ended = read(reader, mine, got);
    });
  }
  if (cancelled_by_reader) return;
  require(ended == ending, "the reader saw another end than the writer made");
  require(ending == Ending::cancel ? got <= sent : got == sent, "bytes before the end are missing");
}

}  // namespace

void end_storms(Run& run) {
  run.on_threads(std::max(1, run.threads() / 2), [&run](int thread) {
    Random random = run.random(static_cast<std::uint64_t>(thread));
    for (; !run.expired(); run.checked()) one_storm(run, random);
  });
}

}  // namespace forebay::stress
