// SPDX-License-Identifier: Apache-2.0

// Serves a session and is its client.

#include <forebay/grpc/client.h>
#include <forebay/grpc/server.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>

namespace grpc = forebay::grpc;

namespace {

class Sink final : public grpc::Handler {
 public:
  void serve(grpc::Execution& execution) override {
    execution.ready();
    (void)execution.input().skip(SIZE_MAX);
  }
};

}  // namespace

int main() {
  std::string folder = "/tmp/forebay-consumer-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  bool finished = false;
  {
    grpc::Server server(grpc::parse_connection(folder + "/w.sock"),
                        [] { return std::make_unique<Sink>(); });
    grpc::Client client(folder + "/w.sock");
    grpc::Init init;
    init.udf.format = "none";
    grpc::ClientSession session = client.open(init);
    (void)session.receive();
    session.finish();
    while (const auto reply = session.receive()) {
      finished = std::holds_alternative<grpc::FinishResponse>(*reply);
    }
  }
  ::rmdir(folder.c_str());
  return finished ? 0 : 1;
}
