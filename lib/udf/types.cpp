// SPDX-License-Identifier: Apache-2.0
#include "types.h"

#include <nlohmann/json.hpp>

namespace forebay::udf {

namespace {

using ::arrow::Type;

Type::type narrow(Type::type type) noexcept {
  switch (type) {
    case Type::LARGE_STRING:
      return Type::STRING;
    case Type::LARGE_BINARY:
      return Type::BINARY;
    case Type::LARGE_LIST:
      return Type::LIST;
    default:
      return type;
  }
}

bool same_widths(const ::arrow::FieldVector& some, const ::arrow::FieldVector& others) {
  if (some.size() != others.size()) return false;
  for (std::size_t i = 0; i < some.size(); ++i) {
    const ::arrow::DataType& one = *some[i]->type();
    const ::arrow::DataType& other = *others[i]->type();
    if (one.id() != other.id() || !same_widths(one.fields(), other.fields())) return false;
  }
  return true;
}

bool has_children(Type::type type) noexcept {
  return type == Type::LIST || type == Type::STRUCT || type == Type::MAP;
}

nlohmann::json map_of(const ::arrow::MapType& map) {
  return {{"type", "map"},
          {"keyType", spark_type(*map.key_type())},
          {"valueType", spark_type(*map.item_type())},
          {"valueContainsNull", map.item_field()->nullable()}};
}

nlohmann::json list_of(const ::arrow::BaseListType& list) {
  return {{"type", "array"},
          {"elementType", spark_type(*list.value_type())},
          {"containsNull", list.value_field()->nullable()}};
}

nlohmann::json fields_of(const ::arrow::FieldVector& fields) {
  auto all = nlohmann::json::array();
  for (const auto& field : fields) {
    all.push_back({{"name", field->name()},
                   {"type", spark_type(*field->type())},
                   {"nullable", field->nullable()},
                   {"metadata", nlohmann::json::object()}});
  }
  return {{"type", "struct"}, {"fields", std::move(all)}};
}

}  // namespace

bool same_type(const ::arrow::DataType& one, const ::arrow::DataType& other) {
  const Type::type id = narrow(one.id());
  if (id != narrow(other.id()) || one.num_fields() != other.num_fields()) return false;
  if (!has_children(id)) {
    return id == Type::STRING || id == Type::BINARY || one.Equals(other);
  }
  for (int i = 0; i < one.num_fields(); ++i) {
    if (id == Type::STRUCT && one.field(i)->name() != other.field(i)->name()) return false;
    if (!same_type(*one.field(i)->type(), *other.field(i)->type())) return false;
  }
  return true;
}

bool same_columns(const ::arrow::Schema& one, const ::arrow::Schema& other) {
  if (one.num_fields() != other.num_fields()) return false;
  for (int i = 0; i < one.num_fields(); ++i) {
    if (!same_type(*one.field(i)->type(), *other.field(i)->type())) return false;
  }
  return true;
}

bool same_layout(const ::arrow::Schema& one, const ::arrow::Schema& other) {
  return same_columns(one, other) && same_widths(one.fields(), other.fields());
}

std::string types_of(const ::arrow::Schema& schema) {
  std::string text;
  for (const auto& field : schema.fields()) {
    if (!text.empty()) text += ", ";
    text += field->type()->ToString();
  }
  return text.empty() ? "no columns" : text;
}

nlohmann::json spark_type(const ::arrow::DataType& type) {
  switch (type.id()) {
    case Type::NA:
      return "void";
    case Type::BOOL:
      return "boolean";
    case Type::INT8:
      return "byte";
    case Type::INT16:
      return "short";
    case Type::INT32:
      return "integer";
    case Type::INT64:
      return "long";
    case Type::FLOAT:
      return "float";
    case Type::DOUBLE:
      return "double";
    case Type::STRING:
    case Type::LARGE_STRING:
      return "string";
    case Type::BINARY:
    case Type::LARGE_BINARY:
      return "binary";
    case Type::DATE32:
      return "date";
    case Type::TIMESTAMP:
      return static_cast<const ::arrow::TimestampType&>(type).timezone().empty() ? "timestamp_ntz"
                                                                                 : "timestamp";
    case Type::DURATION:
      return "interval day to second";
    case Type::DECIMAL128: {
      const auto& decimal = static_cast<const ::arrow::Decimal128Type&>(type);
      return "decimal(" + std::to_string(decimal.precision()) + "," +
             std::to_string(decimal.scale()) + ")";
    }
    case Type::LIST:
    case Type::LARGE_LIST:
      return list_of(static_cast<const ::arrow::BaseListType&>(type));
    case Type::MAP:
      return map_of(static_cast<const ::arrow::MapType&>(type));
    case Type::STRUCT:
      return fields_of(type.fields());
    default:
      return nullptr;
  }
}

nlohmann::json spark_schema(const ::arrow::Schema& schema) { return fields_of(schema.fields()); }

}  // namespace forebay::udf
