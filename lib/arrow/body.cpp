// SPDX-License-Identifier: Apache-2.0
#include "body.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "forebay/error.h"

namespace forebay::arrow {

namespace {

// Memory of a stream, as Arrow wants to own it.
class SharedBuffer final : public ::arrow::Buffer {
 public:
  explicit SharedBuffer(SharedBytes bytes)
      : ::arrow::Buffer(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                        static_cast<std::int64_t>(bytes.size())),
        bytes_(std::move(bytes)) {}

 private:
  SharedBytes bytes_;
};

// What a frame may hold beyond what its bytes can become: headers take bytes too.
constexpr std::uint64_t kExpansionSlackBytes = std::uint64_t{128} << 10;

}  // namespace

Body::Body(const StreamReader& stream, const ReadOptions& options, ReadStats& stats)
    : stream_(stream), options_(options), stats_(stats) {}

Body::~Body() = default;

void Body::set(const std::vector<ByteView>& views, const Use& use) {
  clear();
  use_ = use;
  for (const ByteView& view : views) {
    if (view.empty()) continue;
    const auto address = reinterpret_cast<std::uintptr_t>(view.data());
    if ((address - static_cast<std::uintptr_t>(size_)) % 8 != 0) aligned_ = false;
    runs_.push_back({size_, view, nullptr});
    size_ += static_cast<std::int64_t>(view.size());
  }
}

void Body::clear() noexcept {
  runs_.clear();
  last_run_ = 0;
  size_ = position_ = gathered_bytes_ = 0;
  decompressed_bytes_ = 0;
  aligned_ = true;
  whole_ = nullptr;
  error_ = nullptr;
}

void Body::rethrow_error() const {
  if (error_ != nullptr) std::rethrow_exception(error_);
}

::arrow::Status Body::fail(std::exception_ptr error) {
  error_ = std::move(error);
  return ::arrow::Status::Invalid("see the body's error");
}

::arrow::Status Body::check_range(std::int64_t position, std::int64_t size) const {
  if (position < 0 || size < 0 || position > size_ || size > size_ - position) {
    return ::arrow::Status::Invalid("a buffer of ", size, " bytes at ", position,
                                    " lies outside of a body of ", size_, " bytes");
  }
  return ::arrow::Status::OK();
}

// A compressed buffer begins with the size that it claims to become, which Arrow believes.
::arrow::Status Body::check_expansion(std::int64_t position, std::int64_t size) {
  std::int64_t claimed = 0;
  if (size < static_cast<std::int64_t>(sizeof(claimed))) return ::arrow::Status::OK();
  copy_out(position, sizeof(claimed), &claimed);
  if (claimed == -1) return ::arrow::Status::OK();  // Not compressed after all.
  const std::uint64_t at = use_.offset + static_cast<std::uint64_t>(position);
  const auto payload = static_cast<std::uint64_t>(size) - sizeof(claimed);
  if (claimed < 0 ||
      static_cast<std::uint64_t>(claimed) > payload * use_.expansion_max + kExpansionSlackBytes) {
    return fail(std::make_exception_ptr(
        ProtocolError("a compressed Arrow buffer that claims to hold " + std::to_string(claimed) +
                          " bytes in " + std::to_string(payload),
                      at)));
  }
  decompressed_bytes_ += static_cast<std::uint64_t>(claimed);
  if (decompressed_bytes_ > options_.decompressed_bytes_max) {
    return fail(std::make_exception_ptr(LimitExceeded("decompressed bytes of one Arrow message",
                                                      options_.decompressed_bytes_max,
                                                      decompressed_bytes_)));
  }
  return ::arrow::Status::OK();
}

// The run that holds the byte at `position`, which is in the body.
Body::Run& Body::run_at(std::int64_t position) noexcept {
  const Run& last = runs_[last_run_];
  if (position < last.begin || position >= last.end()) {
    const auto next =
        std::upper_bound(runs_.begin(), runs_.end(), position,
                         [](std::int64_t wanted, const Run& run) { return wanted < run.begin; });
    last_run_ = static_cast<std::size_t>(next - runs_.begin()) - 1;
  }
  return runs_[last_run_];
}

void Body::copy_out(std::int64_t position, std::int64_t size, void* out) noexcept {
  auto* to = static_cast<std::byte*>(out);
  while (size != 0) {
    const Run& run = run_at(position);
    const std::int64_t part = std::min(size, run.end() - position);
    std::memcpy(to, run.view.data() + (position - run.begin), static_cast<std::size_t>(part));
    to += part;
    position += part;
    size -= part;
  }
}

::arrow::Result<std::shared_ptr<::arrow::Buffer>> Body::gather(std::int64_t position,
                                                               std::int64_t size) {
  if (whole_ != nullptr) return ::arrow::SliceBuffer(whole_, position, size);
  // Buffers that overlap may add up to any size; the body as a whole has the one that was received.
  const bool overlapping = size > size_ - gathered_bytes_;
  const std::int64_t bytes = overlapping ? size_ : size;
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<::arrow::Buffer> buffer,
                        ::arrow::AllocateBuffer(bytes, options_.ipc.memory_pool));
  copy_out(overlapping ? 0 : position, bytes, buffer->mutable_data());
  gathered_bytes_ += bytes;
  if (use_.copies) {
    stats_.bytes_dictionaries += static_cast<std::uint64_t>(bytes);
  } else {
    stats_.bytes_scattered += static_cast<std::uint64_t>(bytes);
    ++stats_.buffers_scattered;
  }
  if (!overlapping) return buffer;
  whole_ = std::move(buffer);
  return ::arrow::SliceBuffer(whole_, position, size);
}

