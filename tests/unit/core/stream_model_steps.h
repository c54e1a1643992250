// SPDX-License-Identifier: Apache-2.0
#pragma once

// The steps that sequences of calls are made of, whoever thinks the sequences up.

#include <cstdint>
#include <ostream>

#include "unit/core/stream_model.h"

namespace forebay::test {

/// One call: which, and with what.
struct Step {
  std::uint8_t operation;
  std::uint16_t a;
  std::uint16_t b;
};

inline std::ostream& operator<<(std::ostream& out, const Step& step) {
  return out << '{' << int{step.operation} << ", " << step.a << ", " << step.b << '}';
}

// Mostly a few bytes, sometimes more than every limit.
inline std::size_t size_of(const Step& step) {
  if (step.b % 64 == 1) return SIZE_MAX - step.a;
  if (step.b % 16 == 1) return step.a % 1000;
  return step.a % (step.b % 4 == 0 ? 8 : 64);
}

/// Makes the call on the stream and on its model.
inline void run(ModelledStream& stream, const Step& step) {
  const std::size_t n = size_of(step);
  const std::size_t chunk_size = n % 300;
  const bool coin = step.b % 2 == 0;
  using Kind = ModelledStream::Kind;
  switch (step.operation % 48) {
    case 0:
    case 1:
    case 2:
    case 3:
      return stream.add(Kind::borrowed, chunk_size, coin);
    case 4:
    case 5:
      return stream.add(Kind::copied, chunk_size, coin);
    case 6:
      return stream.add(Kind::adopted, chunk_size, coin);
    case 7:
    case 8:
    case 9:
    case 10:
      return stream.try_read(n, coin);
    case 11:
    case 12:
    case 13:
    case 14:
      return stream.read(n);
    case 15:
    case 16:
    case 17:
      return stream.peek(n);
    case 18:
    case 19:
      return stream.read_gather(n);
    case 20:
    case 21:
      return stream.read_some(n);
    case 22:
      return stream.skip(n);
    case 23:
      return stream.read_into(n % 1000);
    case 24:
      return stream.read_all();
    case 25:
    case 26:
      return stream.at_end();
    case 27:
      return stream.finished();
    case 28:
    case 29:
      return stream.pin();
    case 30:
      return stream.copy_guard(step.a);
    case 31:
    case 32:
    case 33:
      return stream.drop_guard(step.a);
    case 34:
    case 35:
      return stream.share(step.a, coin ? Retention::bounded : Retention::detached);
    case 36:
      return stream.change_share(step.a, step.b);
    case 37:
    case 38:
      return stream.drop_share(step.a);
    case 40:
      return stream.on_readable();
    case 41:
      return stream.on_writable();
    case 39:
      return stream.expect_counted();
    case 42:
      return stream.expect_room_when_empty(chunk_size + 1);
    case 43:
      return stream.expect_polling_reads(n % 1000);
    case 44:
      return stream.drop_all();
    // The ends are rare, so that most sequences see much of a stream.
    case 45:
      return step.a % 16 == 0 ? stream.finish() : stream.expect_figures();
    case 46:
      return step.a % 32 == 0 ? stream.fail() : stream.expect_figures();
    default:
      return step.a % 64 == 0 ? stream.cancel(coin) : stream.expect_figures();
  }
}

}  // namespace forebay::test
