// SPDX-License-Identifier: Apache-2.0

// Arrow streams from end to end: written by Arrow's own writer, sent in pieces, received in every
// mode, decoded, and held by others. Each value tells its place. A stream that was cut gives the
// batches that were whole, and then Truncated.

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/writer.h>

#include <deque>
#include <thread>

#include "forebay/arrow/record_batch_reader.h"
#include "forebay/socket/receiver.h"
#include "scenario.h"
#include "socket_pairs.h"

namespace forebay::stress {

namespace {

// One stream as bytes: row r of all batches together holds first + r, and as text.
struct Sent {
  std::shared_ptr<::arrow::Buffer> bytes;
  std::vector<std::int64_t> rows;  // of each batch
  std::vector<std::int64_t> ends;  // offset at which each batch is complete
};

void ok(const ::arrow::Status& status) {
  if (!status.ok()) throw Failure(status.ToString());
}
template <class T>
T ok(::arrow::Result<T> result) {
  ok(result.status());
  return std::move(result).ValueUnsafe();
}

Sent make(Random& random, std::int64_t first) {
  const auto schema = ::arrow::schema(
      {::arrow::field("number", ::arrow::int64()), ::arrow::field("text", ::arrow::utf8())});
  const auto sink = ok(::arrow::io::BufferOutputStream::Create());
  const auto writer = ok(::arrow::ipc::MakeStreamWriter(sink, schema));
  Sent sent;
  for (std::size_t left = pick(random, 8); left != 0; --left) {
    const auto rows = static_cast<std::int64_t>(pick(random, std::size_t{1} << pick(random, 15)));
    ::arrow::Int64Builder numbers;
    ::arrow::StringBuilder texts;
    for (std::int64_t row = 0; row < rows; ++row, ++first) {
      ok(numbers.Append(first));
      ok(texts.Append(std::to_string(first)));
    }
    ok(writer->WriteRecordBatch(
        *::arrow::RecordBatch::Make(schema, rows, {ok(numbers.Finish()), ok(texts.Finish())})));
    sent.rows.push_back(rows);
    sent.ends.push_back(ok(sink->Tell()));
  }
  ok(writer->Close());
  sent.bytes = ok(sink->Finish());
  return sent;
}

void require_batch(const ::arrow::RecordBatch& batch, std::int64_t first, std::int64_t rows) {
  require(batch.num_rows() == rows, "a batch has other rows than were sent");
  const auto& numbers = static_cast<const ::arrow::Int64Array&>(*batch.column(0));
  const auto& texts = static_cast<const ::arrow::StringArray&>(*batch.column(1));
  for (std::int64_t row = 0; row < rows; ++row) {
    require(numbers.Value(row) == first + row, "a number is not what was sent");
  }
  for (std::int64_t row = 0; row < rows; row += 97) {
    require(texts.GetView(row) == std::to_string(first + row), "a text is not what was sent");
  }
}

void send(const socket::Descriptor& to, std::span<const std::byte> bytes, Random random) {
  const std::size_t most = std::size_t{1} << pick(random, 21);
  while (!bytes.empty()) {
    const std::size_t size = std::min(1 + pick(random, most), bytes.size());
    if (!send_piece(to, bytes.first(size))) return;
    bytes = bytes.subspan(size);
  }
}

void one_stream(Run& run, Random& random) {
  const auto first = static_cast<std::int64_t>(pick(random, 1'000'000));
  const Sent sent = make(random, first);
  const auto size = static_cast<std::size_t>(sent.bytes->size());
  const std::size_t cut = pick(random, 3) == 0 ? pick(random, size) : size;
  Wire wire = random_wire(random);
  socket::ReceiverOptions options;
  options.mode = static_cast<socket::ReceiveMode>(pick(random, 3));
  options.framing = pick(random, 4) == 0 ? Framing::none : Framing::arrow_ipc;
  options.straight_bytes_min = std::size_t{1} << (10 + pick(random, 8));
  // Enough for the batches that are held, and for one more.
  options.stream.max_bytes = std::size_t{16} << 20;
  socket::SocketReceiver receiver(std::move(wire.near), options);
  const Run::Watched watched(run, receiver.reader());
  std::jthread sending([&, to = std::move(wire.far), seed = random()] {
    const auto* const bytes = reinterpret_cast<const std::byte*>(sent.bytes->data());
    send(to, std::span(bytes, cut), Random(seed));
  });

  arrow::ReadOptions reading;
  reading.retention = pick(random, 2) == 0 ? Retention::bounded : Retention::detached;
  struct Held {
    std::shared_ptr<::arrow::RecordBatch> batch;
    std::int64_t first;
  };
  std::deque<Held> held;
  std::size_t batches = 0;
  bool truncated = false;
  try {
    const auto reader = arrow::RecordBatchReader::open(receiver.reader(), reading);
    for (std::int64_t at = first; const auto batch = reader->next(); ++batches) {
      require(batches < sent.rows.size(), "there are more batches than were sent");
      require_batch(*batch, at, sent.rows[batches]);
      held.push_back({batch, at});
      at += sent.rows[batches];
      if (held.size() > 2) held.pop_front();
      run.checked();
    }
    require(receiver.reader().at_end(), "there is more than was sent");
  } catch (const Truncated&) {
    truncated = true;
  } catch (...) {
    receiver.reader().cancel();
    throw;
  }
  std::size_t whole = 0;
  while (whole < sent.ends.size() && sent.ends[whole] <= static_cast<std::int64_t>(cut)) ++whole;
  require(batches == whole, "whole batches were not delivered");
  require(truncated == (cut != size), "an end was taken for another");
  { const socket::SocketReceiver gone = std::move(receiver); }
  for (const Held& one : held) require_batch(*one.batch, one.first, one.batch->num_rows());
  run.checked();
}

}  // namespace

void arrow_streams(Run& run) {
  run.on_threads(std::max(1, run.threads() / 2), [&run](int thread) {
    Random random = run.random(static_cast<std::uint64_t>(thread));
    while (!run.expired()) one_stream(run, random);
  });
}

}  // namespace forebay::stress
