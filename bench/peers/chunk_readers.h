// SPDX-License-Identifier: Apache-2.0
#pragma once

// The peers of the stream benchmark that read chunks on the thread that has them. Their shape is
// that of peers/stream_hand_over.h. Where a peer's own interface can hand out bytes in place, it
// does, and copies only what crosses from one chunk to the next.

#include <absl/strings/cord.h>
#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <istream>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <streambuf>
#include <utility>
#include <vector>

#include "harness/received_bytes.h"
#include "peers/stream_hand_over.h"

namespace peers {

/// The floor: a pointer that is moved and checked, over memory that is contiguous.
class PointerPeer {
 public:
  PointerPeer(const forebay::bench::ReceivedBytes& input, std::size_t)
      : input_(input), chunk_bytes_(input.chunk_bytes()) {}

  bool add(std::span<const std::byte> bytes) {
    added_bytes_ += bytes.size();
    return true;
  }
  void begin() {
    current_ = first_ = input_.at(read_bytes_);
    end_ = current_ + (added_bytes_ - read_bytes_);
  }
  void end() { read_bytes_ += static_cast<std::uint64_t>(current_ - first_); }
  const std::byte* read(std::size_t n) {
    if (n > static_cast<std::size_t>(end_ - current_)) throw std::out_of_range("read");
    return std::exchange(current_, current_ + n);
  }
  template <class T>
  T integer() {
    return load<T>(read(sizeof(T)));
  }
  std::span<const std::byte> read_chunk() { return {read(chunk_bytes_), chunk_bytes_}; }

 private:
  const forebay::bench::ReceivedBytes& input_;
  const std::size_t chunk_bytes_;
  std::uint64_t added_bytes_ = 0;
  std::uint64_t read_bytes_ = 0;
  const std::byte* first_ = nullptr;
  const std::byte* current_ = nullptr;
  const std::byte* end_ = nullptr;
};

/// The limit for Arrow: its reader over memory that is contiguous.
class ArrowBufferReaderPeer {
 public:
  ArrowBufferReaderPeer(const forebay::bench::ReceivedBytes& input, std::size_t)
      : input_(input), chunk_bytes_(input.chunk_bytes()) {}

  bool add(std::span<const std::byte> bytes) {
    added_bytes_ += bytes.size();
    return true;
  }
  void begin() {
    reader_.emplace(std::make_shared<arrow::Buffer>(
        reinterpret_cast<const std::uint8_t*>(input_.at(read_bytes_)),
        static_cast<std::int64_t>(added_bytes_ - read_bytes_)));
  }
  void end() { read_bytes_ += static_cast<std::uint64_t>(reader_->Tell().ValueOrDie()); }
  const std::byte* read(std::size_t n) {
    buffer_ = reader_->Read(static_cast<std::int64_t>(n)).ValueOrDie();
    if (buffer_->size() != static_cast<std::int64_t>(n)) throw std::out_of_range("read");
    return reinterpret_cast<const std::byte*>(buffer_->data());
  }
  template <class T>
  T integer() {
    T value;
    if (reader_->Read(sizeof value, &value).ValueOrDie() != sizeof value) {
      throw std::out_of_range("read");
    }
    return value;
  }
  std::span<const std::byte> read_chunk() { return {read(chunk_bytes_), chunk_bytes_}; }

 private:
  const forebay::bench::ReceivedBytes& input_;
  const std::size_t chunk_bytes_;
  std::uint64_t added_bytes_ = 0;
  std::uint64_t read_bytes_ = 0;
  std::optional<arrow::io::BufferReader> reader_;
  std::shared_ptr<arrow::Buffer> buffer_;
};

class CordPeer {
 public:
  CordPeer(const forebay::bench::ReceivedBytes&, std::size_t) {}

