// SPDX-License-Identifier: Apache-2.0
#pragma once

// As precompiled.h, for the tests that have Arrow in them.

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "precompiled.h"
