// SPDX-License-Identifier: Apache-2.0

// Sequences of calls on a stream against the plain model of it. An input is the limits, six bytes,
// and then five bytes a call.

#include "fuzz/fuzz.h"
#include "unit/core/stream_model_steps.h"

namespace {

std::uint16_t pair_at(const std::uint8_t* data) {
  return static_cast<std::uint16_t>(data[0] | data[1] << 8);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace forebay::test;
  constexpr std::size_t kLimitBytes = 6;
  constexpr std::size_t kStepBytes = 5;
  if (size < kLimitBytes) return -1;
  auto options = single_threaded(1 + pair_at(data) % 300U, 1 + data[2] % 10U);
  options.gather_bytes_max = 1 + static_cast<std::size_t>(data[3]) * 2;
  const std::size_t order = pair_at(data + 4);
  ModelledStream stream(options);
  try {
    for (std::size_t at = kLimitBytes; at + kStepBytes <= size; at += kStepBytes) {
      run(stream, {data[at], pair_at(data + at + 1), pair_at(data + at + 3)});
    }
    stream.close(order);
  } catch (const ModelViolated& violated) {
    std::fprintf(stderr, "%s\n", violated.what());
    std::abort();
  }
  return 0;
}
