// SPDX-License-Identifier: Apache-2.0
#include "wire.h"

#include <google/protobuf/unknown_field_set.h>

#include <utility>

#include "metrics.h"
#include "udf_message.pb.h"

namespace forebay::grpc {

namespace {

namespace spark = org::apache::spark::udf::worker;

constexpr std::byte kDataTag{2 << 3 | 2};   // field 2 of the outer message
constexpr std::byte kBytesTag{1 << 3 | 2};  // field 1 of the inner one

template <class T>
std::optional<T> optional_of(bool set, const T& value) {
  return set ? std::optional<T>(value) : std::nullopt;
}

Settings settings_of(const google::protobuf::Map<std::string, std::string>& map) {
  return {map.begin(), map.end()};
}

void set_settings(const Settings& settings, google::protobuf::Map<std::string, std::string>* map) {
  for (const auto& [name, value] : settings) (*map)[name] = value;
}

// --- Errors ---

void set_error(const ExecutionError& error, spark::ExecutionError* to) {
  const auto set_common = [&](auto* kind) {
    kind->set_message(error.message);
    if (error.traceback) kind->set_traceback(*error.traceback);
  };
  switch (error.kind) {
    case ErrorKind::user:
      set_common(to->mutable_user());
      if (error.error_class) to->mutable_user()->set_error_class(*error.error_class);
      break;
    case ErrorKind::worker:
      set_common(to->mutable_worker());
      break;
    case ErrorKind::protocol:
      to->mutable_protocol()->set_message(error.message);
      break;
  }
}

ExecutionError error_of(const spark::ExecutionError& error) {
  switch (error.kind_case()) {
    case spark::ExecutionError::kUser:
      return {
          .kind = ErrorKind::user,
          .message = error.user().message(),
          .traceback = optional_of(error.user().has_traceback(), error.user().traceback()),
          .error_class = optional_of(error.user().has_error_class(), error.user().error_class())};
    case spark::ExecutionError::kWorker:
      return {.kind = ErrorKind::worker,
              .message = error.worker().message(),
              .traceback = optional_of(error.worker().has_traceback(), error.worker().traceback())};
    default:
      return {.kind = ErrorKind::protocol, .message = error.protocol().message()};
  }
}

template <class Message>
std::optional<ExecutionError> error_in(const Message& message) {
  return message.has_error() ? std::optional(error_of(message.error())) : std::nullopt;
}

// --- The engine's messages ---

Init init_of(spark::Init& from) {
  Init init;
  init.protocol_version = optional_of(from.has_protocol_version(), from.protocol_version());
  init.data_format = from.data_format();
  spark::UdfPayload& udf = *from.mutable_udf();
  init.udf.bytes = std::move(*udf.mutable_payload());
  init.udf.format = udf.format();
  init.udf.size = optional_of<std::int64_t>(udf.has_payload_size(), udf.payload_size());
  init.udf.crc32 = optional_of<std::uint32_t>(udf.has_payload_crc32(), udf.payload_crc32());
  init.udf.name = optional_of(udf.has_name(), udf.name());
  init.udf.eval_type = optional_of(udf.has_eval_type(), udf.eval_type());
  init.chunked = from.is_chunking_payload();
  init.input_schema = optional_of(from.has_input_schema(), from.input_schema());
  init.output_schema = optional_of(from.has_output_schema(), from.output_schema());
  init.task_context = settings_of(from.task_context());
  init.session_conf = settings_of(from.session_conf());
  init.time_zone = optional_of(from.has_timezone(), from.timezone());
  init.parameters = optional_of(from.has_parameters(), from.parameters());
  return init;
}

void set_init(const Init& init, spark::Init* to) {
  if (init.protocol_version) to->set_protocol_version(*init.protocol_version);
  to->set_data_format(static_cast<spark::UDFWorkerDataFormat>(init.data_format));
  spark::UdfPayload* const udf = to->mutable_udf();
  udf->set_payload(init.udf.bytes);
  udf->set_format(init.udf.format);
  if (init.udf.size) udf->set_payload_size(*init.udf.size);
  if (init.udf.crc32) udf->set_payload_crc32(*init.udf.crc32);
  if (init.udf.name) udf->set_name(*init.udf.name);
  if (init.udf.eval_type) udf->set_eval_type(*init.udf.eval_type);
  if (init.chunked) to->set_is_chunking_payload(true);
  if (init.input_schema) to->set_input_schema(*init.input_schema);
  if (init.output_schema) to->set_output_schema(*init.output_schema);
  set_settings(init.task_context, to->mutable_task_context());
  set_settings(init.session_conf, to->mutable_session_conf());
  if (init.time_zone) to->set_timezone(*init.time_zone);
  if (init.parameters) to->set_parameters(*init.parameters);
}

struct RequestWriter {
  spark::UdfRequest& message;

