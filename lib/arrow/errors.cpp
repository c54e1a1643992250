// SPDX-License-Identifier: Apache-2.0
#include "errors.h"

#include <new>
#include <stdexcept>

#include "forebay/error.h"

namespace forebay::arrow {

::arrow::Status to_status(const std::exception_ptr& error) noexcept {
  using ::arrow::Status;
  try {
    std::rethrow_exception(error);
  } catch (const Truncated& e) {
    return Status::IOError(e.what());
  } catch (const ProtocolError& e) {
    return Status::Invalid(e.what());
  } catch (const LimitExceeded& e) {
    return Status::CapacityError(e.what());
  } catch (const Unsupported& e) {
    return Status::NotImplemented(e.what());
  } catch (const Cancelled& e) {
    return Status::Cancelled(e.what());
  } catch (const std::bad_alloc& e) {
    return Status::OutOfMemory(e.what());
  } catch (const std::invalid_argument& e) {
    return Status::Invalid(e.what());
  } catch (const std::exception& e) {
    return Status::IOError(e.what());
  } catch (...) {
    return Status::UnknownError("the stream failed with something that is no std::exception");
  }
}

void throw_status(const ::arrow::Status& status, std::uint64_t offset) {
  switch (status.code()) {
    case ::arrow::StatusCode::OutOfMemory:
      throw std::bad_alloc();
    case ::arrow::StatusCode::NotImplemented:
      throw Unsupported("Arrow: " + status.message() + ", in the message at offset " +
                        std::to_string(offset));
    default:
      throw ProtocolError("Arrow: " + status.message(), offset);
  }
}

}  // namespace forebay::arrow