::arrow::Result<std::shared_ptr<::arrow::Buffer>> Body::ReadAt(std::int64_t position,
                                                               std::int64_t size) {
  ARROW_RETURN_NOT_OK(check_range(position, size));
  if (size == 0) return std::make_shared<::arrow::Buffer>(nullptr, 0);
  if (use_.expansion_max != 0) ARROW_RETURN_NOT_OK(check_expansion(position, size));
  Run& run = run_at(position);
  if (use_.copies || size > run.end() - position) return gather(position, size);
  if (run.buffer == nullptr) {
    run.buffer = std::make_shared<SharedBuffer>(stream_.share(run.view, options_.retention));
  }
  ++stats_.buffers_shared;
  stats_.bytes_shared += static_cast<std::uint64_t>(size);
  return ::arrow::SliceBuffer(run.buffer, position - run.begin, size);
}

::arrow::Result<std::shared_ptr<::arrow::Buffer>> Body::ReadAt(std::int64_t position,
                                                               std::int64_t size, bool) {
  return ReadAt(position, size);
}

::arrow::Result<std::int64_t> Body::ReadAt(std::int64_t position, std::int64_t size, void* out) {
  ARROW_RETURN_NOT_OK(check_range(position, size));
  copy_out(position, size, out);
  return size;
}

::arrow::Result<std::int64_t> Body::ReadAt(std::int64_t position, std::int64_t size, bool,
                                           void* out) {
  return ReadAt(position, size, out);
}

::arrow::Status Body::Seek(std::int64_t position) {
  ARROW_RETURN_NOT_OK(check_range(position, 0));
  position_ = position;
  return ::arrow::Status::OK();
}

::arrow::Result<std::int64_t> Body::Read(std::int64_t size, void* out) {
  ARROW_ASSIGN_OR_RAISE(const std::int64_t done, ReadAt(position_, size, out));
  position_ += done;
  return done;
}

::arrow::Result<std::shared_ptr<::arrow::Buffer>> Body::Read(std::int64_t size) {
  ARROW_ASSIGN_OR_RAISE(auto buffer, ReadAt(position_, size));
  position_ += size;
  return buffer;
}

}  // namespace forebay::arrow
