// SPDX-License-Identifier: Apache-2.0
// The smallest program of somebody else with Arrow: one batch in, the same batch out.
#include <forebay/arrow/record_batch_reader.h>
#include <forebay/forebay.h>

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/writer.h>

#include <cstdio>
#include <memory>
#include <string>

namespace {

arrow::Result<std::shared_ptr<arrow::RecordBatch>> make_batch() {
  arrow::Int64Builder builder;
  ARROW_RETURN_NOT_OK(builder.AppendValues({1, 2, 3}));
  ARROW_ASSIGN_OR_RAISE(auto column, builder.Finish());
  auto schema = arrow::schema({arrow::field("number", arrow::int64())});
  return arrow::RecordBatch::Make(std::move(schema), column->length(), {column});
}

arrow::Result<std::string> as_ipc_stream(const arrow::RecordBatch& batch) {
  ARROW_ASSIGN_OR_RAISE(auto sink, arrow::io::BufferOutputStream::Create());
  ARROW_ASSIGN_OR_RAISE(auto writer, arrow::ipc::MakeStreamWriter(sink, batch.schema()));
  ARROW_RETURN_NOT_OK(writer->WriteRecordBatch(batch));
  ARROW_RETURN_NOT_OK(writer->Close());
  ARROW_ASSIGN_OR_RAISE(auto buffer, sink->Finish());
  return buffer->ToString();
}

}  // namespace

int main() {
  const auto sent = make_batch().ValueOrDie();
  auto [writer, reader] = forebay::make_stream(forebay::StreamOptions{});
  writer.add_next_chunk(forebay::Chunk::adopt(as_ipc_stream(*sent).ValueOrDie()));
  writer.finish();

  auto batches = forebay::arrow::RecordBatchReader::open(reader);
  const auto received = batches->next();
  if (received == nullptr || !received->Equals(*sent) || batches->next() != nullptr) {
    std::puts("the stream did not return the batch that was pushed");
    return 1;
  }
  std::printf("read %lld rows\n", static_cast<long long>(received->num_rows()));
  return 0;
}
