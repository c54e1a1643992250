// SPDX-License-Identifier: Apache-2.0
#pragma once

// Bytes of Spark's channel, made by hand: nothing of the library's own encoders is trusted here.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace forebay::test {

/// Appends big-endian fields.
class SparkBytes {
 public:
  SparkBytes& i32(std::int64_t value) { return number(value, 4); }
  SparkBytes& i64(std::int64_t value) { return number(value, 8); }
  SparkBytes& flag(bool value) { return number(value ? 1 : 0, 1); }
  SparkBytes& raw(std::string_view bytes) {
    text_ += bytes;
    return *this;
  }
  SparkBytes& text(std::string_view bytes) {
    return i32(static_cast<std::int64_t>(bytes.size())).raw(bytes);
  }
  SparkBytes& number(std::int64_t value, int size) {
    for (int i = size; i-- != 0;) text_ += static_cast<char>(value >> (8 * i));
    return *this;
  }

  [[nodiscard]] const std::string& str() const { return text_; }
  [[nodiscard]] std::span<const std::byte> bytes() const {
    return std::as_bytes(std::span(text_.data(), text_.size()));
  }

 private:
  std::string text_;
};

inline std::span<const std::byte> spark_span(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::string spark_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The fields of an init message in the order of the wire, with one function.
struct InitFields {
  std::int32_t partition = 3;
  std::string context = R"({"stageId":7,"partitionId":3,"cpus":1})";
  std::int32_t eval_type = 207;
  std::string command = std::string("FOREBAY1\0identity\0", 18);

  /// Without the marker and the length.
  [[nodiscard]] std::string body() const {
    SparkBytes to;
    to.i32(partition).text("cpp").text(context).text("/tmp/files");
    to.i32(1).text("include.py");
    to.flag(false).i32(2).i64(5).text("/tmp/broadcast5").i64(-3);
    to.i32(eval_type);
    to.i32(1).text("spark.sql.session.timeZone").text("Europe/Berlin");
    to.i32(1).text("key").text("value");
    to.i32(1).i32(2).i32(0).flag(false).i32(1).flag(true).text("rate");
    to.i32(1).text(command).i64(99);
    return to.str();
  }
  /// As Spark 4.3 sends it.
  [[nodiscard]] std::string framed() const {
    const std::string fields = body();
    return SparkBytes().i32(-8).text(fields).str();
  }
};

}  // namespace forebay::test
