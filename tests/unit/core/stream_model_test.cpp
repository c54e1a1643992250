// SPDX-License-Identifier: Apache-2.0

// Random sequences of the whole interface against a plain model, on one thread. More cases, or a
// case again: RC_PARAMS="max_success=100000", RC_PARAMS="seed=...".

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "unit/core/stream_model_steps.h"

namespace rc {
template <>
struct Arbitrary<forebay::test::Step> {
  static Gen<forebay::test::Step> arbitrary() {
    using forebay::test::Step;
    return gen::build<Step>(gen::set(&Step::operation, gen::inRange<std::uint8_t>(0, 48)),
                            gen::set(&Step::a, gen::inRange<std::uint16_t>(0, UINT16_MAX)),
                            gen::set(&Step::b, gen::inRange<std::uint16_t>(0, UINT16_MAX)));
  }
};
}  // namespace rc

namespace forebay::test {
namespace {

// As many cases as a quick run can afford, for every property of this program.
[[maybe_unused]] const int g_more_cases =
    setenv("RC_PARAMS", kSanitized ? "max_success=500" : "max_success=2000", /*overwrite=*/0);

RC_GTEST_PROP(StreamModel, AnySequenceOfCallsDoesWhatThePlainModelDoes, ()) {
  const auto bound = *rc::gen::inRange<std::size_t>(1, 300);
  StreamOptions options = single_threaded(bound, *rc::gen::inRange<std::size_t>(1, 10));
  options.gather_bytes_max = *rc::gen::inRange<std::size_t>(1, 600);
  const auto steps = *rc::gen::scale(5, rc::gen::arbitrary<std::vector<Step>>());
  const auto order = *rc::gen::inRange<std::size_t>(0, 4096);

  ModelledStream stream(options);
  for (const Step& step : steps) run(stream, step);
  stream.close(order);
}

}  // namespace
}  // namespace forebay::test
