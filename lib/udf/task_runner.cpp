// SPDX-License-Identifier: Apache-2.0
#include "task_runner.h"

#include <memory>
#include <string>
#include <utility>

#include "forebay/error.h"
#include "log.h"
#include "task.h"

namespace forebay::udf {

namespace {

using spark::EvalType;
using spark::InputShape;

std::int64_t now_ms() {
  using std::chrono::milliseconds;
  const auto time = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(time).count();
}

struct Served {
  EvalType type;
  InputShape shape;
  void (*run)(Task&, const Registry&);
};

constexpr Served kServed[] = {
    {EvalType::map_arrow_iter, InputShape::plain, run_map},
    {EvalType::grouped_map_arrow, InputShape::groups, run_grouped_map},
    {EvalType::cogrouped_map_arrow, InputShape::pairs, run_cogrouped_map},
    {EvalType::scalar_arrow, InputShape::plain, run_scalars},
    {EvalType::scalar_arrow_iter, InputShape::plain, run_scalar_iterator},
    {EvalType::grouped_agg_arrow, InputShape::groups, run_grouped_aggregates},
};

const Served& find_served(std::int32_t eval_type) {
  for (const Served& served : kServed) {
    if (static_cast<std::int32_t>(served.type) == eval_type) return served;
  }
  throw Unsupported("the evaluation type " + spark::eval_type_name(eval_type) +
                    " is not served by C++ workers");
}

}  // namespace

TaskRunner::TaskRunner(const Registry& registry, Channel& channel)
    : registry_(registry), channel_(channel), began_ms_(now_ms()) {}

bool TaskRunner::run() {
  for (;;) {
    switch (run_one()) {
      case Outcome::again:
        continue;
      case Outcome::closed:
        return true;
      case Outcome::failed:
        return false;
    }
  }
}

TaskRunner::Outcome TaskRunner::run_one() {
  spark::TaskOutput frames;
  try {
    if (channel_.reader().at_end()) return Outcome::closed;
    const auto init = channel_.read_init();
    if (!init || init->exit) return Outcome::closed;
    serve(*init, frames);
    began_ms_ = 0;
    if (!channel_.options().once) return Outcome::again;
    channel_.drain();
    return Outcome::closed;
  } catch (const std::exception& error) {
    fail(frames, error);
  }
  return Outcome::failed;
}

void TaskRunner::serve(const spark::InitMessage& init, spark::TaskOutput& frames) {
  spark::TaskFigures figures;
  figures.boot_ms = began_ms_ != 0 ? began_ms_ : now_ms();
  const Served& served = find_served(init.eval_type);
  ArrowOutput output(channel_.writer(), frames);
  TaskContext context = read_context(init, channel_.options().broadcast_bytes_max, broadcasts_);
  Task task(channel_, output, init, std::move(context), served.shape);
  figures.initialized_ms = now_ms();
  served.run(task, registry_);
  figures.finished_ms = now_ms();
  figures.processing_ms = task.processing_ms();
  // Spark may be told before it has said that its input is complete: it does not wait for that.
  send(frames.report(figures));
  task.finish_input();
  send(frames.farewell(!channel_.options().once));
  log_debug("partition {}: {} in {} ms", init.partition, spark::eval_type_name(init.eval_type),
            figures.finished_ms - figures.boot_ms);
}

void TaskRunner::send(const spark::TaskOutput::Bytes& bytes) { channel_.writer().send(bytes); }

// Tells Spark, then keeps reading: what Spark still writes would fail otherwise, and hide the text.
void TaskRunner::fail(spark::TaskOutput& frames, const std::exception& error) {
  if (is_peer_gone(error)) {
    log_debug("Spark closed the connection: {}", error.what());
    return;
  }
  log_error("{}", error.what());
  if (!frames.can_fail()) return;
  try {
    send(frames.failure(error.what()));
  } catch (const std::exception& sending) {
    log_debug("Spark was not told: {}", sending.what());
    return;
  }
  channel_.drain();
}

}  // namespace forebay::udf
