// SPDX-License-Identifier: Apache-2.0

// ArrowFrameScanner on any bytes: the same parts as the plain parser finds, however the bytes are
// cut, and never a promise that reaches beyond the part that it is made of.

#include <vector>

#include "forebay/framing.h"
#include "fuzz/arrow_layout.h"
#include "fuzz/fuzz.h"

namespace forebay::fuzz {
namespace {

using Part = ArrowFrameScanner::Part;

// Neighbouring bytes of the same part.
struct Run {
  Part part;
  std::size_t begin;
  bool operator==(const Run&) const = default;
};

class Runs {
 public:
  explicit Runs(std::size_t end) : end_(end) {}
  void add(Part part, std::size_t begin) {
    if (begin >= end_ || (!runs.empty() && runs.back().part == part)) return;
    runs.push_back({part, begin});
  }
  std::vector<Run> runs;

 private:
  const std::size_t end_;
};

std::vector<Run> expected(const Layout& layout, std::size_t size) {
  Runs result(size);
  result.add(Part::prefix, 0);
  for (const Message& message : layout.messages) {
    result.add(Part::prefix, message.prefix);
    result.add(Part::metadata, message.metadata);
    if (message.body_bytes != 0) result.add(Part::body, message.body);
    if (message.body_bytes < size) result.add(Part::prefix, message.body + message.body_bytes);
  }
  if (layout.opaque) {
    // What looks like the prefix after the last message is not one.
    if (!result.runs.empty() && result.runs.back().begin == *layout.opaque) result.runs.pop_back();
    result.add(Part::opaque, *layout.opaque);
  }
  return result.runs;
}

// Where the body, or the part of it, ends that `at` stands before or in.
std::size_t limit_of(const Layout& layout, std::size_t at) {
  for (const Message& message : layout.messages) {
    if (message.body_bytes == 0) continue;
    if (at < message.body) return message.body;
    if (at - message.body < message.body_bytes) {
      return message.body + static_cast<std::size_t>(message.body_bytes);
    }
  }
  return SIZE_MAX;
}

std::vector<Run> scan(const Layout& layout, std::size_t size, Cutter cutter, bool bodies_apart) {
  ArrowFrameScanner scanner;
  Runs result(size);
  std::size_t at = 0;
  for (auto part = cutter.next(); !part.empty(); part = cutter.next()) {
    while (!part.empty()) {
      const Part before = scanner.part();
      result.add(before, at);
      FOREBAY_FUZZ_REQUIRE(scanner.left() != 0);
      FOREBAY_FUZZ_REQUIRE(scanner.exact_bytes() >= scanner.left());
      if (before != Part::opaque && scanner.exact_bytes() < SIZE_MAX - at) {
        FOREBAY_FUZZ_REQUIRE(at + scanner.exact_bytes() <= limit_of(layout, at));
      }
      std::size_t done = 0;
      if (before == Part::body && bodies_apart) {
        done = static_cast<std::size_t>(std::min<std::uint64_t>(part.size(), scanner.left()));
        scanner.consume_body(done);
      } else {
        done = scanner.consume(part);
      }
      FOREBAY_FUZZ_REQUIRE(done != 0 && done <= part.size());
      at += done;
      part = part.subspan(done);
    }
  }
  FOREBAY_FUZZ_REQUIRE(at == size);
  return result.runs;
}

}  // namespace
}  // namespace forebay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace forebay::fuzz;
  const auto bytes = bytes_of(data, size);
  const Layout layout = layout_of(bytes);
  const auto runs = expected(layout, size);
  const Random random = random_of(bytes);
  FOREBAY_FUZZ_REQUIRE(scan(layout, size, Cutter(bytes, SIZE_MAX), false) == runs);
  FOREBAY_FUZZ_REQUIRE(scan(layout, size, Cutter(bytes, random), true) == runs);
  return 0;
}
