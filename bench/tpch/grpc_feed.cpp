// SPDX-License-Identifier: Apache-2.0
#include "tpch/grpc_worker.h"
#include "tpch/stream_feed.h"

namespace tpch {
namespace {

class GrpcFeed final : public StreamFeed {
 public:
  explicit GrpcFeed(GrpcWorker& worker) : worker_(worker) { worker_.begin(); }
  ~GrpcFeed() override { worker_.end(); }

  FeedFigures figures() override {
    FeedFigures figures = StreamFeed::figures();
    worker_.end();
    figures.payload_bytes_copied += worker_.bytes_gathered();
    figures.other_bytes_copied += worker_.bytes_inlined();
    return figures;
  }

 private:
  forebay::StreamReader& stream() override { return worker_.input(); }
  GrpcWorker& worker_;
};

}  // namespace

std::unique_ptr<Feed> make_grpc_feed(GrpcWorker& worker) {
  return std::make_unique<GrpcFeed>(worker);
}

}  // namespace tpch
