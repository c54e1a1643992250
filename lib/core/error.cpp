// SPDX-License-Identifier: Apache-2.0
#include "forebay/error.h"

namespace forebay {

EndOfStream::EndOfStream(std::size_t requested, std::size_t available)
    : Error("EndOfStream: " + std::to_string(requested) + " bytes were asked for, " +
            std::to_string(available) + " were left before the end"),
      requested_(requested),
      available_(available) {}

StreamFinished::StreamFinished()
    : Error("StreamFinished: a chunk was added to a stream that had been finished or failed") {}

Cancelled::Cancelled(const std::string& what) : Error("Cancelled: " + what) {}

DeadlineExceeded::DeadlineExceeded(const std::string& what) : Error("DeadlineExceeded: " + what) {}

RetainedBudgetExhausted::RetainedBudgetExhausted(std::size_t retained_bytes,
                                                 std::size_t bound_bytes)
    : Error("RetainedBudgetExhausted: guards and shared bytes hold " +
            std::to_string(retained_bytes) + " bytes of a bound of " + std::to_string(bound_bytes) +
            "; the writer cannot go on until one is dropped"),
      retained_bytes_(retained_bytes) {}

Truncated::Truncated(const std::string& what, std::uint64_t expected, std::uint64_t got,
                     std::uint64_t offset)
    : Error("Truncated: " + what + ": expected " + std::to_string(expected) + " bytes, got " +
            std::to_string(got) + ", at offset " + std::to_string(offset)),
      expected_(expected),
      got_(got),
      offset_(offset) {}

ProtocolError::ProtocolError(const std::string& what, std::uint64_t offset)
    : Error("ProtocolError: " + what + ", at offset " + std::to_string(offset)), offset_(offset) {}

LimitExceeded::LimitExceeded(const std::string& what, std::uint64_t limit, std::uint64_t asked)
    : Error("LimitExceeded: " + what + ": limit " + std::to_string(limit) + ", asked " +
            std::to_string(asked)),
      limit_(limit),
      asked_(asked) {}

InvalidConnection::InvalidConnection(const std::string& what)
    : Error("InvalidConnection: " + what) {}
AddressInUse::AddressInUse(const std::string& what) : Error("AddressInUse: " + what) {}
PermissionDenied::PermissionDenied(const std::string& what) : Error("PermissionDenied: " + what) {}
Unsupported::Unsupported(const std::string& what) : Error("Unsupported: " + what) {}
Abandoned::Abandoned()
    : Error("Abandoned: the writer was destroyed without finish(), so the stream is not whole") {}
UserError::UserError(const std::string& what) : Error("UserError: " + what) {}
ForkedChild::ForkedChild()
    : Error("ForkedChild: this stream belongs to the parent process and was used after fork") {}

}  // namespace forebay
