// SPDX-License-Identifier: Apache-2.0

// A worker with three functions that people write in C++; queries.py calls them.

#include <forebay/udf/worker.h>

#include <string_view>
#include <utility>

#include "edit_distance.h"
#include "haversine.h"
#include "rolling_median.h"

int main(int argc, char** argv) {
  forebay::udf::Registry registry;
  registry.scalar("haversine",
                  [](double latitude1, double longitude1, double latitude2, double longitude2) {
                    return examples::haversine_km(latitude1, longitude1, latitude2, longitude2);
                  });
  registry.scalar("edit_distance", [distance = examples::EditDistance()](
                                       std::string_view one, std::string_view other) mutable {
    return distance(one, other);
  });
  registry.grouped_map("rolling_median", examples::rolling_median_signature(),
                       examples::rolling_median);
  return forebay::udf::worker_main(argc, argv, std::move(registry));
}
