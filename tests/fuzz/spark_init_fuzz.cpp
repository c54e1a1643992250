// SPDX-License-Identifier: Apache-2.0

// Spark's init message from any bytes, of either version: the same verdict however the bytes come,
// nothing kept that did not come, and what is wanted is never beyond the limit. Then the frame
// scanner of the channel over the same bytes: the same parts however they are cut.

#include <memory>
#include <string>
#include <vector>

#include "forebay/error.h"
#include "forebay/spark/frame_scanner.h"
#include "forebay/spark/init_message.h"
#include "fuzz/fuzz.h"

namespace forebay::fuzz {
namespace {

using spark::ChannelVersion;
using spark::InitMessage;
using spark::InitParse;

// Small, so that small inputs reach them.
constexpr spark::InitLimits kLimits{.message_bytes_max = 2048, .entries_max = 32};
constexpr std::size_t kHeaderBytes = 8;

struct Verdict {
  std::string error;          // with its type
  std::uint64_t message = 0;  // digest of the message, when there is one
  std::size_t bytes = 0;      // consumed, or wanted
  bool operator==(const Verdict&) const = default;
};

// Counts what a message keeps, and makes a digest of it.
class Fields {
 public:
  void add(std::string_view text) {
    kept_bytes += text.size();
    digest.add_word(text.size());
    digest.add(text);
  }
  void add(std::int64_t number) { digest.add_word(static_cast<std::uint64_t>(number)); }
  void add(const spark::Settings& settings) {
    entries += settings.size();
    for (const auto& [name, value] : settings) {
      add(name);
      add(value);
    }
  }

  std::size_t kept_bytes = 0;
  std::size_t entries = 0;
  Digest digest;
};

Fields fields_of(const InitMessage& message) {
  Fields fields;
  fields.add(std::int64_t{message.exit});
  fields.add(message.partition);
  fields.add(message.python_version);
  fields.add(message.context_json);
  fields.add(message.files_directory);
  for (const auto& include : message.includes) fields.add(include);
  if (message.broadcast_server) {
    fields.add(message.broadcast_server->port);
    fields.add(message.broadcast_server->secret);
    fields.add(message.broadcast_server->socket_path);
  }
  for (const auto& broadcast : message.broadcasts) {
    fields.add(broadcast.id);
    fields.add(broadcast.path);
  }
  fields.add(message.eval_type);
  fields.add(message.runner_conf);
  fields.add(message.eval_conf);
  for (const auto& udf : message.udfs) {
    for (const auto& argument : udf.arguments) {
      fields.add(argument.offset);
      if (argument.name) fields.add(*argument.name);
    }
    for (const auto& command : udf.commands) fields.add(command);
    fields.add(udf.result_id);
    fields.entries += udf.arguments.size() + udf.commands.size();
  }
  fields.entries += message.includes.size() + message.broadcasts.size() + message.udfs.size();
  return fields;
}

Verdict verdict_of(const InitParse& parse, std::size_t given) {
  if (!parse.message) {
    FOREBAY_FUZZ_REQUIRE(parse.wanted_bytes > given);
    FOREBAY_FUZZ_REQUIRE(parse.wanted_bytes <= kLimits.message_bytes_max + kHeaderBytes);
    FOREBAY_FUZZ_REQUIRE(*parse.wanted_for != '\0');
    return {"", 0, parse.wanted_bytes};
  }
  const Fields fields = fields_of(*parse.message);
  FOREBAY_FUZZ_REQUIRE(parse.consumed_bytes != 0 && parse.consumed_bytes <= given);
  // Every entry has at least a word of its own.
  FOREBAY_FUZZ_REQUIRE(fields.kept_bytes + sizeof(std::int32_t) * fields.entries <=
                       parse.consumed_bytes);
  return {"", fields.digest.value(), parse.consumed_bytes};
}

Verdict parse(std::span<const std::byte> bytes, ChannelVersion version) {
  // A copy that ends where the bytes do, so that a read beyond them is seen.
  const auto copy = std::make_unique<std::byte[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), copy.get());
  try {
    return verdict_of(spark::parse_init({copy.get(), bytes.size()}, version, kLimits),
                      bytes.size());
  } catch (const ProtocolError& error) {
    return {error.what(), 0, 0};
  } catch (const LimitExceeded& error) {
    return {error.what(), 0, 0};
  }
}

// As a channel reads: again with what has come, once that is as much as was wanted.
Verdict parse_as_it_comes(std::span<const std::byte> bytes, ChannelVersion version, Cutter cutter) {
  std::size_t have = 0;
  Verdict verdict;
  for (;;) {
    verdict = parse(bytes.first(have), version);
    const bool wants_more = verdict.error.empty() && verdict.bytes > have;
    if (!wants_more) return verdict;
    while (have < verdict.bytes) {
      const auto part = cutter.next();
      if (part.empty()) return parse(bytes, version);
      have += part.size();
    }
  }
}

void check_parser(std::span<const std::byte> bytes, ChannelVersion version) {
  const Verdict whole = parse(bytes, version);
  FOREBAY_FUZZ_REQUIRE(parse_as_it_comes(bytes, version, Cutter(bytes, random_of(bytes))) == whole);
  if (whole.error.empty() && whole.bytes <= bytes.size()) {
    FOREBAY_FUZZ_REQUIRE(parse(bytes.first(whole.bytes), version) == whole);
  }
}

struct Run {
  FrameScanner::Part part;
  bool init;
  std::size_t begin;
  bool operator==(const Run&) const = default;
};

std::vector<Run> scan(std::span<const std::byte> bytes, ChannelVersion version, Cutter cutter) {
  spark::ChannelFrameScanner scanner(version);
  std::vector<Run> runs;
  std::size_t at = 0;
  for (auto part = cutter.next(); !part.empty(); part = cutter.next()) {
    while (!part.empty()) {
      const Run run{scanner.part(), scanner.in_init(), at};
      if (runs.empty() || runs.back().part != run.part || runs.back().init != run.init) {
        runs.push_back(run);
      }
      FOREBAY_FUZZ_REQUIRE(scanner.left() != 0);
      FOREBAY_FUZZ_REQUIRE(scanner.exact_bytes() >= scanner.left());
      const std::size_t done = scanner.consume(part);
      FOREBAY_FUZZ_REQUIRE(done != 0 && done <= part.size());
      at += done;
      part = part.subspan(done);
    }
  }
  FOREBAY_FUZZ_REQUIRE(at == bytes.size());
  return runs;
}

}  // namespace
}  // namespace forebay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace forebay::fuzz;
  const auto bytes = bytes_of(data, size);
  for (const auto version : {ChannelVersion::spark_4_2, ChannelVersion::spark_4_3}) {
    check_parser(bytes, version);
    FOREBAY_FUZZ_REQUIRE(scan(bytes, version, Cutter(bytes, SIZE_MAX)) ==
                         scan(bytes, version, Cutter(bytes, random_of(bytes))));
  }
  return 0;
}
