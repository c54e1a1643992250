// SPDX-License-Identifier: Apache-2.0
#include "forebay/spark/init_message.h"

#include <algorithm>
#include <string_view>

#include "forebay/error.h"
#include "wire.h"

namespace forebay::spark {

namespace {

// Reads fields off the bytes that are there. The first one that is not there makes it short, and
// every later read gives back nothing.
class Fields {
 public:
  Fields(std::span<const std::byte> bytes, const InitLimits& limits, std::uint64_t offset)
      : bytes_(bytes), limits_(limits), offset_(offset) {}

  [[nodiscard]] bool is_short() const { return wanted_ != 0; }
  [[nodiscard]] std::size_t wanted() const { return wanted_; }
  [[nodiscard]] const char* wanted_for() const { return wanted_for_; }
  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] std::uint64_t offset() const { return offset_ + at_; }

  // From here on the message ends after so many bytes, whatever else is there.
  void end_after(std::size_t size_bytes) { end_ = at_ + size_bytes; }
  [[nodiscard]] std::size_t left() const { return end_ - at_; }

  template <class T>
  T number(const char* what) {
    const auto bytes = take(sizeof(T), what);
    return bytes.empty() ? T{0} : load_be<T>(bytes);
  }

  bool flag(const char* what) {
    const auto at = offset();
    const auto value = number<std::int8_t>(what);
    if (value != 0 && value != 1) refuse(what, "is no boolean: " + std::to_string(value), at);
    return value == 1;
  }

  std::size_t length(const char* what) {
    const auto at = offset();
    const auto value = number<std::int32_t>(what);
    if (value < 0) refuse(what, "has a negative length: " + marker_name(value), at);
    const auto size = static_cast<std::size_t>(value);
    if (size > limits_.message_bytes_max) {
      throw LimitExceeded(std::string("bytes of an init message, in its ") + what,
                          limits_.message_bytes_max, size);
    }
    return size;
  }

