// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the module of the gRPC channel is to the worker that loads it.

#include <string>

#include "forebay/udf/registry.h"

namespace forebay::udf {

inline constexpr const char* kGrpcModule = "libforebay_udf_grpc.so";
// Ends with the version, so that a module of another one is refused instead of misread.
inline constexpr const char* kGrpcEntry = "forebay_serve_grpc_0_1";

}  // namespace forebay::udf

// What serve_grpc() of grpc_module.h does. Exceptions pass: both sides use one C++ library.
extern "C" void forebay_serve_grpc_0_1(const std::string& connection,
                                       const forebay::udf::Registry& registry);
