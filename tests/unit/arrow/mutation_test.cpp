// SPDX-License-Identifier: Apache-2.0

// Streams with bytes changed at random: every one is read, or refused with a typed error, and the
// chunks do not matter. What passes full validation can be looked at in whole.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

#include "support.h"

namespace forebay::arrow::test {
namespace {

// A few of the bytes: at random, or a number that tends to break things over eight of them.
std::string mutated(std::string bytes, std::mt19937& random) {
  static constexpr std::int64_t kNumbers[] = {0,         1,         -1,        8,        64,
                                              INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
  const auto below = [&random](std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
  };
  // Half of the time in the first kilobyte, where the schema is.
  const std::size_t range =
      below(2) == 0 ? std::min<std::size_t>(bytes.size(), 1024) : bytes.size();
  for (std::size_t count = 1 + below(3); count != 0; --count) {
    const std::size_t at = below(2) == 0 ? below(range) : below(range) & ~std::size_t{3};
    if (below(3) == 0 && at + 8 <= bytes.size()) {
      const std::int64_t number = kNumbers[below(std::size(kNumbers))];
      const std::size_t width = std::size_t{4} << below(2);
      bytes.replace(at, width, reinterpret_cast<const char*>(&number), width);
    } else {
      bytes[at] = static_cast<char>(below(256));
    }
  }
  return bytes;
}

TEST(Mutations, AreReadOrRefusedTheSameUnderEveryChunking) {
  const TemporaryFolder folder;
  ASSERT_TRUE(run_script("generate_streams.py", {folder.path()}));
  const char* const rounds = std::getenv("FOREBAY_TEST_MUTATIONS");
  ReadOptions options;
  options.validate = Validate::full;
  std::mt19937 random(20);
  std::size_t refused = 0;
  std::size_t all = 0;
  for (const auto& path : files_in(folder.path(), ".stream")) {
    SCOPED_TRACE(path.filename());
    const std::string original = file_bytes(path);
    for (int round = rounds != nullptr ? std::atoi(rounds) : 40; round > 0; --round) {
      const std::string bytes = mutated(original, random);
      Stream whole = stream_of(bytes);
      const Outcome expected = read_stream(whole.reader, options);
      Stream cut = stream_of(bytes, {"random", 0});
      const Outcome outcome = read_stream(cut.reader, options);
      ASSERT_EQ(outcome.error, expected.error);
      ASSERT_EQ(outcome.decoded, expected.decoded);
      refused += expected.error.empty() ? 0 : 1;
      ++all;
    }
  }
  EXPECT_GT(refused, all / 4);
  EXPECT_LT(refused, all);
}

}  // namespace
}  // namespace forebay::arrow::test
