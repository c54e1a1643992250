// SPDX-License-Identifier: Apache-2.0
#include "broadcasts.h"

#include <errno.h>

#include <fstream>
#include <sstream>
#include <system_error>

#include "forebay/error.h"

namespace forebay::udf {

namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  if (file) bytes << file.rdbuf();
  if (!file) throw std::system_error(errno, std::system_category(), "read broadcast " + path);
  return std::move(bytes).str();
}

}  // namespace

void update_broadcasts(const spark::InitMessage& init, Broadcasts& broadcasts) {
  for (const auto& broadcast : init.broadcasts) {
    if (broadcast.id < 0) {
      broadcasts.erase(-broadcast.id - 1);
    } else if (init.broadcast_server) {
      // Its server sends one broadcast after the other and says of none where it ends: a Python
      // worker knows from the pickle.
      throw Unsupported("broadcasts that are encrypted on disk (spark.io.encryption.enabled)");
    } else {
      broadcasts[broadcast.id] = std::make_shared<const std::string>(read_file(broadcast.path));
    }
  }
}

}  // namespace forebay::udf
