// SPDX-License-Identifier: Apache-2.0
#include "canonical.h"

#include <arrow/array.h>
#include <arrow/extension_type.h>
#include <arrow/util/checked_cast.h>
#include <arrow/util/decimal.h>
#include <arrow/util/key_value_metadata.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

namespace forebay::arrow::test {

namespace {

using ::arrow::internal::checked_cast;

std::string digits(std::uint64_t bits, int bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (int shift = bytes * 8 - 4; shift >= 0; shift -= 4) text += kDigits[(bits >> shift) & 15];
  return text;
}

std::string hex_text(std::string_view bytes) {
  std::string text = "x";
  for (const char c : bytes) text += digits(static_cast<unsigned char>(c), 1);
  return text;
}

std::string unit_text(::arrow::TimeUnit::type unit) {
  switch (unit) {
    case ::arrow::TimeUnit::SECOND:
      return "SECOND";
    case ::arrow::TimeUnit::MILLI:
      return "MILLISECOND";
    case ::arrow::TimeUnit::MICRO:
      return "MICROSECOND";
    default:
      return "NANOSECOND";
  }
}

std::string metadata_text(const ::arrow::KeyValueMetadata* metadata,
                          const ::arrow::DataType* type = nullptr) {
  std::vector<std::pair<std::string, std::string>> pairs;
  if (metadata != nullptr) pairs = metadata->sorted_pairs();
  // Arrow takes these two out of the metadata when it knows the extension.
  if (type != nullptr && type->id() == ::arrow::Type::EXTENSION) {
    const auto& extension = checked_cast<const ::arrow::ExtensionType&>(*type);
    pairs.emplace_back("ARROW:extension:name", extension.extension_name());
    pairs.emplace_back("ARROW:extension:metadata", extension.Serialize());
  }
  std::sort(pairs.begin(), pairs.end());
  std::string text;
  for (const auto& [key, value] : pairs) {
    if (!text.empty()) text += ';';
    text += hex_text(key) + "=" + hex_text(value);
  }
  return text;
}

std::string field_text(const ::arrow::Field& field);

std::string type_text(const ::arrow::DataType& type) {
  using ::arrow::Type;
  std::string nested = "<";
  for (const auto& field : type.fields()) {
    if (nested.size() > 1) nested += ',';
    nested += field_text(*field);
  }
  nested += '>';
  const auto bits = [&] { return std::to_string(type.bit_width()); };
  switch (type.id()) {
    case Type::UINT8:
    case Type::UINT16:
    case Type::UINT32:
    case Type::UINT64:
      return "uint" + bits();
    case Type::INT8:
    case Type::INT16:
    case Type::INT32:
    case Type::INT64:
      return "int" + bits();
    case Type::HALF_FLOAT:
    case Type::FLOAT:
    case Type::DOUBLE:
      return "float" + bits();
    case Type::NA:
      return "null";
    case Type::BOOL:
      return "bool";
    case Type::STRING:
      return "utf8";
    case Type::LARGE_STRING:
      return "largeutf8";
    case Type::STRING_VIEW:
      return "utf8view";
    case Type::BINARY:
      return "binary";
    case Type::LARGE_BINARY:
      return "largebinary";
    case Type::BINARY_VIEW:
      return "binaryview";
    case Type::FIXED_SIZE_BINARY:
      return "fixedsizebinary[" + std::to_string(type.byte_width()) + "]";
    case Type::DECIMAL32:
    case Type::DECIMAL64:
    case Type::DECIMAL128:
    case Type::DECIMAL256: {
      const auto& decimal = checked_cast<const ::arrow::DecimalType&>(type);
      return "decimal" + bits() + "(" + std::to_string(decimal.precision()) + "," +
             std::to_string(decimal.scale()) + ")";
    }
    case Type::DATE32:
    case Type::DATE64:
      return "date" + bits();
    case Type::TIME32:
    case Type::TIME64:
      return "time" + bits() + "[" +
             unit_text(checked_cast<const ::arrow::TimeType&>(type).unit()) + "]";
    case Type::TIMESTAMP: {
      const auto& timestamp = checked_cast<const ::arrow::TimestampType&>(type);
      return "timestamp[" + unit_text(timestamp.unit()) + "," + timestamp.timezone() + "]";
    }
    case Type::DURATION:
      return "duration[" + unit_text(checked_cast<const ::arrow::DurationType&>(type).unit()) + "]";
    case Type::INTERVAL_MONTHS:
      return "interval[YEAR_MONTH]";
    case Type::INTERVAL_DAY_TIME:
      return "interval[DAY_TIME]";
    case Type::INTERVAL_MONTH_DAY_NANO:
      return "interval[MONTH_DAY_NANO]";
    case Type::LIST:
      return "list" + nested;
    case Type::LARGE_LIST:
      return "largelist" + nested;
    case Type::LIST_VIEW:
      return "listview" + nested;
    case Type::LARGE_LIST_VIEW:
      return "largelistview" + nested;
    case Type::FIXED_SIZE_LIST:
      return "fixedsizelist[" +
             std::to_string(checked_cast<const ::arrow::FixedSizeListType&>(type).list_size()) +
             "]" + nested;
    case Type::MAP:
      return std::string("map[") +
             (checked_cast<const ::arrow::MapType&>(type).keys_sorted() ? "sorted" : "unsorted") +
             "]" + nested;
    case Type::STRUCT:
      return "struct" + nested;
    case Type::RUN_END_ENCODED:
      return "runendencoded" + nested;
    case Type::SPARSE_UNION:
    case Type::DENSE_UNION: {
      const auto& of = checked_cast<const ::arrow::UnionType&>(type);
      std::string text =
          std::string("union[") + (type.id() == Type::DENSE_UNION ? "DENSE" : "SPARSE");
      for (const auto code : of.type_codes()) text += "," + std::to_string(code);
      return text + "]" + nested;
    }
    case Type::DICTIONARY: {
      const auto& dictionary = checked_cast<const ::arrow::DictionaryType&>(type);
      return "dictionary[" + type_text(*dictionary.index_type()) + "," +
             (dictionary.ordered() ? "ordered" : "unordered") + "]<" +
             type_text(*dictionary.value_type()) + ">";
    }
    case Type::EXTENSION:
      return type_text(*checked_cast<const ::arrow::ExtensionType&>(type).storage_type());
    default:
      throw std::runtime_error("type_text: " + type.ToString());
  }
}

std::string field_text(const ::arrow::Field& field) {
  return hex_text(field.name()) + ":" + type_text(*field.type()) + ":" +
         (field.nullable() ? "nullable" : "required") + ":" +
         metadata_text(field.metadata().get(), field.type().get());
}

std::string value_text(const ::arrow::Array& array, std::int64_t i);

std::string range_text(const ::arrow::Array& items, std::int64_t from, std::int64_t count) {
  std::string text = "[";
  for (std::int64_t i = from; i < from + count; ++i) {
    if (i != from) text += ',';
    text += value_text(items, i);
  }
  return text + "]";
}

template <class List>
std::string list_text(const ::arrow::Array& array, std::int64_t i) {
  const auto& list = checked_cast<const List&>(array);
  return range_text(*list.values(), list.value_offset(i), list.value_length(i));
}

template <class T>
std::string number_text(const ::arrow::Array& array, std::int64_t i) {
  const auto& typed = checked_cast<const ::arrow::NumericArray<T>&>(array);
  return std::to_string(typed.Value(i));
}

template <class Array, class Bits>
std::string float_text(const ::arrow::Array& array, std::int64_t i) {
  const auto value = checked_cast<const Array&>(array).Value(i);
  Bits bits;
  static_assert(sizeof(bits) == sizeof(value));
  std::memcpy(&bits, &value, sizeof(bits));
  return "f" + digits(bits, sizeof(bits));
}

template <class Array>
std::string bytes_text(const ::arrow::Array& array, std::int64_t i) {
  return hex_text(checked_cast<const Array&>(array).GetView(i));
}

template <class Array, class Decimal>
std::string decimal_text(const ::arrow::Array& array, std::int64_t i) {
  return Decimal(checked_cast<const Array&>(array).GetValue(i)).ToIntegerString();
}

std::string run_text(const ::arrow::Array& array, std::int64_t i) {
  const auto& runs = checked_cast<const ::arrow::RunEndEncodedArray&>(array);
  for (std::int64_t run = 0; run < runs.values()->length(); ++run) {
    if (i + runs.offset() < std::stoll(value_text(*runs.run_ends(), run))) {
      return value_text(*runs.values(), run);
    }
  }
  throw std::runtime_error("run ends end too early");
}

std::string nested_text(const ::arrow::Array& array, std::int64_t i) {
  using ::arrow::Type;
  switch (array.type_id()) {
    case Type::LIST:
      return list_text<::arrow::ListArray>(array, i);
    case Type::MAP:
      return list_text<::arrow::MapArray>(array, i);
    case Type::LARGE_LIST:
      return list_text<::arrow::LargeListArray>(array, i);
    case Type::LIST_VIEW:
      return list_text<::arrow::ListViewArray>(array, i);
    case Type::LARGE_LIST_VIEW:
      return list_text<::arrow::LargeListViewArray>(array, i);
    case Type::FIXED_SIZE_LIST:
      return list_text<::arrow::FixedSizeListArray>(array, i);
    case Type::STRUCT: {
      const auto& of = checked_cast<const ::arrow::StructArray&>(array);
      std::string text = "{";
      for (int child = 0; child < of.num_fields(); ++child) {
        if (child != 0) text += ',';
        text += value_text(*of.field(child), i);
      }
      return text + "}";
    }
    case Type::SPARSE_UNION:
    case Type::DENSE_UNION: {
      const auto& of = checked_cast<const ::arrow::UnionArray&>(array);
      const bool dense = array.type_id() == Type::DENSE_UNION;
      const std::int64_t at =
          dense ? checked_cast<const ::arrow::DenseUnionArray&>(array).value_offset(i) : i;
      return std::to_string(of.type_code(i)) + ":" + value_text(*of.field(of.child_id(i)), at);
    }
    case Type::DICTIONARY: {
      const auto& dictionary = checked_cast<const ::arrow::DictionaryArray&>(array);
      return value_text(*dictionary.dictionary(), dictionary.GetValueIndex(i));
    }
    case Type::EXTENSION:
      return value_text(*checked_cast<const ::arrow::ExtensionArray&>(array).storage(), i);
    default:
      throw std::runtime_error("value_text: " + array.type()->ToString());
  }
}

std::string value_text(const ::arrow::Array& array, std::int64_t i) {
  using ::arrow::Type;
  if (array.type_id() == Type::RUN_END_ENCODED) return run_text(array, i);
  // A union has no nulls of its own, only its children do.
  const bool is_union =
      array.type_id() == Type::SPARSE_UNION || array.type_id() == Type::DENSE_UNION;
  if (!is_union && array.IsNull(i)) return "null";
  switch (array.type_id()) {
    case Type::NA:
      return "null";
    case Type::BOOL:
      return checked_cast<const ::arrow::BooleanArray&>(array).Value(i) ? "true" : "false";
    case Type::UINT8:
      return number_text<::arrow::UInt8Type>(array, i);
    case Type::UINT16:
      return number_text<::arrow::UInt16Type>(array, i);
    case Type::UINT32:
      return number_text<::arrow::UInt32Type>(array, i);
    case Type::UINT64:
      return number_text<::arrow::UInt64Type>(array, i);
    case Type::INT8:
      return number_text<::arrow::Int8Type>(array, i);
    case Type::INT16:
      return number_text<::arrow::Int16Type>(array, i);
    case Type::INT32:
      return number_text<::arrow::Int32Type>(array, i);
    case Type::INT64:
      return number_text<::arrow::Int64Type>(array, i);
    case Type::DATE32:
      return number_text<::arrow::Date32Type>(array, i);
    case Type::DATE64:
      return number_text<::arrow::Date64Type>(array, i);
    case Type::TIME32:
      return number_text<::arrow::Time32Type>(array, i);
    case Type::TIME64:
      return number_text<::arrow::Time64Type>(array, i);
    case Type::TIMESTAMP:
      return number_text<::arrow::TimestampType>(array, i);
    case Type::DURATION:
      return number_text<::arrow::DurationType>(array, i);
    case Type::INTERVAL_MONTHS:
      return number_text<::arrow::MonthIntervalType>(array, i);
    case Type::INTERVAL_DAY_TIME: {
      const auto value = checked_cast<const ::arrow::DayTimeIntervalArray&>(array).GetValue(i);
      return std::to_string(value.days) + "/" + std::to_string(value.milliseconds);
    }
    case Type::INTERVAL_MONTH_DAY_NANO: {
      const auto value = checked_cast<const ::arrow::MonthDayNanoIntervalArray&>(array).GetValue(i);
      return std::to_string(value.months) + "/" + std::to_string(value.days) + "/" +
             std::to_string(value.nanoseconds);
    }
    case Type::HALF_FLOAT: {
      const auto& floats =
          checked_cast<const ::arrow::NumericArray<::arrow::HalfFloatType>&>(array);
      std::uint16_t bits;
      std::memcpy(&bits, floats.raw_values() + i, sizeof(bits));
      return "f" + digits(bits, sizeof(bits));
    }
    case Type::FLOAT:
      return float_text<::arrow::FloatArray, std::uint32_t>(array, i);
    case Type::DOUBLE:
      return float_text<::arrow::DoubleArray, std::uint64_t>(array, i);
    case Type::STRING:
      return bytes_text<::arrow::StringArray>(array, i);
    case Type::BINARY:
      return bytes_text<::arrow::BinaryArray>(array, i);
    case Type::LARGE_STRING:
      return bytes_text<::arrow::LargeStringArray>(array, i);
    case Type::LARGE_BINARY:
      return bytes_text<::arrow::LargeBinaryArray>(array, i);
    case Type::STRING_VIEW:
      return bytes_text<::arrow::StringViewArray>(array, i);
    case Type::BINARY_VIEW:
      return bytes_text<::arrow::BinaryViewArray>(array, i);
    case Type::FIXED_SIZE_BINARY:
      return bytes_text<::arrow::FixedSizeBinaryArray>(array, i);
    case Type::DECIMAL32:
      return decimal_text<::arrow::Decimal32Array, ::arrow::Decimal32>(array, i);
    case Type::DECIMAL64:
      return decimal_text<::arrow::Decimal64Array, ::arrow::Decimal64>(array, i);
    case Type::DECIMAL128:
      return decimal_text<::arrow::Decimal128Array, ::arrow::Decimal128>(array, i);
    case Type::DECIMAL256:
      return decimal_text<::arrow::Decimal256Array, ::arrow::Decimal256>(array, i);
    default:
      return nested_text(array, i);
  }
}

}  // namespace

std::string schema_text(const ::arrow::Schema& schema) {
  std::string text = "schema " + metadata_text(schema.metadata().get()) + "\n";
  for (const auto& field : schema.fields()) text += "field " + field_text(*field) + "\n";
  return text;
}

std::string batch_text(const ::arrow::RecordBatch& batch) {
  std::string text = "batch " + std::to_string(batch.num_rows()) + "\n";
  for (int column = 0; column < batch.num_columns(); ++column) {
    text += "column " + hex_text(batch.schema()->field(column)->name()) + "\n";
    const auto array = batch.column(column);
    for (std::int64_t i = 0; i < array->length(); ++i) text += value_text(*array, i) + "\n";
  }
  return text;
}

}  // namespace forebay::arrow::test