  void operator()(const Unknown&) const {}
  void operator()(const Data&) const { message.mutable_data(); }
  void operator()(const Init& init) const {
    set_init(init, message.mutable_control()->mutable_init());
  }
  void operator()(const PayloadChunk& chunk) const {
    auto* const to = message.mutable_control()->mutable_payload();
    to->set_data(chunk.bytes);
    if (chunk.last) to->set_last(true);
  }
  void operator()(const Finish&) const { message.mutable_control()->mutable_finish(); }
  void operator()(const Cancel& cancel) const {
    auto* const to = message.mutable_control()->mutable_cancel();
    if (cancel.reason) to->set_reason(*cancel.reason);
  }
};

// --- The worker's messages ---

template <class Message>
void set_metrics(const Settings& metrics, Message* to) {
  auto* const unknown = to->GetReflection()->MutableUnknownFields(to);
  for (const std::string& one : encode_metrics(metrics)) unknown->AddLengthDelimited(1, one);
}

struct ResponseWriter {
  spark::UdfControlResponse& message;

  void operator()(const InitResponse& init) const {
    auto* const to = message.mutable_init();
    if (init.data) to->set_data(*init.data);
    if (init.error) set_error(*init.error, to->mutable_error());
  }
  void operator()(const ErrorResponse& error) const {
    set_error(error.error, message.mutable_error()->mutable_error());
  }
  void operator()(const FinishResponse& end) const {
    auto* const to = message.mutable_finish();
    set_metrics(end.metrics, to);
    if (end.data) to->set_data(*end.data);
    if (end.error) set_error(*end.error, to->mutable_error());
  }
  void operator()(const CancelResponse& end) const {
    auto* const to = message.mutable_cancel();
    set_metrics(end.metrics, to);
    if (end.error) set_error(*end.error, to->mutable_error());
  }
};

std::size_t varint_size(std::size_t value) noexcept {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

void append_varint(std::string& to, std::size_t value) {
  for (; value >= 0x80; value >>= 7) to += static_cast<char>(value | 0x80);
  to += static_cast<char>(value);
}

// Reads a tag and a length that leads to the end of the message; moves `at` behind them.
bool skip_head(std::span<const std::byte> head, std::byte tag, std::size_t size, std::size_t& at) {
  if (at >= head.size() || head[at] != tag) return false;
  std::uint64_t length = 0;
  ++at;
  for (int shift = 0; shift < 35 && at < head.size(); shift += 7) {
    const auto byte = std::to_integer<std::uint64_t>(head[at++]);
    length |= (byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) return length == size - at;
  }
  return false;
}

bool parse(std::string_view bytes, google::protobuf::Message& message) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

std::optional<std::size_t> find_data(std::span<const std::byte> head, std::size_t size) noexcept {
  std::size_t at = 0;
  if (!skip_head(head, kDataTag, size, at)) return std::nullopt;
  if (at == size) return at;  // Protobuf leaves out bytes that are none.
  if (!skip_head(head, kBytesTag, size, at)) return std::nullopt;
  return at;
}

std::string data_head(std::size_t size) {
  std::string head;
  head += static_cast<char>(kDataTag);
  append_varint(head, 1 + varint_size(size) + size);
  head += static_cast<char>(kBytesTag);
  append_varint(head, size);
  return head;
}

std::optional<Request> decode_request(std::string_view bytes, std::string& data) {
  spark::UdfRequest message;
  if (!parse(bytes, message)) return std::nullopt;
  if (message.has_data()) {
    data = std::move(*message.mutable_data()->mutable_data());
    return Data{data.size()};
  }
  auto& control = *message.mutable_control();
  switch (control.control_case()) {
    case spark::UdfControlRequest::kInit:
      return init_of(*control.mutable_init());
    case spark::UdfControlRequest::kPayload:
      return PayloadChunk{std::move(*control.mutable_payload()->mutable_data()),
                          control.payload().last()};
    case spark::UdfControlRequest::kFinish:
      return Finish{};
    case spark::UdfControlRequest::kCancel:
      return Cancel{optional_of(control.cancel().has_reason(), control.cancel().reason())};
    default:
      return Unknown{};
  }
}

std::string encode(const Request& request) {
  spark::UdfRequest message;
  std::visit(RequestWriter{message}, request);
  return message.SerializeAsString();
}

std::optional<AnyResponse> decode_response(std::string_view bytes, std::string& data) {
  spark::UdfResponse message;
  if (!parse(bytes, message)) return std::nullopt;
  if (message.has_data()) {
    data = std::move(*message.mutable_data()->mutable_data());
    return Data{data.size()};
  }
  auto& control = *message.mutable_control();
  switch (control.control_case()) {
    case spark::UdfControlResponse::kInit:
      return InitResponse{optional_of(control.init().has_data(), control.init().data()),
                          error_in(control.init())};
    case spark::UdfControlResponse::kError:
      return ErrorResponse{error_of(control.error().error())};
    case spark::UdfControlResponse::kFinish:
      return FinishResponse{read_metrics(bytes, spark::UdfControlResponse::kFinishFieldNumber),
                            optional_of(control.finish().has_data(), control.finish().data()),
                            error_in(control.finish())};
    case spark::UdfControlResponse::kCancel:
      return CancelResponse{read_metrics(bytes, spark::UdfControlResponse::kCancelFieldNumber),
                            error_in(control.cancel())};
    default:
      return Unknown{};
  }
}

std::string encode(const Response& response) {
  spark::UdfResponse message;
  std::visit(ResponseWriter{*message.mutable_control()}, response);
  return message.SerializeAsString();
}

std::optional<ManageRequest> decode_manage(std::string_view bytes) {
  spark::WorkerRequest message;
  if (!parse(bytes, message)) return std::nullopt;
  if (message.has_heartbeat()) return Heartbeat{};
  if (!message.has_shutdown()) return Unknown{};
  const auto& shutdown = message.shutdown();
  return Shutdown{optional_of(shutdown.has_reason(), shutdown.reason()),
                  shutdown.cancel_sessions()};
}

std::string encode(const ManageRequest& request) {
  spark::WorkerRequest message;
  if (std::holds_alternative<Heartbeat>(request)) message.mutable_heartbeat();
  if (const auto* const shutdown = std::get_if<Shutdown>(&request)) {
    auto* const to = message.mutable_shutdown();
    if (shutdown->reason) to->set_reason(*shutdown->reason);
    if (shutdown->cancel_sessions) to->set_cancel_sessions(true);
  }
  return message.SerializeAsString();
}

std::optional<ManageResponse> decode_manage_response(std::string_view bytes) {
  spark::WorkerResponse message;
  if (!parse(bytes, message)) return std::nullopt;
  if (message.has_heartbeat()) return HeartbeatResponse{settings_of(message.heartbeat().metrics())};
  if (message.has_shutdown()) return ShutdownResponse{message.shutdown().sessions_settled()};
  return Unknown{};
}

std::string encode(const ManageResponse& response) {
  spark::WorkerResponse message;
  if (const auto* const heartbeat = std::get_if<HeartbeatResponse>(&response)) {
    set_settings(heartbeat->metrics, message.mutable_heartbeat()->mutable_metrics());
  }
  if (const auto* const shutdown = std::get_if<ShutdownResponse>(&response)) {
    message.mutable_shutdown()->set_sessions_settled(shutdown->sessions_settled);
  }
  return message.SerializeAsString();
}

}  // namespace forebay::grpc
