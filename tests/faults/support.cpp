// SPDX-License-Identifier: Apache-2.0
#include "faults/support.h"

#include <sys/resource.h>

#include <fstream>
#include <limits>
#include <system_error>

namespace forebay::test {

namespace {

// A line of /proc/self/status that gives kibibytes, in bytes.
std::size_t status_bytes(std::string_view name) {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    std::size_t kibibytes = 0;
    if (word == name && file >> kibibytes) return kibibytes << 10;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

}  // namespace

void limit_memory(std::size_t bytes) {
  const rlim_t most = status_bytes("VmData:") + bytes;
  const rlimit limit{most, most};
  if (::setrlimit(RLIMIT_DATA, &limit) != 0) {
    throw std::system_error(errno, std::system_category(), "setrlimit");
  }
}

std::size_t peak_resident_bytes() { return status_bytes("VmHWM:"); }

}  // namespace forebay::test
