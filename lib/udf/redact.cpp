// SPDX-License-Identifier: Apache-2.0
#include "redact.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "forebay/error.h"
#include "forebay/spark/init_message.h"

namespace forebay::udf {

namespace {

constexpr std::size_t kWordBytes = 4;

// Crosses out every place where the secret stands; false when there is none.
bool cross_out(std::span<std::byte> bytes, std::string_view secret) {
  const auto wanted = std::as_bytes(std::span(secret.data(), secret.size()));
  bool found = false;
  for (;;) {
    const auto at = std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end());
    if (at == bytes.end()) return found;
    found = true;
    std::fill_n(at, wanted.size(), std::byte{'x'});
    bytes = bytes.subspan(static_cast<std::size_t>(at - bytes.begin()) + wanted.size());
  }
}

// As it is written in the context, without the quotes; empty when there is none.
std::string secret_of(const std::string& context_json) {
  const auto context = nlohmann::json::parse(context_json, nullptr, false);
  if (!context.is_object()) return "";
  const auto secret = context.find("secret");
  if (secret == context.end() || !secret->is_string()) return "";
  const std::string quoted = secret->dump();
  return quoted.substr(1, quoted.size() - 2);
}

}  // namespace

void redact_init(std::span<std::byte> message) {
  // Its fields are those of a version that puts nothing around them.
  const auto parse = spark::parse_init(message, spark::ChannelVersion::spark_4_2);
  if (!parse.message) throw ProtocolError("an init message that is not whole", 0);
  const spark::InitMessage& init = *parse.message;
  const std::string secret = secret_of(init.context_json);
  // The partition, the version's length and text, the context's length.
  const std::size_t context = kWordBytes + kWordBytes + init.python_version.size() + kWordBytes;
  if (!secret.empty() && !cross_out(message.subspan(context, init.context_json.size()), secret)) {
    throw ProtocolError("a task context whose secret is written in an unknown way", 0);
  }
  const bool served = init.broadcast_server && !init.broadcast_server->secret.empty();
  if (served) {
    cross_out(message.subspan(context + init.context_json.size()), init.broadcast_server->secret);
  }
}

void Redactor::add(std::span<const std::byte> bytes,
                   const std::function<void(std::span<const std::byte>)>& give) {
  while (!bytes.empty()) {
    const bool init = scanner_.in_init();
    const auto part = bytes.first(scanner_.consume(bytes));
    bytes = bytes.subspan(part.size());
    if (!init) {
      give(part);
      continue;
    }
    init_.insert(init_.end(), part.begin(), part.end());
    if (scanner_.in_init()) continue;
    redact_init(init_);
    give(init_);
    init_.clear();
  }
}

}  // namespace forebay::udf
