// SPDX-License-Identifier: Apache-2.0
#pragma once

// Plain C++ functions of values as functions of columns.
//
// Types: bool, std::int8_t to std::int64_t, float, double, std::string_view and std::string, and
// std::optional of each, for arguments and results. A view that an argument is lasts for the call.

#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/buffer.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "forebay/udf/detail/values.h"

namespace forebay::udf {

/// Throws UserError with the text of a status that is not good.
void throw_if_error(const ::arrow::Status& status);

/// A function of values, called for each row of its columns.
template <class F>
class RowFunction {
  using Result = typename detail::Callable<F>::Result;
  using Arguments = typename detail::Callable<F>::Arguments;
  static constexpr std::size_t kArguments = std::tuple_size_v<Arguments>;
  static_assert(kArguments > 0, "a function of rows has an argument");

 public:
  /// Takes the function.
  explicit RowFunction(F function) : function_(std::move(function)) {}

  /// The columns that the function takes: `_0`, `_1` ..
  static std::shared_ptr<::arrow::Schema> input() {
    return input(std::make_index_sequence<kArguments>());
  }
  /// The column that it gives.
  static std::shared_ptr<::arrow::Schema> output() {
    return ::arrow::schema({::arrow::field("_0", detail::ValueType<Result>::type())});
  }

  /// Calls the function for each row. The columns must have the types of input() and one length.
  std::shared_ptr<::arrow::Array> operator()(const ::arrow::ArrayVector& columns) {
    return call(columns, std::make_index_sequence<kArguments>());
  }

 private:
  template <std::size_t... I>
  static std::shared_ptr<::arrow::Schema> input(std::index_sequence<I...>) {
    return ::arrow::schema(
        {::arrow::field("_" + std::to_string(I),
                        detail::ValueType<std::tuple_element_t<I, Arguments>>::type())...});
  }

  template <std::size_t... I>
  std::shared_ptr<::arrow::Array> call(const ::arrow::ArrayVector& columns,
                                       std::index_sequence<I...>) {
    const std::tuple<detail::ColumnReader<std::tuple_element_t<I, Arguments>>...> readers(
        detail::ColumnReader<std::tuple_element_t<I, Arguments>>(*columns[I]->data())...);
    const std::int64_t rows = columns.front()->length();
    // Whether a null among those arguments that cannot be null makes the result null.
    const bool has_nulls = ((!detail::is_optional<std::tuple_element_t<I, Arguments>>::value &&
                             columns[I]->null_count() != 0) ||
                            ...);
    const auto is_null = [&](std::int64_t row) {
      return ((!detail::is_optional<std::tuple_element_t<I, Arguments>>::value &&
               columns[I]->IsNull(row)) ||
              ...);
    };
    const auto value = [&](std::int64_t row) { return function_(std::get<I>(readers)[row]...); };
    if constexpr (detail::Number<Result>) {
      if (!has_nulls) return without_nulls(rows, value);
    }
    return with_nulls(rows, has_nulls, is_null, value);
  }

  // Straight into memory, in a loop that the compiler can see through.
  template <class Value>
  static std::shared_ptr<::arrow::Array> without_nulls(std::int64_t rows, const Value& value) {
    using ArrowType = typename detail::ValueType<Result>::ArrowType;
    auto buffer = ::arrow::AllocateBuffer(rows * static_cast<std::int64_t>(sizeof(Result)));
    throw_if_error(buffer.status());
    auto* const out = reinterpret_cast<Result*>((*buffer)->mutable_data());
    for (std::int64_t row = 0; row < rows; ++row) out[row] = value(row);
    return std::make_shared<::arrow::NumericArray<ArrowType>>(
        rows, std::shared_ptr<::arrow::Buffer>(std::move(*buffer)));
  }

  template <class IsNull, class Value>
  static std::shared_ptr<::arrow::Array> with_nulls(std::int64_t rows, bool has_nulls,
                                                    const IsNull& is_null, const Value& value) {
    typename ::arrow::TypeTraits<typename detail::ValueType<Result>::ArrowType>::BuilderType
        builder;
    throw_if_error(builder.Reserve(rows));
    for (std::int64_t row = 0; row < rows; ++row) {
      if (has_nulls && is_null(row)) {
        throw_if_error(builder.AppendNull());
        continue;
      }
      auto&& result = value(row);
      if constexpr (detail::is_optional<Result>::value) {
        if (!result) {
          throw_if_error(builder.AppendNull());
          continue;
        }
      }
      throw_if_error(builder.Append(detail::value_of(result)));
    }
    std::shared_ptr<::arrow::Array> array;
    throw_if_error(builder.Finish(&array));
    return array;
  }

  F function_;
};

}  // namespace forebay::udf
