// SPDX-License-Identifier: Apache-2.0
//
// The smallest stream: one thread adds chunks, another reads length-prefixed messages, whatever the
// chunks are.

#include <forebay/forebay.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>

namespace {

std::string framed(std::string_view message) {
  const auto size = static_cast<std::uint8_t>(message.size());
  return std::string({'\0', '\0', '\0', static_cast<char>(size)}).append(message);
}

}  // namespace

int main() {
  auto [writer, reader] = forebay::make_stream();

  std::jthread receiver([writer = std::move(writer)]() mutable {
    const std::string bytes = framed("a forebay") + framed("feeds the wheel") + framed("evenly");
    // Chunks as a network would cut them: in the middle of anything.
    for (std::size_t at = 0; at < bytes.size(); at += 7) {
      writer.add_next_chunk(forebay::Chunk::adopt(bytes.substr(at, 7)));
    }
    writer.finish();
  });

  int messages = 0;
  while (!reader.at_end()) {
    const auto size = reader.read_be<std::uint32_t>();
    const std::string_view message = reader.read(size);
    std::printf("%.*s\n", static_cast<int>(message.size()), message.data());
    ++messages;
  }
  return messages == 3 ? 0 : 1;
}
