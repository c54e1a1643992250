// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Version of these headers; the installed package carries the same numbers.
#define FOREBAY_VERSION_MAJOR 0
#define FOREBAY_VERSION_MINOR 1
#define FOREBAY_VERSION_PATCH 0
#define FOREBAY_VERSION_STRING "0.1.0"
