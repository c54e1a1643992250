// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the service's tests share: a server with a handler that is a function, and clients.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "forebay/error.h"
#include "forebay/grpc/client.h"
#include "forebay/grpc/server.h"
#include "unit/core/support.h"

namespace forebay::grpc::test {

using forebay::test::eventually;
using forebay::test::pattern;

// What the handler sees behind the data of a session that was finished.
inline const std::string kArrowEnd("\xFF\xFF\xFF\xFF\0\0\0\0", 8);

using Serve = std::function<void(Execution&)>;

class FunctionHandler final : public Handler {
 public:
  explicit FunctionHandler(Serve serve) : serve_(std::move(serve)) {}
  void serve(Execution& execution) override { serve_(execution); }

 private:
  const Serve serve_;
};

// A folder of this process, gone with it.
class Folder {
 public:
  Folder() {
    std::string name = "/tmp/forebay-grpc-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// For data that is not Arrow's.
inline ServerOptions plain_options() {
  ServerOptions options;
  options.placement = Placement::slices;
  return options;
}

struct Service {
  explicit Service(Serve serve, const ServerOptions& options = plain_options())
      : server(
            Connection(folder.file("w.sock")),
            [serve] { return std::make_unique<FunctionHandler>(serve); }, options),
        client(folder.file("w.sock")) {}

  Folder folder;
  Server server;
  Client client;
};

// Sends what comes, as it comes.
inline void echo(Execution& execution) {
  execution.ready();
  while (!execution.input().at_end()) {
    const ByteView view = execution.input().read_some(SIZE_MAX);
    std::vector<Chunk> message;
    message.push_back(Chunk::copy_of(view));
    execution.send(std::move(message));
  }
}

// Takes what comes.
inline void drain(Execution& execution) {
  execution.ready();
  while (!execution.input().at_end()) (void)execution.input().read_some(SIZE_MAX);
}

inline Init some_init() {
  Init init;
  init.udf.format = "test";
  init.udf.bytes = "payload";
  return init;
}

inline bool send(ClientSession& session, std::string bytes) {
  std::vector<Chunk> message;
  message.push_back(Chunk::adopt(std::move(bytes)));
  return session.send(std::move(message));
}

// The rest of a session, from its replies.
struct Told {
  std::string data;
  std::string words;  // "init, error user, cancel"
  std::string error;  // the text of the first
  Settings metrics;
};

inline std::string kind_of(const std::optional<ExecutionError>& error) {
  if (!error) return "";
  constexpr const char* kNames[] = {" user", " worker", " protocol"};
  return kNames[static_cast<int>(error->kind)];
}

inline void add(Told& told, const std::string& word, const std::optional<ExecutionError>& error) {
  told.words += (told.words.empty() ? "" : ", ") + word + kind_of(error);
  if (error && told.error.empty()) told.error = error->message;
}

inline void add(Told& told, Reply& reply) {
  if (auto* const data = std::get_if<DataReply>(&reply)) {
    for (const Chunk& piece : data->pieces) {
      told.data.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    }
  } else if (const auto* const init = std::get_if<InitResponse>(&reply)) {
    add(told, "init", init->error);
  } else if (const auto* const error = std::get_if<ErrorResponse>(&reply)) {
    add(told, "error", error->error);
  } else if (auto* const finish = std::get_if<FinishResponse>(&reply)) {
    add(told, "finish", finish->error);
    told.metrics = finish->metrics;
  } else if (auto* const cancel = std::get_if<CancelResponse>(&reply)) {
    add(told, "cancel", cancel->error);
    told.metrics = cancel->metrics;
  } else {
    const auto& broken = std::get<BrokenReply>(reply);
    add(told, "broken " + std::to_string(broken.code), std::nullopt);
    told.error = broken.text;
  }
}

inline Told all_of(ClientSession& session) {
  Told told;
  while (auto reply = session.receive()) add(told, *reply);
  return told;
}

// The next reply alone.
inline Told next_of(ClientSession& session) {
  Told told;
  if (auto reply = session.receive()) add(told, *reply);
  return told;
}

}  // namespace forebay::grpc::test
