// SPDX-License-Identifier: Apache-2.0

// The functions that every worker has.

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/table.h>
#include <arrow/type_traits.h>
#include <arrow/visit_type_inline.h>

#include <charconv>
#include <chrono>
#include <thread>

#include "forebay/error.h"
#include "forebay/udf/registry.h"

namespace forebay::udf {

namespace {

std::int64_t payload_integer(const Call& call) {
  std::int64_t value = 0;
  const char* const end = call.payload.data() + call.payload.size();
  const auto [rest, error] = std::from_chars(call.payload.data(), end, value);
  if (error != std::errc() || rest != end) {
    throw UserError("its payload is no integer: '" + call.payload + "'");
  }
  return value;
}

void copy_all(BatchSource& source, BatchSink& sink) {
  while (const Batch batch = source.next()) sink.write(batch);
}

// Adds to each value; integers wrap around, as in Java. Nulls stay nulls.
struct Adder {
  const ::arrow::ArrayData& column;
  const std::int64_t addend;
  std::shared_ptr<::arrow::ArrayData> sum = nullptr;

  template <class Type>
  ::arrow::Status Visit(const Type& type) {
    if constexpr (::arrow::is_number_type<Type>::value &&
                  !std::is_same_v<Type, ::arrow::HalfFloatType>) {
      return add<typename Type::c_type>();
    } else {
      return ::arrow::Status::TypeError("nothing can be added to ", type.ToString());
    }
  }

  template <class T>
  ::arrow::Status add() {
    const auto bytes = column.length * static_cast<std::int64_t>(sizeof(T));
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<::arrow::Buffer> values, ::arrow::AllocateBuffer(bytes));
    const T* const in = column.GetValues<T>(1);
    T* const out = reinterpret_cast<T*>(values->mutable_data());
    for (std::int64_t row = 0; row < column.length; ++row) {
      if constexpr (std::is_integral_v<T>) {
        using Bits = std::make_unsigned_t<T>;
        out[row] = static_cast<T>(static_cast<Bits>(in[row]) + static_cast<Bits>(addend));
      } else {
        out[row] = in[row] + static_cast<T>(addend);
      }
    }
    std::shared_ptr<::arrow::Buffer> validity = column.buffers[0];
    if (validity != nullptr && column.offset != 0) {
      ARROW_ASSIGN_OR_RAISE(
          validity, ::arrow::internal::CopyBitmap(::arrow::default_memory_pool(), validity->data(),
                                                  column.offset, column.length));
    }
    sum = ::arrow::ArrayData::Make(column.type, column.length,
                                   {std::move(validity), std::move(values)}, column.null_count);
    return ::arrow::Status::OK();
  }
};

std::shared_ptr<::arrow::Array> add(const ::arrow::Array& column, std::int64_t addend) {
  Adder adder{*column.data(), addend};
  throw_if_error(::arrow::VisitTypeInline(*column.type(), &adder));
  return ::arrow::MakeArray(adder.sum);
}

const std::shared_ptr<::arrow::Array>& first(const ::arrow::ArrayVector& columns) {
  if (columns.empty()) throw UserError("it is called without a column");
  return columns.front();
}

void wait(const Call& call) {
  std::this_thread::sleep_for(std::chrono::milliseconds(payload_integer(call)));
}

void add_identity(Registry& registry) {
  const auto copy = [](const Call&, BatchSource& source, BatchSink& sink) {
    copy_all(source, sink);
  };
  registry.map("identity", {}, copy);
  registry.scalar("identity", {},
                  [](const Call&, const ::arrow::ArrayVector& columns) { return first(columns); });
  registry.scalar_iterator("identity", {}, ScalarIteratorFunction{copy});
  registry.grouped_map("identity", {},
                       [](const Call&, const Group& group) { return group.values; });
  registry.cogrouped_map("identity", {},
                         [](const Call&, const Group& left, const Group&) { return left.values; });
  // Of an aggregate: the first value of the first column.
  registry.grouped_aggregate("identity", {},
                             [](const Call&, const ::arrow::ChunkedArrayVector& columns) {
                               if (columns.empty())
                                 throw UserError("it is called without a column");
                               auto value = columns.front()->GetScalar(0);
                               throw_if_error(value.status());
                               return *std::move(value);
                             });
}

}  // namespace

void add_builtins(Registry& registry) {
  add_identity(registry);
  registry.map("add", {}, [](const Call& call, BatchSource& source, BatchSink& sink) {
    const std::int64_t addend = payload_integer(call);
    while (const Batch batch = source.next()) {
      if (batch->num_columns() == 0) throw UserError("it is called without a column");
      auto changed = batch->SetColumn(0, batch->schema()->field(0), add(*batch->column(0), addend));
      throw_if_error(changed.status());
      sink.write(*changed);
    }
  });
  registry.scalar("add", {}, [](const Call& call, const ::arrow::ArrayVector& columns) {
    return add(*first(columns), payload_integer(call));
  });
  registry.map("fail", {}, [](const Call& call, BatchSource& source, BatchSink&) {
    (void)source.next();
    throw UserError(call.payload);
  });
  registry.scalar(
      "fail", {},
      [](const Call& call, const ::arrow::ArrayVector&) -> std::shared_ptr<::arrow::Array> {
        throw UserError(call.payload);
      });
  registry.map("sleep_ms", {}, [](const Call& call, BatchSource& source, BatchSink& sink) {
    while (const Batch batch = source.next()) {
      wait(call);
      sink.write(batch);
    }
  });
  registry.scalar("sleep_ms", {}, [](const Call& call, const ::arrow::ArrayVector& columns) {
    wait(call);
    return first(columns);
  });
}

}  // namespace forebay::udf
