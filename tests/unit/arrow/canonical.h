// SPDX-License-Identifier: Apache-2.0
#pragma once

// Decoded batches as text, one value a line, the same that golden_values.py writes from integration
// files and generate_streams.py from the values it started with.

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <string>

namespace forebay::arrow::test {

/// "schema <metadata>" and a line for each field: names as hexadecimal, type, nullability,
/// metadata.
[[nodiscard]] std::string schema_text(const ::arrow::Schema& schema);

/// "batch <rows>", then for each column its name and its values: numbers and decimals as integers
/// of their unit, floating-point numbers as their bits, strings as hexadecimal, lists as [..],
/// structs as {..}, unions as <type id>:<value>; dictionaries and run ends resolved.
[[nodiscard]] std::string batch_text(const ::arrow::RecordBatch& batch);

}  // namespace forebay::arrow::test
