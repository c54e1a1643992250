// SPDX-License-Identifier: Apache-2.0
#pragma once

// One stream: what is shared, the writer's half, the reader's half. Counted: the writer, the reader
// with all its guards, and every SharedBytes hold one reference; the last one drains and frees it.

#include "forebay/detail/end_use.h"
#include "forebay/detail/stream_reader_side.h"
#include "forebay/detail/stream_shared.h"
#include "forebay/detail/stream_writer_side.h"

namespace forebay::detail {

template <class P>
class StreamCore : public StreamShared<P> {
  using Shared = StreamShared<P>;

 public:
  explicit StreamCore(const StreamOptions& limits)
      : Shared(limits, [](Shared* shared) noexcept { delete static_cast<StreamCore*>(shared); }),
        writer(*this),
        reader(*this) {
    readers_hold_.core = this;
    readers_hold_.reclaim = [](Retirable* hold) noexcept {
      static_cast<ReadersHold*>(hold)->core->drop_reference();
    };
  }

  /// The writer is gone: the stream ends with `failure` unless it ended before.
  void close_writer(std::exception_ptr failure) noexcept {
    writer.end(std::move(failure));
    this->drop_reference();
  }

  /// The reader is gone. Its guards keep the reference until the last of them is dropped.
  void close_reader() noexcept {
    this->cancel_by_reader();
    reader.close(&readers_hold_);
  }

  /// Any thread: figures that may lag.
  [[nodiscard]] StreamStats stats() const noexcept {
    StreamStats stats;
    stats.bytes_in = writer.bytes_in();
    stats.slices_in = writer.slices_in();
    stats.bytes_out = reader.bytes_out();
    stats.bytes_copied = reader.bytes_copied();
    stats.gathers = reader.gathers();
    stats.bytes_retained = this->account.retained();
    stats.bytes_buffered = this->account.buffered();
    stats.bytes_detached = this->account.detached();
    stats.bytes_peak = writer.bytes_peak();
    stats.shares = this->account.shares();
    stats.bound_hits = writer.bound_hits();
    stats.reader = this->reader_event.stats();
    stats.writer = this->writer_event.stats();
    return stats;
  }

  WriterSide<P> writer;
  ReaderSide<P> reader;
  EndFlag writer_in_use{false};
  EndFlag reader_in_use{false};

 private:
  struct ReadersHold : Retirable {
    StreamCore* core = nullptr;
  };

  ~StreamCore() { reader.drain(); }

  ReadersHold readers_hold_;
};

}  // namespace forebay::detail
