// SPDX-License-Identifier: Apache-2.0
//
// Arrow record batches from a Unix socket: the receiver puts each body into one aligned block, and
// the batches point into these blocks. The sender here is a thread that writes with Arrow's own
// writer.

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/writer.h>
#include <forebay/arrow/record_batch_reader.h>
#include <forebay/socket/receiver.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::int64_t kRows = 100'000;
constexpr int kBatches = 8;

std::shared_ptr<arrow::Buffer> arrow_stream() {
  std::vector<std::int64_t> values(kRows);
  std::iota(values.begin(), values.end(), 0);
  arrow::Int64Builder builder;
  arrow::Status status = builder.AppendValues(values);
  const auto column = builder.Finish().ValueOrDie();
  const auto schema = arrow::schema({arrow::field("value", arrow::int64())});
  const auto batch = arrow::RecordBatch::Make(schema, kRows, {column});

  const auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  const auto writer = arrow::ipc::MakeStreamWriter(sink, schema).ValueOrDie();
  for (int i = 0; i < kBatches && status.ok(); ++i) status = writer->WriteRecordBatch(*batch);
  if (status.ok()) status = writer->Close();
  if (!status.ok()) throw std::runtime_error(status.ToString());
  return sink->Finish().ValueOrDie();
}

}  // namespace

int main() {
  namespace socket = forebay::socket;
  char folder[] = "/tmp/forebay-example-XXXXXX";
  if (::mkdtemp(folder) == nullptr) return 1;
  const std::string path = std::string(folder) + "/socket";

  std::int64_t sum = 0;
  std::uint64_t copied = 0;
  {
    socket::Listener listener = socket::Listener::listen_unix(path);
    std::jthread sender([&path] {
      const auto bytes = arrow_stream();
      const socket::Descriptor to = socket::connect_unix(path);
      socket::send_all(
          to, std::as_bytes(std::span(bytes->data(), static_cast<std::size_t>(bytes->size()))));
    });

    socket::SocketReceiver receiver(listener.accept(), {.framing = forebay::Framing::arrow_ipc});
    const auto batches = forebay::arrow::RecordBatchReader::open(receiver.reader());
    while (const auto batch = batches->next()) {
      const auto& values = static_cast<const arrow::Int64Array&>(*batch->column(0));
      for (std::int64_t i = 0; i < values.length(); ++i) sum += values.Value(i);
    }
    copied = receiver.reader().stats().bytes_copied;
  }
  ::rmdir(folder);

  const std::int64_t expected = kBatches * (kRows * (kRows - 1) / 2);
  std::printf("sum %lld of %lld, %llu payload bytes copied\n", static_cast<long long>(sum),
              static_cast<long long>(expected), static_cast<unsigned long long>(copied));
  return sum == expected ? 0 : 1;
}
