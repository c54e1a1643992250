// SPDX-License-Identifier: Apache-2.0
// The smallest program of somebody else: one chunk in, the same bytes out.
#include <forebay/forebay.h>

#include <cstddef>
#include <cstdio>
#include <span>
#include <string_view>

int main() {
  constexpr std::string_view kText = "forebay";
  auto [writer, reader] = forebay::make_stream(forebay::StreamOptions{});
  writer.add_next_chunk(forebay::Chunk::copy_of(std::as_bytes(std::span(kText))));
  writer.finish();
  const std::string_view read = reader.read(kText.size());
  if (read != kText || !reader.finished()) {
    std::puts("the stream did not return what was pushed");
    return 1;
  }
  std::printf("read \"%.*s\" with Forebay %d.%d.%d\n", static_cast<int>(read.size()), read.data(),
              FOREBAY_VERSION_MAJOR, FOREBAY_VERSION_MINOR, FOREBAY_VERSION_PATCH);
  return 0;
}
