// SPDX-License-Identifier: Apache-2.0
#pragma once

// The init message: what Spark tells a worker before a task's input.
//
// The parser does no I/O and keeps no state: it looks at the bytes that are there, and either has
// the whole message or says how many it wants to see. Nothing is kept for a length that is only
// announced, and a length beyond its limit is refused at once.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "forebay/spark/protocol.h"

namespace forebay::spark {

/// One argument of a function.
struct UdfArgument {
  std::int32_t offset = 0;          ///< column of the input; see EvalType for what it means
  std::optional<std::string> name;  ///< of a named argument
};

/// One function to be called.
struct UdfCall {
  std::vector<UdfArgument> arguments;  ///< of the innermost of the commands
  std::vector<std::string> commands;   ///< each is called with the result of the one before it
  std::int64_t result_id = 0;          ///< Spark's name for the result
};

/// A broadcast that comes or, with a negative id, one that is to be forgotten: -id - 1.
struct Broadcast {
  std::int64_t id = 0;  ///< Spark's name for it
  std::string path;     ///< the file that holds it; empty when a server does
};

/// Where broadcasts are fetched from when they are encrypted on disk.
struct BroadcastServer {
  std::int32_t port = 0;    ///< TCP port on this machine; -1 when `path` is used
  std::string secret;       ///< what to say to it; TCP only
  std::string socket_path;  ///< Unix socket
};

/// Names and values, in the order in which they came.
using Settings = std::vector<std::pair<std::string, std::string>>;

/// All fields of the message, in their order.
struct InitMessage {
  /// Whether the worker is asked to exit; nothing else is set then.
  bool exit = false;
  std::int32_t partition = 0;                       ///< index of the partition
  std::string python_version;                       ///< whatever the function's author put there
  std::string context_json;                         ///< the task context
  std::string files_directory;                      ///< where SparkFiles are
  std::vector<std::string> includes;                ///< Python files, of no use here
  std::optional<BroadcastServer> broadcast_server;  ///< set when broadcasts have to be fetched
  std::vector<Broadcast> broadcasts;                ///< new and old ones
  std::int32_t eval_type = 0;                       ///< see EvalType
  Settings runner_conf;                             ///< settings of the session
  Settings eval_conf;                               ///< settings of this evaluation
  /// The functions; empty for evaluation types that have another form (NON_UDF and table
  /// functions).
  std::vector<UdfCall> udfs;
};

/// Limits of one init message.
struct InitLimits {
  /// Bytes of the message, and so of every field. A function's payload is a part of it.
  std::size_t message_bytes_max = std::size_t{32} << 20;
  /// Entries of one list.
  std::size_t entries_max = 65'536;
};

/// What parse_init() found.
struct InitParse {
  std::optional<InitMessage> message;  ///< the message, when all of it was there
  std::size_t consumed_bytes = 0;      ///< with the message: its bytes, header included
  std::size_t wanted_bytes = 0;        ///< without: call again with at least so many bytes
  const char* wanted_for = "";         ///< without: what these bytes are, for an error's text
};

/// Parses the message that begins at the first of the bytes, which lie `offset` bytes into the
/// connection. Thread role: any. Blocking: never.
/// Errors: ProtocolError for what no message has, naming it; LimitExceeded; std::bad_alloc.
[[nodiscard]] InitParse parse_init(std::span<const std::byte> bytes, ChannelVersion version,
                                   const InitLimits& limits = {}, std::uint64_t offset = 0);

/// The value of a setting, null when there is none of that name.
[[nodiscard]] const std::string* find_setting(const Settings& settings, const std::string& name);

}  // namespace forebay::spark
