// SPDX-License-Identifier: Apache-2.0
#include "metrics.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <utility>

namespace forebay::grpc {

namespace {

using google::protobuf::internal::WireFormatLite;
namespace io = google::protobuf::io;

constexpr int kControl = 1;
constexpr int kMetrics = 1;
constexpr int kKey = 1;
constexpr int kValue = 2;

io::CodedInputStream read(std::string_view bytes) {
  return io::CodedInputStream(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                              static_cast<int>(bytes.size()));
}

bool is_text(std::uint32_t tag) {
  return WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
}

// Calls with what each occurrence of a field holds; bytes that cannot be read end it.
template <class Use>
void for_each(std::string_view bytes, int number, Use use) {
  io::CodedInputStream in = read(bytes);
  while (const std::uint32_t tag = in.ReadTag()) {
    if (WireFormatLite::GetTagFieldNumber(tag) == number && is_text(tag)) {
      std::string content;
      if (!WireFormatLite::ReadString(&in, &content)) return;
      use(content);
    } else if (!WireFormatLite::SkipField(&in, tag)) {
      return;
    }
  }
}

void read_metric(std::string_view bytes, Settings& metrics) {
  io::CodedInputStream in = read(bytes);
  std::string key;
  std::string value;
  bool is_entry = false;
  while (const std::uint32_t tag = in.ReadTag()) {
    const int field = WireFormatLite::GetTagFieldNumber(tag);
    if (is_text(tag) && (field == kKey || field == kValue)) {
      is_entry = true;
      if (!WireFormatLite::ReadString(&in, field == kKey ? &key : &value)) return;
    } else if (WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_VARINT &&
               field <= static_cast<int>(std::size(kMetricNames))) {
      std::uint64_t number = 0;
      if (!in.ReadVarint64(&number)) return;
      metrics[std::string(kMetricNames[field - 1])] = std::to_string(number);
    } else if (!WireFormatLite::SkipField(&in, tag)) {
      return;
    }
  }
  if (is_entry) metrics[key] = value;
}

std::string entry_of(const std::string& name, const std::string& value) {
  std::string bytes;
  {
    io::StringOutputStream stream(&bytes);
    io::CodedOutputStream out(&stream);
    WireFormatLite::WriteString(kKey, name, &out);
    WireFormatLite::WriteString(kValue, value, &out);
  }
  return bytes;
}

// The number that later engines have for the name; 0 for none.
int number_of(const std::string& name) {
  const auto* const found = std::find(std::begin(kMetricNames), std::end(kMetricNames), name);
  if (found == std::end(kMetricNames)) return 0;
  return static_cast<int>(found - std::begin(kMetricNames)) + 1;
}

std::optional<std::uint64_t> count_in(const std::string& text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

}  // namespace

std::vector<std::string> encode_metrics(const Settings& metrics) {
  std::vector<std::string> occurrences;
  std::string numbers;
  {
    io::StringOutputStream stream(&numbers);
    io::CodedOutputStream out(&stream);
    bool is_first = true;
    for (const auto& [name, value] : metrics) {
      occurrences.push_back(entry_of(name, value));
      const int field = number_of(name);
      const auto count = count_in(value);
      if (field == 0 || !count) continue;
      if (std::exchange(is_first, false)) out.WriteString(occurrences.back());
      WireFormatLite::WriteUInt64(field, *count, &out);
    }
  }
  if (!numbers.empty()) occurrences.push_back(std::move(numbers));
  return occurrences;
}

Settings read_metrics(std::string_view response, int terminator) {
  Settings metrics;
  for_each(response, kControl, [&](std::string_view control) {
    for_each(control, terminator, [&](std::string_view end) {
      for_each(end, kMetrics, [&](std::string_view one) { read_metric(one, metrics); });
    });
  });
  return metrics;
}

}  // namespace forebay::grpc