  bool add(std::span<const std::byte> bytes) {
    cord_.Append(absl::MakeCordFromExternal(
        {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, Release{&returned_}));
    return true;
  }
  void begin() {
    at_ = cord_.char_begin();
    batch_bytes_ = 0;
  }
  void end() {
    at_ = {};
    cord_.RemovePrefix(batch_bytes_);
  }
  const std::byte* read(std::size_t n) {
    const absl::string_view rest = absl::Cord::ChunkRemaining(at_);
    batch_bytes_ += n;
    if (n <= rest.size()) [[likely]] {
      absl::Cord::Advance(&at_, n);
      return reinterpret_cast<const std::byte*>(rest.data());
    }
    gathered_.resize(n);
    for (std::size_t done = 0; done < n;) {
      const absl::string_view next = absl::Cord::ChunkRemaining(at_);
      const std::size_t part = std::min(n - done, next.size());
      std::memcpy(gathered_.data() + done, next.data(), part);
      absl::Cord::Advance(&at_, part);
      done += part;
    }
    return gathered_.data();
  }
  template <class T>
  T integer() {
    return load<T>(read(sizeof(T)));
  }
  std::span<const std::byte> read_chunk() {
    const absl::string_view rest = absl::Cord::ChunkRemaining(at_);
    batch_bytes_ += rest.size();
    absl::Cord::Advance(&at_, rest.size());
    return {reinterpret_cast<const std::byte*>(rest.data()), rest.size()};
  }

 private:
  struct Release {
    Returned* returned;
    void operator()() const { ++returned->count; }
  };

  Returned returned_;
  absl::Cord cord_;
  absl::Cord::CharIterator at_;
  std::size_t batch_bytes_ = 0;
  std::vector<std::byte> gathered_;
};

/// Chunks as protobuf takes them.
class ChunkInput final : public google::protobuf::io::ZeroCopyInputStream {
 public:
  void add(std::span<const std::byte> bytes) { chunks_.push_back(bytes); }
  /// Forgets what was read.
  void forget() {
    chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(next_));
    next_ = 0;
  }

  bool Next(const void** data, int* size) override {
    if (next_ == chunks_.size()) return false;
    const std::span<const std::byte> chunk = chunks_[next_++];
    *data = chunk.data();
    *size = static_cast<int>(chunk.size());
    count_ += *size;
    return true;
  }
  void BackUp(int count) override {
    if (count == 0) return;
    --next_;
    chunks_[next_] = chunks_[next_].last(static_cast<std::size_t>(count));
    count_ -= count;
  }
  bool Skip(int count) override {
    const void* data = nullptr;
    int size = 0;
    while (count > 0 && Next(&data, &size)) {
      if (size > count) BackUp(size - count);
      count -= std::min(size, count);
    }
    return count == 0;
  }
  int64_t ByteCount() const override { return count_; }

 private:
  std::vector<std::span<const std::byte>> chunks_;
  std::size_t next_ = 0;
  int64_t count_ = 0;
};

class CodedInputPeer {
 public:
  CodedInputPeer(const forebay::bench::ReceivedBytes&, std::size_t) {}

  bool add(std::span<const std::byte> bytes) {
    input_.add(bytes);
    return true;
  }
  void begin() { coded_.emplace(&input_); }
  void end() {
    coded_.reset();
    input_.forget();
  }
  const std::byte* read(std::size_t n) {
    const void* data = nullptr;
    int size = 0;
    coded_->GetDirectBufferPointerInline(&data, &size);
    if (static_cast<int>(n) <= size) [[likely]] {
      coded_->Skip(static_cast<int>(n));
      return static_cast<const std::byte*>(data);
    }
    gathered_.resize(n);
    if (!coded_->ReadRaw(gathered_.data(), static_cast<int>(n))) throw std::out_of_range("read");
    return gathered_.data();
  }
  template <class T>
  T integer() {
    T value;
    bool done = false;
    if constexpr (sizeof(T) == 4) {
      done = coded_->ReadLittleEndian32(&value);
    } else {
      done = coded_->ReadLittleEndian64(&value);
    }
    if (!done) throw std::out_of_range("read");
    return value;
  }
  std::span<const std::byte> read_chunk() {
    const void* data = nullptr;
    int size = 0;
    if (!coded_->GetDirectBufferPointer(&data, &size)) throw std::out_of_range("read");
    coded_->Skip(size);
    return {static_cast<const std::byte*>(data), static_cast<std::size_t>(size)};
  }

