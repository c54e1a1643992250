// SPDX-License-Identifier: Apache-2.0
#pragma once

// Functions by name: what a worker can do.
//
//     forebay::udf::Registry registry;
//     registry.scalar("hypotenuse", [](double a, double b) { return std::sqrt(a * a + b * b); });
//     return forebay::udf::worker_main(argc, argv, std::move(registry));
//
// A name may stand for one function of each kind. Functions are called in worker processes, one
// task at a time, on one thread, unless they allow row_parallel. What a function throws fails its
// task, and the text reaches the user. What it returns is checked against its signature before any
// of it is sent.
//
// Thread role: any, one at a time, until a worker starts; after that nothing changes it.

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/table.h>
#include <arrow/type.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "forebay/udf/call.h"
#include "forebay/udf/rows.h"

namespace forebay::udf {

/// Shared, and never changed.
using Batch = std::shared_ptr<::arrow::RecordBatch>;

/// Where batches come from.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  /// The next batch, null at the end. Throws what the channel throws: let it pass.
  [[nodiscard]] virtual Batch next() = 0;
  /// Of all batches.
  [[nodiscard]] virtual const std::shared_ptr<::arrow::Schema>& schema() const = 0;
};

/// Where batches go.
class BatchSink {
 public:
  virtual ~BatchSink() = default;
  /// Checks the batch and sends it. Throws UserError when it does not fit the function's signature,
  /// and what the channel throws: let it pass.
  virtual void write(const Batch& batch) = 0;
};

/// The rows of one group.
struct Group {
  Batch key;                               ///< one row: the columns that were grouped by
  std::shared_ptr<::arrow::Table> values;  ///< the columns that the function was called with
};

/// Any number of batches to any number of batches.
using MapFunction = std::function<void(const Call&, BatchSource&, BatchSink&)>;
/// Columns to one column of as many rows.
using ScalarFunction =
    std::function<std::shared_ptr<::arrow::Array>(const Call&, const ::arrow::ArrayVector&)>;
/// Batches of columns to batches of one column, of as many rows in all.
struct ScalarIteratorFunction {
  /// What is called.
  std::function<void(const Call&, BatchSource&, BatchSink&)> body;
};
/// One group to any number of rows; null for none.
using GroupedMapFunction =
    std::function<std::shared_ptr<::arrow::Table>(const Call&, const Group&)>;
/// The groups of one key on both sides to any number of rows; null for none. A side may be empty.
using CogroupedMapFunction =
    std::function<std::shared_ptr<::arrow::Table>(const Call&, const Group&, const Group&)>;
/// The columns of one group to one value.
using GroupedAggregateFunction = std::function<std::shared_ptr<::arrow::Scalar>(
    const Call&, const std::vector<std::shared_ptr<::arrow::ChunkedArray>>&)>;

/// What can be done with a function. The numbers are the places in Function::body.
enum class Kind : std::uint8_t {
  map,
  scalar,
  scalar_iterator,
  grouped_map,
  cogrouped_map,
  grouped_aggregate,
};

/// As people write it: "map", "scalar", "scalar_iterator" ..
[[nodiscard]] const char* kind_name(Kind kind) noexcept;

/// What a function takes and gives. Columns are matched by position, and types as Spark has them:
/// a string may come with 32-bit or 64-bit offsets.
struct Signature {
  /// The columns it takes; null: any. Their names are those of named arguments.
  std::shared_ptr<::arrow::Schema> input = nullptr;
  /// The columns it gives, one for scalars and aggregates; null: as it takes, or the first of
  /// them for scalars and aggregates.
  std::shared_ptr<::arrow::Schema> output = nullptr;
  /// Whether slices of the rows may be given to the function on several threads at once, as many as
  /// the task has cores. For scalars that look at each row alone.
  bool row_parallel = false;
};

/// One function.
struct Function {
  std::string name;     ///< as queries know it
  Signature signature;  ///< what is checked
  /// What is called; its place says of which Kind it is.
  std::variant<MapFunction, ScalarFunction, ScalarIteratorFunction, GroupedMapFunction,
               CogroupedMapFunction, GroupedAggregateFunction>
      body;

  /// The kind.
  [[nodiscard]] Kind kind() const noexcept { return static_cast<Kind>(body.index()); }
};

/// All functions of a worker. Adding throws std::invalid_argument for a name that is empty, holds a
/// zero byte, or is taken by a function of the same kind.
class Registry {
 public:
  /// Adds a function over batches.
  void map(std::string name, Signature signature, MapFunction function);
  /// Adds a function over columns.
  void scalar(std::string name, Signature signature, ScalarFunction function);
  /// Adds a plain C++ function of values, called for each row; see rows.h for the types. Where an
  /// argument is null, so is the result, unless that argument is a std::optional.
  template <class F>
  void scalar(std::string name, F function, bool row_parallel = false) {
    using Rows = RowFunction<F>;
    scalar(std::move(name), Signature{Rows::input(), Rows::output(), row_parallel},
           ScalarFunction([rows = Rows(std::move(function))](
                              const Call&, const ::arrow::ArrayVector& columns) mutable {
             return rows(columns);
           }));
  }
  /// Adds a function over batches of columns, which may keep what it made for all of a task.
  void scalar_iterator(std::string name, Signature signature, ScalarIteratorFunction function);
  /// Adds a function over groups.
  void grouped_map(std::string name, Signature signature, GroupedMapFunction function);
  /// Adds a function over pairs of groups.
  void cogrouped_map(std::string name, Signature signature, CogroupedMapFunction function);
  /// Adds a function from groups to values.
  void grouped_aggregate(std::string name, Signature signature, GroupedAggregateFunction function);

  /// The function; null when there is none.
  [[nodiscard]] const Function* find(Kind kind, std::string_view name) const noexcept;
  /// All functions, by name and then by kind.
  [[nodiscard]] std::vector<const Function*> functions() const;

 private:
  void add(Function function);
  std::map<std::pair<std::string, Kind>, Function, std::less<>> functions_;
};

/// Adds the functions that every worker has: `identity` of every kind, `add` (map and scalar: adds
/// the integer in its payload to the first column), `fail` (map and scalar: throws its payload),
/// `sleep_ms` (map and scalar: waits as many milliseconds as its payload says before each batch).
void add_builtins(Registry& registry);

}  // namespace forebay::udf

/// Defines what a shared library of functions must export: FOREBAY_FUNCTIONS(registry) { .. }
#define FOREBAY_FUNCTIONS(registry)                                             \
  extern "C" __attribute__((visibility("default"))) void forebay_functions_0_1( \
      ::forebay::udf::Registry&);                                               \
  extern "C" void forebay_functions_0_1(::forebay::udf::Registry& registry)
