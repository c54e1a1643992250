// SPDX-License-Identifier: Apache-2.0
#include "forebay/spark/broadcast_receiver.h"

#include <algorithm>

#include "forebay/error.h"
#include "wire.h"

namespace forebay::spark {

namespace {

constexpr std::size_t kIdBytes = sizeof(std::int64_t);

}  // namespace

BroadcastReceiver::BroadcastReceiver(std::vector<std::int64_t> ids, std::size_t bytes_max)
    : ids_(std::move(ids)), bytes_max_(bytes_max) {
  broadcasts_.reserve(ids_.size());
}

void BroadcastReceiver::received(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (done()) throw ProtocolError("bytes behind the last broadcast", position_);
    const std::size_t taken = id_.size() != kIdBytes ? received_id(bytes) : received_pickle(bytes);
    bytes = bytes.subspan(taken);
  }
}

std::size_t BroadcastReceiver::received_id(std::span<const std::byte> bytes) {
  const std::size_t part = std::min(kIdBytes - id_.size(), bytes.size());
  id_.insert(id_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(part));
  position_ += part;
  if (id_.size() == kIdBytes) {
    const auto id = load_be<std::int64_t>(id_);
    const std::int64_t wanted = ids_[broadcasts_.size()];
    if (id != wanted) {
      throw ProtocolError(
          "instead of broadcast " + std::to_string(wanted) + " came " + std::to_string(id),
          position_ - kIdBytes);
    }
  }
  return part;
}

std::size_t BroadcastReceiver::received_pickle(std::span<const std::byte> bytes) {
  const std::size_t part = scanner_.consume(bytes);
  if (part > bytes_max_ - bytes_) {
    throw LimitExceeded("bytes of broadcasts", bytes_max_, bytes_ + part);
  }
  bytes_ += part;
  position_ += part;
  pickle_.append(reinterpret_cast<const char*>(bytes.data()), part);
  if (scanner_.done()) {
    broadcasts_.emplace_back(ids_[broadcasts_.size()], std::exchange(pickle_, {}));
    scanner_ = {};
    id_.clear();
  }
  return part;
}

void BroadcastReceiver::ended() const {
  const std::string what = "broadcast " + std::to_string(ids_[broadcasts_.size()]);
  if (id_.size() != kIdBytes) {
    throw Truncated("the id of " + what, kIdBytes, id_.size(), position_ - id_.size());
  }
  throw Truncated("the pickle of " + what, scanner_.position() + 1, scanner_.position(),
                  position_ - scanner_.position());
}

std::string broadcast_bytes(std::string pickle) {
  PickleScanner scanner;
  try {
    if (scanner.consume(std::as_bytes(std::span(pickle))) != pickle.size()) return pickle;
  } catch (const ProtocolError&) {
    return pickle;
  }
  const auto place = scanner.string_alone();
  if (!place) return pickle;
  pickle.resize(static_cast<std::size_t>(place->offset + place->size_bytes));
  pickle.erase(0, static_cast<std::size_t>(place->offset));
  return pickle;
}

}  // namespace forebay::spark