 private:
  ChunkInput input_;
  std::optional<google::protobuf::io::CodedInputStream> coded_;
  std::vector<std::byte> gathered_;
};

/// The interface below CodedInputStream, with a cursor as its users write it.
class ZeroCopyInputPeer {
 public:
  ZeroCopyInputPeer(const forebay::bench::ReceivedBytes&, std::size_t) {}

  bool add(std::span<const std::byte> bytes) {
    input_.add(bytes);
    return true;
  }
  void begin() { current_ = end_ = nullptr; }
  void end() {
    input_.BackUp(static_cast<int>(end_ - current_));
    input_.forget();
  }
  const std::byte* read(std::size_t n) {
    if (n <= static_cast<std::size_t>(end_ - current_)) [[likely]] {
      return std::exchange(current_, current_ + n);
    }
    return read_slow(n);
  }
  template <class T>
  T integer() {
    return load<T>(read(sizeof(T)));
  }
  std::span<const std::byte> read_chunk() {
    if (current_ == end_) next();
    return {std::exchange(current_, end_), end_};
  }

 private:
  void next() {
    const void* data = nullptr;
    int size = 0;
    if (!input_.Next(&data, &size)) throw std::out_of_range("read");
    current_ = static_cast<const std::byte*>(data);
    end_ = current_ + size;
  }
  [[gnu::noinline]] const std::byte* read_slow(std::size_t n) {
    if (current_ == end_) next();
    if (n <= static_cast<std::size_t>(end_ - current_)) {
      return std::exchange(current_, current_ + n);
    }
    gathered_.resize(n);
    for (std::size_t done = 0;;) {
      const std::size_t part = std::min(n - done, static_cast<std::size_t>(end_ - current_));
      std::memcpy(gathered_.data() + done, current_, part);
      current_ += part;
      done += part;
      if (done == n) return gathered_.data();
      next();
    }
  }

  ChunkInput input_;
  const std::byte* current_ = nullptr;
  const std::byte* end_ = nullptr;
  std::vector<std::byte> gathered_;
};

/// std::istream over the chunks. It can only copy.
class IostreamPeer {
 public:
  IostreamPeer(const forebay::bench::ReceivedBytes& input, std::size_t)
      : copied_(input.chunk_bytes()), stream_(&buffer_) {}

  bool add(std::span<const std::byte> bytes) {
    buffer_.chunks.push_back(bytes);
    return true;
  }
  void begin() {}
  void end() {
    auto& chunks = buffer_.chunks;
    chunks.erase(chunks.begin(), chunks.begin() + static_cast<std::ptrdiff_t>(buffer_.next));
    buffer_.next = 0;
  }
  const std::byte* read(std::size_t n) {
    if (copied_.size() < n) copied_.resize(n);
    get(copied_.data(), n);
    return copied_.data();
  }
  template <class T>
  T integer() {
    T value;
    get(&value, sizeof value);
    return value;
  }
  std::span<const std::byte> read_chunk() {
    get(copied_.data(), copied_.size());
    return copied_;
  }

 private:
  struct ChunkBuffer final : std::streambuf {
    int_type underflow() override {
      if (next == chunks.size()) return traits_type::eof();
      const std::span<const std::byte> chunk = chunks[next++];
      // A stream buffer is never written through here, but its pointers are not const.
      auto* const first = reinterpret_cast<char*>(const_cast<std::byte*>(chunk.data()));
      setg(first, first, first + chunk.size());
      return traits_type::to_int_type(*first);
    }
    std::vector<std::span<const std::byte>> chunks;
    std::size_t next = 0;
  };

  void get(void* to, std::size_t n) {
    stream_.read(static_cast<char*>(to), static_cast<std::streamsize>(n));
    if (!stream_) throw std::out_of_range("read");
  }

  ChunkBuffer buffer_;
  std::vector<std::byte> copied_;
  std::istream stream_;
};

}  // namespace peers
