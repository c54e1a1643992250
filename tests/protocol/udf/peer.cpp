// SPDX-License-Identifier: Apache-2.0
#include "peer.h"

#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "task_runner.h"
#include "unit/socket/support.h"

namespace {
std::atomic<bool> trickle{false};
}

// In place of the C library's, for this whole program.
extern "C" ssize_t recv(int descriptor, void* to, size_t size, int flags) {
  static thread_local unsigned calls = 0;
  if (trickle.load(std::memory_order_relaxed)) {
    if (++calls % 4 == 0) {
      errno = EINTR;
      return -1;
    }
    size = size < 1 ? size : 1;
  }
  return ::syscall(SYS_recvfrom, descriptor, to, size, flags, nullptr, nullptr);
}

namespace forebay::udf::test {

using forebay::test::SparkBytes;

TrickleReads::TrickleReads() { trickle = true; }
TrickleReads::~TrickleReads() { trickle = false; }

namespace {
void check(const ::arrow::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}
template <class T>
T value_of(::arrow::Result<T> result) {
  check(result.status());
  return *std::move(result);
}
}  // namespace

std::string arrow_stream(const std::shared_ptr<::arrow::Schema>& schema,
                         const std::vector<Batch>& batches) {
  const auto sink = value_of(::arrow::io::BufferOutputStream::Create());
  const auto writer = value_of(::arrow::ipc::MakeStreamWriter(sink, schema));
  for (const Batch& batch : batches) check(writer->WriteRecordBatch(*batch));
  check(writer->Close());
  return value_of(sink->Finish())->ToString();
}

std::string arrow_stream(const std::vector<Batch>& batches) {
  return arrow_stream(batches.front()->schema(), batches);
}

Batch int_batch(const std::vector<std::vector<std::int64_t>>& columns) {
  ::arrow::FieldVector fields;
  ::arrow::ArrayVector arrays;
  for (const auto& values : columns) {
    ::arrow::Int64Builder builder;
    check(builder.AppendValues(values));
    fields.push_back(
        ::arrow::field(std::string(1, static_cast<char>('a' + fields.size())), ::arrow::int64()));
    arrays.push_back(value_of(builder.Finish()));
  }
  const std::int64_t rows = arrays.front()->length();
  return ::arrow::RecordBatch::Make(::arrow::schema(std::move(fields)), rows, std::move(arrays));
}

Batch in_struct(const Batch& batch) {
  const auto type = ::arrow::struct_(batch->schema()->fields());
  const auto rows =
      std::make_shared<::arrow::StructArray>(type, batch->num_rows(), batch->columns());
  return ::arrow::RecordBatch::Make(::arrow::schema({::arrow::field("struct", type, false)}),
                                    batch->num_rows(), {rows});
}

std::string init_for(std::int32_t eval_type, const std::string& name, const std::string& payload,
                     const std::vector<std::int32_t>& arguments) {
  SparkBytes to;
  to.i32(0).text("cpp").text(R"({"stageId":7,"partitionId":0,"cpus":4})").text("/tmp");
  to.i32(0).flag(false).i32(0).i32(eval_type).i32(0).i32(0);
  to.i32(1).i32(static_cast<std::int64_t>(arguments.size()));
  for (const std::int32_t argument : arguments) to.i32(argument).flag(false);
  to.i32(1).text(std::string("FOREBAY1\0", 9) + name + '\0' + payload).i64(1);
  return SparkBytes().i32(-8).text(to.str()).str();
}

std::string end_word() { return SparkBytes().i32(-4).str(); }

namespace {

class AnswerReader {
 public:
  explicit AnswerReader(const std::string& bytes) : bytes_(bytes) {}

  bool at_end() const { return at_ == bytes_.size(); }

  Answer read() {
    Answer answer;
    while (!at_end()) {
      switch (const auto word = number<std::int32_t>()) {
        case -6:
          read_arrow(answer);
          break;
        case -2: {
          const auto size = number<std::int32_t>();
          answer.error = take(static_cast<std::size_t>(size));
          return answer;
        }
        case -3:
          for (int i = 0; i < 6; ++i) (void)number<std::int64_t>();
          if (number<std::int32_t>() != -1 || number<std::int32_t>() != 0) {
            throw std::runtime_error("the figures are not followed by no accumulators");
          }
          answer.reported = true;
          if (!at_end()) answer.farewell = number<std::int32_t>();
          return answer;
        default:
          throw std::runtime_error("an answer that begins with " + std::to_string(word));
      }
    }
    return answer;
  }

 private:
  std::string take(std::size_t size) {
    if (size > bytes_.size() - at_) throw std::runtime_error("an answer that is cut");
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  template <class T>
  T number() {
    T value = 0;
    for (const char byte : take(sizeof(T))) {
      value = static_cast<T>(static_cast<std::make_unsigned_t<T>>(value) << 8 |
                             static_cast<unsigned char>(byte));
    }
    return value;
  }
  void read_arrow(Answer& answer) {
    const auto buffer = ::arrow::Buffer::FromString(bytes_.substr(at_));
    const auto input = std::make_shared<::arrow::io::BufferReader>(buffer);
    const auto reader = value_of(::arrow::ipc::RecordBatchStreamReader::Open(input));
    for (;;) {
      Batch batch;
      check(reader->ReadNext(&batch));
      if (batch == nullptr) break;
      answer.batches.push_back(std::move(batch));
    }
    at_ += static_cast<std::size_t>(value_of(input->Tell()));
  }

  const std::string& bytes_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<Answer> read_answers(const std::string& bytes) {
  AnswerReader reader(bytes);
  std::vector<Answer> answers;
  while (!reader.at_end()) answers.push_back(reader.read());
  return answers;
}

Served serve(const std::string& bytes, Registry registry, const ChannelOptions& options) {
  forebay::test::Wire wire = forebay::test::socket_pair();
  add_builtins(registry);
  Served served;
  std::thread worker([&] {
    Channel channel(std::move(wire.near), options);
    served.good = TaskRunner(registry, channel).run();
  });
  std::thread writer([&] {
    forebay::test::write_all(wire.far, bytes);
    ::shutdown(wire.far.get(), SHUT_WR);
  });
  char buffer[65536];
  for (;;) {
    const ssize_t got = ::read(wire.far.get(), buffer, sizeof buffer);
    if (got <= 0) break;
    served.bytes.append(buffer, static_cast<std::size_t>(got));
  }
  writer.join();
  worker.join();
  return served;
}

}  // namespace forebay::udf::test
