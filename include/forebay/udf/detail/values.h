// SPDX-License-Identifier: Apache-2.0
#pragma once

// How the values of plain C++ functions lie in columns.

#include <arrow/array/data.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace forebay::udf::detail {

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};

template <class T>
concept Text = std::same_as<T, std::string> || std::same_as<T, std::string_view>;
template <class T>
concept Number = std::is_arithmetic_v<T> && !std::same_as<T, bool>;

// Reads the values of one column.
template <class T>
class ColumnReader;

template <Number T>
class ColumnReader<T> {
 public:
  explicit ColumnReader(const ::arrow::ArrayData& data) : values_(data.GetValues<T>(1)) {}
  T operator[](std::int64_t row) const { return values_[row]; }

 private:
  const T* values_;
};

template <>
class ColumnReader<bool> {
 public:
  explicit ColumnReader(const ::arrow::ArrayData& data)
      : bits_(data.GetValues<std::uint8_t>(1, 0)), offset_(data.offset) {}
  bool operator[](std::int64_t row) const {
    const std::int64_t bit = offset_ + row;
    return ((bits_[bit / 8] >> (bit % 8)) & 1) != 0;
  }

 private:
  const std::uint8_t* bits_;
  std::int64_t offset_;
};

template <Text T>
class ColumnReader<T> {
 public:
  explicit ColumnReader(const ::arrow::ArrayData& data)
      : wide_(data.type->id() == ::arrow::Type::LARGE_STRING ||
              data.type->id() == ::arrow::Type::LARGE_BINARY),
        offsets_(data.GetValues<std::int32_t>(1, 0) + (wide_ ? 2 : 1) * data.offset),
        characters_(data.GetValues<char>(2, 0)) {}
  T operator[](std::int64_t row) const {
    const auto from = offset(row);
    return T(characters_ + from, static_cast<std::size_t>(offset(row + 1) - from));
  }

 private:
  [[nodiscard]] std::int64_t offset(std::int64_t row) const {
    return wide_ ? reinterpret_cast<const std::int64_t*>(offsets_)[row] : offsets_[row];
  }
  bool wide_;
  const std::int32_t* offsets_;
  const char* characters_;
};

template <class T>
class ColumnReader<std::optional<T>> {
 public:
  explicit ColumnReader(const ::arrow::ArrayData& data) : data_(data), values_(data) {}
  std::optional<T> operator[](std::int64_t row) const {
    if (data_.IsNull(row)) return std::nullopt;
    return values_[row];
  }

 private:
  const ::arrow::ArrayData& data_;
  ColumnReader<T> values_;
};

template <class T>
struct ValueType {
  using ArrowType = typename ::arrow::CTypeTraits<T>::ArrowType;
  static std::shared_ptr<::arrow::DataType> type() {
    return ::arrow::TypeTraits<ArrowType>::type_singleton();
  }
};
template <Text T>
struct ValueType<T> {
  using ArrowType = ::arrow::StringType;
  static std::shared_ptr<::arrow::DataType> type() { return ::arrow::utf8(); }
};
template <class T>
struct ValueType<std::optional<T>> : ValueType<T> {};

template <class T>
auto& value_of(T& value) {
  if constexpr (is_optional<T>::value) {
    return *value;
  } else {
    return value;
  }
}

template <class F>
struct Callable : Callable<decltype(&F::operator())> {};
template <class R, class... A>
struct Callable<R (*)(A...)> {
  using Result = std::remove_cvref_t<R>;
  using Arguments = std::tuple<std::remove_cvref_t<A>...>;
};
template <class R, class... A>
struct Callable<R (*)(A...) noexcept> : Callable<R (*)(A...)> {};
template <class R, class C, class... A>
struct Callable<R (C::*)(A...)> : Callable<R (*)(A...)> {};
template <class R, class C, class... A>
struct Callable<R (C::*)(A...) const> : Callable<R (*)(A...)> {};
template <class R, class C, class... A>
struct Callable<R (C::*)(A...) noexcept> : Callable<R (*)(A...)> {};
template <class R, class C, class... A>
struct Callable<R (C::*)(A...) const noexcept> : Callable<R (*)(A...)> {};

}  // namespace forebay::udf::detail
