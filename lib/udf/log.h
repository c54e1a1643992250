// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the worker says on stderr, which Spark puts into the executor's log. FOREBAY_LOG_LEVEL sets
// how much: trace, debug, info, warning (the default), error, critical, off.

#include <spdlog/spdlog.h>

#include <utility>

namespace forebay::udf {

// To be called once, first.
void set_up_log();
// To be called before there is a second thread, where there will be one.
void log_from_threads();

template <class... A>
void log_debug(fmt::format_string<A...> text, A&&... values) {
  spdlog::debug(text, std::forward<A>(values)...);
}
template <class... A>
void log_error(fmt::format_string<A...> text, A&&... values) {
  spdlog::error(text, std::forward<A>(values)...);
}

}  // namespace forebay::udf
