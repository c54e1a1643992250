// SPDX-License-Identifier: Apache-2.0
#include "tpch/pipeline.h"

#include <tbb/global_control.h>
#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <memory>
#include <utility>

#include "tpch/measure.h"
#include "tpch/trace.h"

namespace tpch {
namespace {

constexpr std::size_t kBatchesPerWorker = 2;

// A batch on its way to the query, then the query's answer on its way to the sum.
struct Item {
  Batch batch;
  Units revenue = 0;
  std::uint64_t rows = 0;
};

}  // namespace

Answer run_query(Feed& feed, const PipelineOptions& options) {
  const Query6 query(*feed.schema());
  Answer answer;
  Progress progress;

  const auto read = tbb::make_filter<void, std::shared_ptr<Item>>(
      tbb::filter_mode::serial_in_order, [&](tbb::flow_control& control) {
        Span span("next batch");
        auto item = std::make_shared<Item>();
        if (!feed.next(item->batch)) {
          control.stop();
          return std::shared_ptr<Item>();
        }
        span.count(static_cast<std::uint64_t>(item->batch.records->num_rows()));
        progress.at(feed.bytes());
        return item;
      });
  const auto work = tbb::make_filter<std::shared_ptr<Item>, std::shared_ptr<Item>>(
      tbb::filter_mode::parallel, [&](std::shared_ptr<Item> item) {
        Span span("query");
        item->rows = static_cast<std::uint64_t>(item->batch.records->num_rows());
        span.count(item->rows);
        if (options.work > 0) item->revenue = query.run(*item->batch.records, options.work);
        // The memory goes back before the batch waits its turn for the sum.
        item->batch = {};
        return item;
      });
  const auto sum = tbb::make_filter<std::shared_ptr<Item>, void>(
      tbb::filter_mode::serial_out_of_order, [&](const std::shared_ptr<Item>& item) {
        answer.revenue += item->revenue;
        answer.rows += item->rows;
        ++answer.batches;
      });

  // As many threads as were asked for, also where there are fewer cores.
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism,
                                    static_cast<std::size_t>(options.workers));
  tbb::task_arena arena(options.workers, 1);
  arena.execute([&] {
    tbb::parallel_pipeline(kBatchesPerWorker * static_cast<std::size_t>(options.workers),
                           read & work & sum);
  });
  return answer;
}

}  // namespace tpch
