// SPDX-License-Identifier: Apache-2.0
#include "forebay/chunk.h"

#include <cstring>
#include <new>

#include "forebay/detail/borrowed.h"

namespace forebay {

namespace {

using Record = detail::BasicBlock<detail::SystemPolicy>;

constexpr std::align_val_t kAlignment{64};
constexpr std::size_t kHeaderBytes = (sizeof(Record) + 63) / 64 * 64;

void destroy_copy(detail::Block* block, bool) noexcept {
  auto* const record = static_cast<Record*>(block);
  record->~Record();
  ::operator delete(static_cast<void*>(record), kAlignment);
}

// A container that was adopted, behind the record of its memory.
template <class Container>
struct Adopted : Record {
  explicit Adopted(Container&& bytes) noexcept
      : Record(nullptr, bytes.capacity(), &destroy_adopted), container(std::move(bytes)) {
    data = reinterpret_cast<std::byte*>(container.data());
  }
  static void destroy_adopted(detail::Block* block, bool) noexcept {
    delete static_cast<Adopted*>(block);
  }
  Container container;
};

}  // namespace

Chunk Chunk::copy_of(std::span<const std::byte> bytes) {
  if (bytes.size() > SIZE_MAX - kHeaderBytes) throw std::bad_alloc();
  void* const memory = ::operator new(kHeaderBytes + bytes.size(), kAlignment);
  auto* const data = static_cast<std::byte*>(memory) + kHeaderBytes;
  if (!bytes.empty()) std::memcpy(data, bytes.data(), bytes.size());
  return Chunk(::new (memory) Record(data, bytes.size(), &destroy_copy), bytes.size());
}

Chunk Chunk::adopt(std::string&& bytes) {
  const std::size_t size = bytes.size();
  if (size < kAdoptBytesMin) return copy_of(std::as_bytes(std::span(bytes)));
  return Chunk(new Adopted<std::string>(std::move(bytes)), size);
}

Chunk Chunk::adopt(std::vector<std::byte>&& bytes) {
  const std::size_t size = bytes.size();
  if (size < kAdoptBytesMin) return copy_of(bytes);
  return Chunk(new Adopted<std::vector<std::byte>>(std::move(bytes)), size);
}

void Chunk::make_block() {
  block_ = new detail::BorrowedBlock<detail::SystemPolicy>(bytes_.data(), bytes_.size(),
                                                           release_.function, release_.context);
  release_ = {};
}

}  // namespace forebay
