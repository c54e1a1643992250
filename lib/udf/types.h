// SPDX-License-Identifier: Apache-2.0
#pragma once

// Types as Spark sees them.

#include <arrow/type.h>

#include <memory>
#include <nlohmann/json_fwd.hpp>

namespace forebay::udf {

// Whether both are one type to Spark, which knows no widths of offsets and tracks nulls itself.
bool same_type(const ::arrow::DataType& one, const ::arrow::DataType& other);

// Whether the columns have the same types, in order. Names are not compared.
bool same_columns(const ::arrow::Schema& one, const ::arrow::Schema& other);

// Whether they are read in the same way as well: widths of offsets count.
bool same_layout(const ::arrow::Schema& one, const ::arrow::Schema& other);

// "int64, string": the types of the columns.
std::string types_of(const ::arrow::Schema& schema);

// A type as Spark writes it in JSON; null for one that Spark does not have.
nlohmann::json spark_type(const ::arrow::DataType& type);

// A schema as Spark writes it in JSON.
nlohmann::json spark_schema(const ::arrow::Schema& schema);

}  // namespace forebay::udf
