// SPDX-License-Identifier: Apache-2.0

// Changes Arrow streams where it hurts: lengths, markers, offsets of flatbuffers, lengths of
// bodies, the order of messages. Half of the time it leaves the bytes to libFuzzer's own mutations,
// of all of them or of one part.

#include <cstring>
#include <vector>

#include "fuzz/arrow_layout.h"
#include "fuzz/fuzz.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace forebay::fuzz {
namespace {

using Buffer = std::vector<std::uint8_t>;

class Mutator {
 public:
  Mutator(Buffer& bytes, unsigned seed) : bytes_(bytes), random_(seed) {}

  // False when there is nothing here that this knows to change.
  bool mutate() {
    layout_ = layout_of(std::as_bytes(std::span(bytes_)));
    if (layout_.messages.empty()) return false;
    message_ = layout_.messages[random_.below(layout_.messages.size())];
    switch (random_.below(11)) {
      case 0:
        return put<std::uint32_t>(message_.metadata - 4);
      case 1:
        return toggle_marker();
      case 2:
        return message_.body_bytes_field && put<std::int64_t>(*message_.body_bytes_field);
      case 3:
      case 4:
        return change_metadata();
      case 5:
        return mutate_range(message_.metadata, message_.metadata_bytes);
      case 6:
        return mutate_range(message_.body, message_.body_bytes);
      case 7:
        return remove_message();
      case 8:
        return repeat_message();
      case 9:
        return resize_body();
      default:
        bytes_.resize(message_.prefix + random_.below(bytes_.size() - message_.prefix));
        return true;
    }
  }

 private:
  [[nodiscard]] std::size_t end() const {
    const std::uint64_t left = bytes_.size() - std::min(message_.body, bytes_.size());
    return std::min(message_.body, bytes_.size()) +
           static_cast<std::size_t>(std::min(message_.body_bytes, left));
  }
  [[nodiscard]] bool holds(std::size_t at, std::size_t size) const {
    return at <= bytes_.size() && size <= bytes_.size() - at;
  }

  // A number in place of the one at `at`: near it, or one that tends to break things.
  template <class T>
  bool put(std::size_t at) {
    static constexpr std::int64_t kNumbers[] = {0,
                                                1,
                                                2,
                                                4,
                                                7,
                                                8,
                                                16,
                                                64,
                                                127,
                                                255,
                                                4096,
                                                65535,
                                                1 << 20,
                                                1 << 24,
                                                (1 << 24) + 1,
                                                -1,
                                                -2,
                                                -8,
                                                INT32_MAX,
                                                INT32_MIN,
                                                INT64_MAX,
                                                INT64_MIN,
                                                std::int64_t{1} << 40,
                                                std::int64_t{1} << 62};
    if (!holds(at, sizeof(T))) return false;
    T value;
    std::memcpy(&value, bytes_.data() + at, sizeof value);
    if (random_.below(2) == 0) {
      value = static_cast<T>(kNumbers[random_.below(std::size(kNumbers))]);
    } else {
      value = static_cast<T>(static_cast<std::uint64_t>(value) + random_.below(33) - 16);
    }
    std::memcpy(bytes_.data() + at, &value, sizeof value);
    return true;
  }

  bool toggle_marker() {
    const auto at = bytes_.begin() + static_cast<std::ptrdiff_t>(message_.prefix);
    if (message_.metadata - message_.prefix == 8) {
      bytes_.erase(at, at + 4);
    } else {
      bytes_.insert(at, 4, 0xFF);
    }
    return true;
  }

  // Words of a flatbuffer are aligned to their size.
  bool change_metadata() {
    const std::size_t size = std::min(message_.metadata_bytes, bytes_.size() - message_.metadata);
    if (size < 8) return false;
    const std::size_t at = message_.metadata + random_.below(size);
    switch (random_.below(4)) {
      case 0:
        return put<std::uint8_t>(at);
      case 1:
        return put<std::uint16_t>(at & ~std::size_t{1});
      case 2:
        return put<std::uint32_t>(at & ~std::size_t{3});
      default:
        return put<std::int64_t>(at & ~std::size_t{7});
    }
  }

  // libFuzzer's mutation of one part, which keeps its size.
  bool mutate_range(std::size_t begin, std::uint64_t announced) {
    if (begin >= bytes_.size() || announced == 0) return false;
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(announced, bytes_.size() - begin));
    LLVMFuzzerMutate(bytes_.data() + begin, size, size);
    return true;
  }

  bool remove_message() {
    if (layout_.messages.size() < 2) return false;
    bytes_.erase(bytes_.begin() + static_cast<std::ptrdiff_t>(message_.prefix),
                 bytes_.begin() + static_cast<std::ptrdiff_t>(end()));
    return true;
  }

  // Once more, somewhere between two messages.
  bool repeat_message() {
    const Buffer copy(bytes_.begin() + static_cast<std::ptrdiff_t>(message_.prefix),
                      bytes_.begin() + static_cast<std::ptrdiff_t>(end()));
    const std::size_t to = layout_.messages[random_.below(layout_.messages.size())].prefix;
    bytes_.insert(bytes_.begin() + static_cast<std::ptrdiff_t>(to), copy.begin(), copy.end());
    return true;
  }

  // Eight bytes more or fewer, and a length that says so.
  bool resize_body() {
    if (!message_.body_bytes_field || end() != message_.body + message_.body_bytes) return false;
    const auto last = bytes_.begin() + static_cast<std::ptrdiff_t>(end());
    std::uint64_t size = message_.body_bytes;
    if (random_.below(2) == 0 || size < 8) {
      bytes_.insert(last, 8, 0);
      size += 8;
    } else {
      bytes_.erase(last - 8, last);
      size -= 8;
    }
    std::memcpy(bytes_.data() + *message_.body_bytes_field, &size, sizeof size);
    return true;
  }

  Buffer& bytes_;
  Random random_;
  Layout layout_;
  Message message_;
};

}  // namespace
}  // namespace forebay::fuzz

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  using namespace forebay::fuzz;
  Random random(seed);
  if (random.below(3) == 0) return LLVMFuzzerMutate(data, size, max_size);
  Buffer bytes(data, data + size);
  if (!Mutator(bytes, seed).mutate()) return LLVMFuzzerMutate(data, size, max_size);
  const std::size_t kept = std::min(bytes.size(), max_size);
  std::copy_n(bytes.begin(), kept, data);
  return kept;
}