  std::string text(const char* what) {
    const std::size_t size = length(what);
    const auto bytes = take(size, what);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  std::size_t count(const char* what) {
    const auto at = offset();
    const auto value = number<std::int32_t>(what);
    if (value < 0) refuse(what, "has a negative count: " + marker_name(value), at);
    const auto entries = static_cast<std::size_t>(value);
    if (entries > limits_.entries_max) {
      throw LimitExceeded(std::string("entries of an init message, in its ") + what,
                          limits_.entries_max, entries);
    }
    return entries;
  }

  // Calls `read` for each entry of a list.
  template <class Read>
  void list(const char* what, Read read) {
    for (std::size_t left = count(what); left != 0 && !is_short(); --left) read();
  }

  [[noreturn]] static void refuse(const char* what, const std::string& why, std::uint64_t at) {
    throw ProtocolError(std::string("an init message whose ") + what + " " + why, at);
  }

 private:
  std::span<const std::byte> take(std::size_t size, const char* what) {
    if (is_short()) return {};
    if (size > end_ - at_) {
      refuse(what, "goes on beyond the end of the message", offset());
    }
    if (size > bytes_.size() - at_) {
      wanted_ = at_ + size;
      wanted_for_ = what;
      if (end_ == SIZE_MAX && wanted_ > limits_.message_bytes_max) {
        throw LimitExceeded(std::string("bytes of an init message, with its ") + what,
                            limits_.message_bytes_max, wanted_);
      }
      return {};
    }
    const auto taken = bytes_.subspan(at_, size);
    at_ += size;
    return taken;
  }

  std::span<const std::byte> bytes_;
  const InitLimits& limits_;
  std::uint64_t offset_;
  std::size_t at_ = 0;
  std::size_t end_ = SIZE_MAX;
  std::size_t wanted_ = 0;
  const char* wanted_for_ = "";
};

void read_broadcasts(Fields& fields, InitMessage& message) {
  const bool from_server = fields.flag("broadcast server flag");
  const std::size_t count = fields.count("broadcasts");
  if (from_server) {
    BroadcastServer server;
    server.port = fields.number<std::int32_t>("broadcast server port");
    if (server.port < 0) {
      server.socket_path = fields.text("broadcast server path");
    } else {
      server.secret = fields.text("broadcast server secret");
    }
    message.broadcast_server = std::move(server);
  }
  for (std::size_t i = 0; i < count && !fields.is_short(); ++i) {
    Broadcast broadcast;
    broadcast.id = fields.number<std::int64_t>("broadcast id");
    if (broadcast.id >= 0 && !from_server) broadcast.path = fields.text("broadcast path");
    message.broadcasts.push_back(std::move(broadcast));
  }
}

Settings read_settings(Fields& fields, const char* what) {
  Settings settings;
  fields.list(what, [&] {
    std::string name = fields.text(what);
    settings.emplace_back(std::move(name), fields.text(what));
  });
  return settings;
}

UdfCall read_udf(Fields& fields) {
  UdfCall udf;
  fields.list("function's arguments", [&] {
    UdfArgument argument;
    argument.offset = fields.number<std::int32_t>("argument's offset");
    if (fields.flag("argument's name flag")) argument.name = fields.text("argument's name");
    udf.arguments.push_back(std::move(argument));
  });
  fields.list("function's commands", [&] { udf.commands.push_back(fields.text("command")); });
  udf.result_id = fields.number<std::int64_t>("result id");
  return udf;
}

// Pickled functions of the old interface, and table functions, have forms of their own.
bool has_udf_list(std::int32_t eval_type) { return eval_type >= 100 && eval_type < 300; }

InitMessage read_message(Fields& fields) {
  InitMessage message;
  message.partition = fields.number<std::int32_t>("partition index");
  if (message.partition == -1) {
    message.exit = true;
    return message;
  }
  message.python_version = fields.text("Python version");
  message.context_json = fields.text("task context");
  message.files_directory = fields.text("files directory");
  fields.list("includes", [&] { message.includes.push_back(fields.text("include")); });
  read_broadcasts(fields, message);
  message.eval_type = fields.number<std::int32_t>("evaluation type");
  message.runner_conf = read_settings(fields, "runner settings");
  message.eval_conf = read_settings(fields, "evaluation settings");
  if (has_udf_list(message.eval_type)) {
    fields.list("functions", [&] { message.udfs.push_back(read_udf(fields)); });
  }
  return message;
}

}  // namespace

InitParse parse_init(std::span<const std::byte> bytes, ChannelVersion version,
                     const InitLimits& limits, std::uint64_t offset) {
  Fields fields(bytes, limits, offset);
  const auto wants = [&fields] {
    InitParse parse;
    parse.wanted_bytes = fields.wanted();
    parse.wanted_for = fields.wanted_for();
    return parse;
  };
  const bool framed = version == ChannelVersion::spark_4_3;
  std::size_t end = 0;
  if (framed) {
    const auto marker = fields.number<std::int32_t>("the marker of a task's init message");
    if (fields.is_short()) return wants();
    if (marker != static_cast<std::int32_t>(Marker::start_of_init_message)) {
      throw ProtocolError("instead of START_OF_INIT_MESSAGE (-8) came " + marker_name(marker),
                          offset);
    }
    const std::size_t size = fields.length("length");
    if (fields.is_short()) return wants();
    end = fields.at() + size;
    if (bytes.size() < end) {
      InitParse parse;
      parse.wanted_bytes = end;
      parse.wanted_for = "a task's init message";
      return parse;
    }
    fields.end_after(size);
  }
  InitMessage message = read_message(fields);
  if (fields.is_short()) return wants();
  if (framed && !message.exit && has_udf_list(message.eval_type) && fields.left() != 0) {
    throw ProtocolError(
        "an init message with " + std::to_string(fields.left()) + " bytes after its last field",
        fields.offset());
  }
  InitParse parse;
  parse.consumed_bytes = framed ? end : fields.at();
  parse.message = std::move(message);
  return parse;
}

const std::string* find_setting(const Settings& settings, const std::string& name) {
  const auto found = std::find_if(settings.begin(), settings.end(),
                                  [&name](const auto& setting) { return setting.first == name; });
  return found == settings.end() ? nullptr : &found->second;
}

}  // namespace forebay::spark
