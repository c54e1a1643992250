// SPDX-License-Identifier: Apache-2.0
#pragma once

// What most tests include, parsed once for all of them. It stands before every source by itself; a
// source still includes what it uses, which the builds with clang see to: they do without this.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>
