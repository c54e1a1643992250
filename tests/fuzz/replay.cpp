// SPDX-License-Identifier: Apache-2.0

// Runs a fuzzer over files, for builds without libFuzzer: replay <file or folder>...
// An input that hangs ends the program, as does one that makes memory grow. No input is an error.

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"

namespace {

constexpr unsigned kSecondsMax = 2;
constexpr long kResidentKibMax = 256 * 1024;

// Sanitizers keep freed memory, or memory of their own, resident.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kResidentSaysLittle = true;
#elif defined(__has_feature)
constexpr bool kResidentSaysLittle = __has_feature(thread_sanitizer);
#else
constexpr bool kResidentSaysLittle = false;
#endif

char g_input[1024];

void name_the_input(int signal_number) {
  const char* const what = signal_number == SIGALRM ? "hangs: " : "fails: ";
  (void)!write(STDERR_FILENO, what, std::strlen(what));
  (void)!write(STDERR_FILENO, g_input, std::strlen(g_input));
  (void)!write(STDERR_FILENO, "\n", 1);
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

std::vector<std::filesystem::path> inputs_of(int count, char** words) {
  std::vector<std::filesystem::path> inputs;
  for (int i = 0; i < count; ++i) {
    if (!std::filesystem::is_directory(words[i])) {
      inputs.emplace_back(words[i]);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(words[i])) {
      inputs.push_back(entry.path());
    }
  }
  std::sort(inputs.begin(), inputs.end());
  return inputs;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGALRM, name_the_input);
  signal(SIGABRT, name_the_input);
  const auto inputs = inputs_of(argc - 1, argv + 1);
  if (inputs.empty()) {
    std::fprintf(stderr, "no inputs\n");
    return 2;
  }
  for (const auto& path : inputs) {
    snprintf(g_input, sizeof g_input, "%s", path.c_str());
    std::ifstream file(path, std::ios::binary);
    if (!file) {
      std::fprintf(stderr, "cannot read %s\n", path.c_str());
      return 2;
    }
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    alarm(kSecondsMax);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    alarm(0);
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    if (!kResidentSaysLittle && usage.ru_maxrss > kResidentKibMax) {
      std::fprintf(stderr, "%s: memory grew to %ld KiB\n", path.c_str(), usage.ru_maxrss);
      return 1;
    }
  }
  std::printf("%zu inputs replayed\n", inputs.size());
  return 0;
}
