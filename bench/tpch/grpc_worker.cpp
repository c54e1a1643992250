// SPDX-License-Identifier: Apache-2.0
#include "tpch/grpc_worker.h"

#include <chrono>
#include <utility>

#include "tpch/measure.h"

namespace tpch {

namespace grpc = forebay::grpc;

namespace {
constexpr std::chrono::seconds kSettleTime(10);
}  // namespace

// Lends its execution to the thread of the job, until that has what it wants.
class GrpcWorker::Session final : public grpc::Handler {
 public:
  explicit Session(GrpcWorker& worker) : worker_(worker) {}
  void serve(grpc::Execution& execution) override {
    std::future<void> done = worker_.done_.get_future();
    worker_.opened_.set_value(&execution);
    done.wait();
  }

 private:
  GrpcWorker& worker_;
};

GrpcWorker::GrpcWorker(const std::string& socket, const grpc::ServerOptions& options)
    : server_(std::make_unique<grpc::Server>(
          grpc::Connection(socket), [this] { return std::make_unique<Session>(*this); }, options)) {
  JsonLine().add("listening", socket).print();
}

GrpcWorker::~GrpcWorker() { end(); }

void GrpcWorker::await_session() { execution_ = opened_.get_future().get(); }

void GrpcWorker::end() {
  if (execution_ == nullptr || std::exchange(ended_, true)) return;
  done_.set_value();
  server_->drain();
  (void)server_->wait(forebay::Deadline::after(kSettleTime));
}

}  // namespace tpch
