// SPDX-License-Identifier: Apache-2.0
#pragma once

// Messages as bytes. Data is only ever framed: its bytes are never looked at and never moved.
//
// Thread role: any. Blocking: never.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "forebay/grpc/messages.h"

namespace forebay::grpc {

inline constexpr const char* kExecuteMethod = "/org.apache.spark.udf.worker.UdfWorker/Execute";
inline constexpr const char* kManageMethod = "/org.apache.spark.udf.worker.UdfWorker/Manage";

// The most bytes that stand before the data in a message as everybody writes it.
inline constexpr std::size_t kDataHeadBytesMax = 12;

// Where the data begins in a message of `size` bytes that begins with `head`, which has at least
// kDataHeadBytesMax of them, or all; nothing for a message that is no data, or is written in
// another way than everybody does. The same for requests and responses. The data ends with the
// message.
std::optional<std::size_t> find_data(std::span<const std::byte> head, std::size_t size) noexcept;

// What stands before so many bytes of data.
std::string data_head(std::size_t size);

// A message that find_data() does not know; `data` takes the bytes of a Data. Nothing for bytes
// that are no message.
std::optional<Request> decode_request(std::string_view bytes, std::string& data);
std::string encode(const Request& request);

// The same for what a worker says; Data in a response comes as such.
using AnyResponse =
    std::variant<Unknown, Data, InitResponse, ErrorResponse, FinishResponse, CancelResponse>;
std::optional<AnyResponse> decode_response(std::string_view bytes, std::string& data);
std::string encode(const Response& response);

// --- Manage ---

struct Heartbeat {};
struct Shutdown {
  std::optional<std::string> reason;
  bool cancel_sessions = false;
};
using ManageRequest = std::variant<Unknown, Heartbeat, Shutdown>;
std::optional<ManageRequest> decode_manage(std::string_view bytes);
std::string encode(const ManageRequest& request);

struct HeartbeatResponse {
  Settings metrics;
};
struct ShutdownResponse {
  bool sessions_settled = false;
};
using ManageResponse = std::variant<Unknown, HeartbeatResponse, ShutdownResponse>;
std::optional<ManageResponse> decode_manage_response(std::string_view bytes);
std::string encode(const ManageResponse& response);

}  // namespace forebay::grpc
