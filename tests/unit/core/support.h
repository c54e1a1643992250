// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the stream's tests share: chunks from text, text from views, and gates instead of sleeps.

#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "forebay/forebay.h"

namespace forebay::test {

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline Chunk chunk(std::string_view text) { return Chunk::copy_of(bytes_of(text)); }

inline PushStatus try_add(StreamWriter& writer, std::string_view text) {
  Chunk one = chunk(text);
  return writer.try_add_next_chunk(one);
}

inline std::string text(std::string_view bytes) { return std::string(bytes); }

/// Bytes that tell where in the stream they stand.
inline std::string pattern(std::size_t size, std::size_t offset = 0) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t at = offset + i;
    bytes[i] = static_cast<char>(at * 131 + at / 251 + at / 65521);
  }
  return bytes;
}

/// A borrowed chunk; `released` counts the calls of its release.
inline Chunk borrow(std::string_view text, int& released) {
  return Chunk::borrow(bytes_of(text), [&released]() noexcept { ++released; });
}

/// Spins until the condition holds. A test that hangs here dies by the hang guard.
template <class Condition>
void eventually(Condition&& condition) {
  while (!condition()) std::this_thread::yield();
}

/// Whether the kernel says of every other thread of the process that it sleeps.
[[nodiscard]] inline bool others_sleep() {
  const std::string own = std::to_string(::gettid());
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    if (thread.path().filename() == own) continue;
    std::ifstream file(thread.path() / "stat");
    std::string stat;
    std::getline(file, stat);
    // The state stands behind the name in brackets; a thread that is gone has none.
    const std::size_t name_end = stat.rfind(')');
    if (name_end != std::string::npos && stat.compare(name_end, 3, ") S") != 0) return false;
  }
  return true;
}

/// Until the reader, or the writer, went to sleep for the `parks`th time, and every other thread
/// sleeps: what it misses from then on, nobody makes up for.
inline void await_parked_reader(const StreamWriter& writer, std::uint64_t parks = 1) {
  eventually([&] { return writer.stats().reader.parks >= parks && others_sleep(); });
}
inline void await_parked_writer(const StreamReader& reader, std::uint64_t parks = 1) {
  eventually([&] { return reader.stats().writer.parks >= parks && others_sleep(); });
}

/// A bound so small that each of its effects can be counted; a thread that waits parks at once.
inline StreamOptions small(std::size_t max_bytes, std::size_t max_items = 64) {
  StreamOptions options;
  options.max_bytes = max_bytes;
  options.max_items = max_items;
  options.spin_max = std::chrono::nanoseconds(0);
  return options;
}

/// The same for one thread that writes and reads: who holds everything is told so at once.
inline StreamOptions single_threaded(std::size_t max_bytes, std::size_t max_items = 64) {
  StreamOptions options = small(max_bytes, max_items);
  options.retention_grace = std::chrono::nanoseconds(0);
  return options;
}

/// A number from the environment, so that longer runs need no other build.
inline std::size_t from_environment(const char* name, std::size_t otherwise) {
  const char* const value = std::getenv(name);
  return value != nullptr ? std::strtoull(value, nullptr, 10) : otherwise;
}

/// Resident memory of the process in bytes.
inline std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  file >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace forebay::test
