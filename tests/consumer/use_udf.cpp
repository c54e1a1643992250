// SPDX-License-Identifier: Apache-2.0
// The smallest worker of somebody else.
#include <forebay/udf/worker.h>

#include <cmath>

int main(int argc, char** argv) {
  forebay::udf::Registry registry;
  registry.scalar("hypotenuse", [](double a, double b) { return std::sqrt(a * a + b * b); });
  return forebay::udf::worker_main(argc, argv, std::move(registry));
}
