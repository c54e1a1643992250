// SPDX-License-Identifier: Apache-2.0
#pragma once

// The function's bytes, as they come together: inline bytes, then chunks.

#include <cstddef>
#include <optional>
#include <string>

#include "forebay/grpc/messages.h"

namespace forebay::grpc {

// CRC-32 as zlib, PNG and Ethernet have it.
std::uint32_t crc32_of(std::string_view bytes) noexcept;

// What is wrong with a payload, for a person; empty for nothing.
using Complaint = std::optional<std::string>;

// Looks at the announced size and the inline bytes, before anything is kept for them.
Complaint check_announced(const Payload& payload, std::size_t bytes_max);
// Adds a chunk's bytes.
Complaint append(Payload& payload, const std::string& bytes, std::size_t bytes_max);
// Looks at a payload that is complete.
Complaint check_complete(const Payload& payload);

}  // namespace forebay::grpc
