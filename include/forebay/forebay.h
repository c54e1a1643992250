// SPDX-License-Identifier: Apache-2.0
#pragma once

// The whole core of Forebay. Transports and formats are in forebay/socket/, forebay/arrow/.

#include "forebay/byte_view.h"
#include "forebay/chunk.h"
#include "forebay/chunk_pool.h"
#include "forebay/deadline.h"
#include "forebay/epoch.h"
#include "forebay/error.h"
#include "forebay/event_count.h"
#include "forebay/framing.h"
#include "forebay/shared_bytes.h"
#include "forebay/spsc_queue.h"
#include "forebay/stream.h"
#include "forebay/stream_options.h"
#include "forebay/version.h"
#include "forebay/zero_copy_byte_stream.h"
