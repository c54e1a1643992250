// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a RecordBatchReader may be asked for, and what it says of itself.

#include <arrow/ipc/options.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "forebay/shared_bytes.h"

namespace forebay::arrow {

/// How much of a decoded batch is checked before it is handed out.
enum class Validate : std::uint8_t {
  none,   ///< nothing beyond what decoding needs
  basic,  ///< sizes of all buffers against lengths and types; cost grows with columns, not with
          ///< rows
  full,   ///< offsets, indices and encodings too; cost grows with the data. For peers not trusted
};

/// Options of one RecordBatchReader. Every limit is enforced before memory is spent.
struct ReadOptions {
  /// Names of the top-level columns to read, in any order; empty: all, or `ipc.included_fields`.
  /// The buffers of other columns, and dictionaries that only they use, are neither looked at nor
  /// copied. A name that several columns carry means all of them.
  std::vector<std::string> columns;

  /// What a batch counts as while it lives: `bounded` holds the writer back, `detached` is for
  /// those who keep every batch.
  Retention retention = Retention::bounded;

  /// What is checked of every batch.
  Validate validate = Validate::basic;

  /// Whether the input may end between two messages without Arrow's end-of-stream marker. Arrow's
  /// format allows that; a transport that cannot tell a cut from an end must not.
  bool allow_missing_end_marker = false;

  /// Offset in the stream, in bytes, of the first byte that is read: added to the offsets in
  /// errors.
  std::uint64_t stream_offset = 0;

  /// Bytes of the metadata of one message.
  std::size_t metadata_bytes_max = std::size_t{16} << 20;
  /// Bytes of the body of one message. To read larger ones raise the stream's own limits with it: a
  /// body has to fit into StreamOptions::max_bytes, or, to be gathered, into gather_bytes_max.
  std::size_t body_bytes_max = std::size_t{64} << 20;
  /// Bytes that the LZ4 or ZSTD buffers of one message may decompress to, in all.
  std::size_t decompressed_bytes_max = std::size_t{256} << 20;
  /// Bytes of all dictionaries that are kept at once. They are copied out of the stream, so that a
  /// dictionary does not hold blocks for as long as the stream lasts.
  std::size_t dictionary_bytes_max = std::size_t{256} << 20;

  /// Arrow's own options. `memory_pool` serves what must be copied, and must outlive the batches.
  /// `ensure_alignment` acts only on bodies that came misaligned. Differs from Arrow's defaults:
  /// no threads, alignment as the types need it. Foreign byte orders are not read:
  /// `ensure_native_endian` is not looked at.
  ::arrow::ipc::IpcReadOptions ipc = ipc_defaults();

  /// The value of `ipc` to start from.
  [[nodiscard]] static ::arrow::ipc::IpcReadOptions ipc_defaults() {
    auto options = ::arrow::ipc::IpcReadOptions::Defaults();
    options.use_threads = false;
    options.ensure_alignment = ::arrow::ipc::Alignment::kDataTypeSpecificAlignment;
    return options;
  }
};

/// Figures of one RecordBatchReader. Bytes are those of bodies; metadata is always copied, framing
/// never.
struct ReadStats {
  std::uint64_t batches = 0;             ///< batches handed out
  std::uint64_t dictionaries = 0;        ///< dictionary messages read, deltas included
  std::uint64_t bodies_whole = 0;        ///< bodies that lay in one run of memory
  std::uint64_t bodies_scattered = 0;    ///< bodies that lay in several
  std::uint64_t bodies_gathered = 0;     ///< bodies that the stream could only give gathered
  std::uint64_t buffers_shared = 0;      ///< buffers that look at the stream's memory
  std::uint64_t buffers_scattered = 0;   ///< buffers that crossed an edge, and so were copied
  std::uint64_t bytes_bodies = 0;        ///< size of the bodies of record batches
  std::uint64_t bytes_shared = 0;        ///< in buffers_shared
  std::uint64_t bytes_scattered = 0;     ///< in buffers_scattered
  std::uint64_t bytes_gathered = 0;      ///< in bodies_gathered
  std::uint64_t bytes_realigned = 0;     ///< copied for alignment
  std::uint64_t bytes_dictionaries = 0;  ///< copied out of the stream for dictionaries

  /// All that was copied.
  [[nodiscard]] std::uint64_t bytes_copied() const noexcept {
    return bytes_scattered + bytes_gathered + bytes_realigned + bytes_dictionaries;
  }
};

}  // namespace forebay::arrow
