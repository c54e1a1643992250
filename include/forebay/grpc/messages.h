// SPDX-License-Identifier: Apache-2.0
#pragma once

// What engine and worker say to each other, as plain values: the messages of proto/ without their
// encoding. Data is not among them: it never becomes a message.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>

namespace forebay::grpc {

/// Names and values.
using Settings = std::map<std::string, std::string>;

/// The version of the protocol that is spoken. An engine that names none means this one.
inline constexpr std::uint32_t kProtocolVersion = 1;
/// UDFWorkerDataFormat.ARROW, the only one that is spoken.
inline constexpr std::int32_t kFormatArrow = 1;

/// Whose fault an error is.
enum class ErrorKind : std::uint8_t {
  user,      ///< the function's
  worker,    ///< the worker's
  protocol,  ///< the peer's, which broke the protocol
};

/// An error as it goes to the other side. `message` begins with the name of the error's type.
struct ExecutionError {
  ErrorKind kind = ErrorKind::worker;           ///< whose
  std::string message = {};                     ///< what a person reads
  std::optional<std::string> traceback = {};    ///< user and worker errors only
  std::optional<std::string> error_class = {};  ///< user errors only
};

/// The function, as the engine passes it on.
struct Payload {
  std::string bytes;                     ///< with chunking, as much as came with Init
  std::string format;                    ///< what the bytes are
  std::optional<std::int64_t> size;      ///< of all the bytes
  std::optional<std::uint32_t> crc32;    ///< of all the bytes, as zlib computes it
  std::optional<std::string> name;       ///< for people
  std::optional<std::string> eval_type;  ///< what is to be done with the function
};

/// Opens a session.
struct Init {
  std::optional<std::uint32_t> protocol_version;  ///< none: the first
  std::int32_t data_format = kFormatArrow;        ///< UDFWorkerDataFormat
  Payload udf;                                    ///< the function
  bool chunked = false;                           ///< whether the payload goes on in chunks
  std::optional<std::string> input_schema;        ///< an encapsulated Arrow schema message
  std::optional<std::string> output_schema;       ///< the same for what comes back
  Settings task_context;                          ///< agreed between engine and function
  Settings session_conf;                          ///< the same
  std::optional<std::string> time_zone;           ///< of the Spark session
  std::optional<std::string> parameters;          ///< agreed between engine and function
};

/// More of the payload.
struct PayloadChunk {
  std::string bytes;  ///< not empty
  bool last = false;  ///< whether the payload is complete
};

/// Data came; what it is stays with whoever received it.
struct Data {
  std::size_t size_bytes = 0;  ///< its size
};

/// All input was sent.
struct Finish {};

/// The session is to end without a result.
struct Cancel {
  std::optional<std::string> reason;  ///< for people
};

/// A message that says nothing that is known.
struct Unknown {};

/// From the engine.
using Request = std::variant<Unknown, Init, PayloadChunk, Data, Finish, Cancel>;

/// Answers Init, once.
struct InitResponse {
  std::optional<std::string> data;      ///< agreed between engine and function
  std::optional<ExecutionError> error;  ///< the session has failed
};

/// The session has failed; all data before it is good.
struct ErrorResponse {
  ExecutionError error;  ///< why
};

/// The last word of a session that was finished.
struct FinishResponse {
  Settings metrics;                     ///< see lib/grpc/metrics.h for the names
  std::optional<std::string> data;      ///< agreed between engine and function
  std::optional<ExecutionError> error;  ///< finishing failed
};

/// The last word of every other session.
struct CancelResponse {
  Settings metrics;                     ///< as of FinishResponse
  std::optional<ExecutionError> error;  ///< what went wrong while the session ended
};

/// From the worker, beside data.
using Response = std::variant<InitResponse, ErrorResponse, FinishResponse, CancelResponse>;

}  // namespace forebay::grpc
