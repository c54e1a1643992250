// SPDX-License-Identifier: Apache-2.0
#include "execute_call.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "forebay/error.h"
#include "wire.h"

namespace forebay::grpc {

namespace {

// Ends an Arrow IPC stream.
constexpr unsigned char kArrowEnd[8] = {0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0};

ExecutionError error_of(const std::exception& error) {
  ErrorKind kind = ErrorKind::worker;
  if (dynamic_cast<const UserError*>(&error) != nullptr) kind = ErrorKind::user;
  if (dynamic_cast<const forebay::ProtocolError*>(&error) != nullptr ||
      dynamic_cast<const Truncated*>(&error) != nullptr ||
      dynamic_cast<const LimitExceeded*>(&error) != nullptr) {
    kind = ErrorKind::protocol;
  }
  return {.kind = kind, .message = error.what()};
}

// What is being thrown, as an error of the session.
ExecutionError present_error() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error_of(error);
  } catch (...) {
    return {.kind = ErrorKind::user,
            .message = "UserError: it threw something that is no std::exception"};
  }
}

}  // namespace

// The session as its function sees it.
class ExecuteCall::Work final : public Execution {
 public:
  Work(ExecuteCall& call, const Init& init, StreamReader& input)
      : call_(call), init_(init), input_(input) {}

  const Init& init() const override { return init_; }
  StreamReader& input() override { return input_; }
  std::stop_token stop() const override { return call_.stop_.get_token(); }

  void ready(std::optional<std::string> data) override {
    const Http2Connection::Turn turn(*call_.connection_);
    call_.ready_ = Clock::now();
    call_.perform(call_.session_.initialized(std::move(data)));
  }

  void send(std::vector<Chunk> pieces) override {
    const ServerOptions& options = call_.hub_.options;
    OutgoingMessage message = data_message(std::move(pieces), options.message_bytes_max);
    const std::size_t size = message.data_bytes;
    std::unique_lock lock(call_.connection_->mutex());
    call_.changed_.wait(lock, [&] {
      return !call_.session_.may_send_data() || call_.outgoing_bytes_ == 0 ||
             call_.outgoing_bytes_ + size <= options.output_bytes_max;
    });
    if (!call_.session_.may_send_data()) throw Cancelled("the session takes no more data");
    call_.outgoing_bytes_ += size;
    call_.stats_.bytes_out += size;
    ++call_.batches_out_;
    call_.outgoing_.push_back(std::move(message));
    call_.write_on();
    call_.connection_->send(lock);
  }

 private:
  ExecuteCall& call_;
  const Init& init_;
  StreamReader& input_;
};

std::shared_ptr<ExecuteCall> ExecuteCall::start(Hub& hub, CallStream& stream,
                                                std::shared_ptr<Http2Connection> connection) {
  const std::shared_ptr<ExecuteCall> call(new ExecuteCall(hub, stream, std::move(connection)));
  switch (hub.enter(call.get())) {
    case Hub::Entry::taken:
      return call;
    case Hub::Entry::full:
      stream.finish({Status::resource_exhausted, "LimitExceeded: at most " +
                                                     std::to_string(hub.options.sessions_max) +
                                                     " sessions are served at once"});
      break;
    case Hub::Entry::draining:
      stream.finish({Status::unavailable, "Cancelled: the worker ends"});
  }
  return nullptr;
}

ExecuteCall::ExecuteCall(Hub& hub, CallStream& stream, std::shared_ptr<Http2Connection> connection)
    : Call(hub.options.placement, hub.options.message_bytes_max),
      hub_(hub),
      connection_(std::move(connection)),
      stream_(&stream),
      session_(hub.options.payload_bytes_max) {}

void ExecuteCall::shut_down(const std::string& reason) {
  const Http2Connection::Turn turn(*connection_);
  perform(session_.shut_down(reason));
}

// --- From the connection -------------------------------------------------------------------------

void ExecuteCall::on_message(IncomingMessage message) {
  if (message.data_bytes) {
    data_ = std::move(message);
    perform(session_.received(Data{*data_.data_bytes}));
    data_ = {};
    return;
  }
  std::optional<Request> request = decode_request(message.bytes, adopted_);
  if (!request) return perform(session_.received_garbage("bytes that are no UdfRequest"));
  perform(session_.received(*std::move(request)));
  adopted_.clear();
}

void ExecuteCall::on_half_closed() { perform(session_.half_closed()); }

void ExecuteCall::on_broken() { perform(session_.broken()); }

void ExecuteCall::on_written() {
  outgoing_bytes_ -= *writing_;
  writing_.reset();
  write_on();
  changed_.notify_all();
}

void ExecuteCall::on_closed() {
  stream_ = nullptr;
  hub_.count(stats_);
  hub_.leave(this);
}

// --- Performing ----------------------------------------------------------------------------------

void ExecuteCall::perform(Actions actions) {
  for (Action& action : actions) {
    if (auto* const start = std::get_if<Start>(&action)) {
      start_work(std::move(start->init));
    } else if (std::holds_alternative<TakeData>(action)) {
      take_data();
    } else if (std::holds_alternative<EndInput>(action)) {
      end_input();
    } else if (std::holds_alternative<StopWork>(action)) {
      // In this order: whose read is cancelled sees the request.
      stop_.request_stop();
      drop_input();
    } else if (std::holds_alternative<DropOutput>(action)) {
      drop_output();
    } else if (const auto* const conclude = std::get_if<Conclude>(&action)) {
      conclude_ = conclude->cancelled;
    } else if (auto* const send = std::get_if<Send>(&action)) {
      outgoing_.push_back(control_message(encode(send->response)));
    } else if (std::holds_alternative<Close>(action)) {
      closing_ = true;
      drop_input();
    }
  }
  write_on();
  changed_.notify_all();
}

void ExecuteCall::drop_output() {
  std::erase_if(outgoing_, [this](const OutgoingMessage& message) {
    outgoing_bytes_ -= message.data_bytes;
    return message.data_bytes != 0;
  });
}

void ExecuteCall::start_work(Init init) {
  StreamOptions options;
  options.max_bytes = hub_.options.input_bytes_max;
  options.gather_bytes_max = hub_.options.message_bytes_max;
  Stream stream = make_stream(options);
  writer_ = std::move(stream.writer);
  if (hub_.options.placement == Placement::aligned) {
    PoolOptions pool;
    pool.budget_bytes = hub_.options.input_bytes_max;
    pool.block_bytes = std::min(pool.block_bytes, pool.budget_bytes);
    // Bodies are recycled, however large they are.
    pool.large_block_bytes = pool.budget_bytes;
    lease_.emplace(ChunkPool(pool), 0);
    reader.set_lease(&*lease_);
  }
  if (init.input_schema) add_raw(*init.input_schema);
  started_ = ready_ = Clock::now();
  // It cannot end before this has, since it needs the lock for that.
  thread_ = std::thread([self = shared_from_this(), opened = std::move(init),
                         input = std::move(stream.reader)]() mutable {
    self->work(std::move(opened), std::move(input));
  });
  hub_.begin_function();
}

void ExecuteCall::take_data() {
  ++batches_in_;
  if (!data_.data_bytes) {
    stats_.bytes_in += adopted_.size();
    stats_.bytes_adopted += adopted_.size();
    pending_.push_back(Chunk::adopt(std::move(adopted_)));
  } else if (!data_.whole) {
    return perform(session_.received_garbage("data of " + std::to_string(*data_.data_bytes) +
                                             " bytes that is not one whole Arrow message"));
  } else {
    stats_.bytes_in += *data_.data_bytes;
    stats_.bytes_gathered += data_.gathered_bytes;
    stats_.bytes_inlined += data_.inlined_bytes;
    std::move(data_.pieces.begin(), data_.pieces.end(), std::back_inserter(pending_));
  }
  push_input();
}

void ExecuteCall::add_raw(std::string bytes) {
  pending_.push_back(Chunk::adopt(std::move(bytes)));
  push_input();
}

void ExecuteCall::end_input() {
  pending_.push_back(Chunk::copy_of(std::as_bytes(std::span(kArrowEnd))));
  input_complete_ = true;
  push_input();
}

// Gives the stream what it has room for. Without room, resume() goes on when there is some, and
// until then the engine may send no more.
void ExecuteCall::push_input() {
  feed();
  if (stream_ != nullptr) stream_->set_reading(pending_.empty());
}

void ExecuteCall::feed() {
  while (writer_ && !pending_.empty()) {
    switch (writer_->try_add_next_chunk(pending_.front())) {
      case PushStatus::ok:
        pending_.pop_front();
        break;
      case PushStatus::would_block:
        // Called on the function's thread, inside of its read: nothing may be done there.
        if (writer_->on_writable(
                [](void* context) {
                  auto* const call = static_cast<ExecuteCall*>(context);
                  call->hub_.later([held = call->weak_from_this()] {
                    if (const auto self = held.lock()) self->resume();
                  });
                },
                this)) {
          return;
        }
        break;
      default:
        drop_input();
    }
  }
  if (writer_ && input_complete_) {
    writer_->finish();
    writer_.reset();
  }
}

void ExecuteCall::drop_input() {
  pending_.clear();
  if (stream_ != nullptr) stream_->set_reading(true);
  if (!writer_) return;
  writer_->cancel();
  writer_.reset();
}

void ExecuteCall::resume() {
  const Http2Connection::Turn turn(*connection_);
  push_input();
}

void ExecuteCall::write_on() {
  if (writing_ || stream_ == nullptr) return;
  if (!outgoing_.empty()) {
    OutgoingMessage message = std::move(outgoing_.front());
    outgoing_.pop_front();
    writing_ = message.data_bytes;
    stream_->send(std::move(message));
  } else if (closing_) {
    stream_->finish({});
  }
}

// --- The function's thread -----------------------------------------------------------------------

void ExecuteCall::work(Init init, StreamReader input) {
  std::unique_ptr<Handler> handler;
  std::optional<ExecutionError> error;
  {
    Work execution(*this, init, input);
    try {
      handler = hub_.make_handler();
      handler->serve(execution);
    } catch (const Cancelled&) {
      // Its own only when nobody asked for it.
      if (!stop_.stop_requested()) error = present_error();
    } catch (...) {
      error = present_error();
    }
  }
  input.cancel();
  {
    const Http2Connection::Turn turn(*connection_);
    drop_input();
    perform(error ? session_.failed(*std::move(error)) : session_.worked());
  }
  conclude(handler.get());
  const std::lock_guard lock(connection_->mutex());
  hub_.end_function(std::move(thread_));
}

void ExecuteCall::conclude(Handler* handler) {
  LastWord word;
  {
    std::unique_lock lock(connection_->mutex());
    changed_.wait(lock, [this] { return conclude_ || session_.closed(); });
    if (session_.closed()) return;
    add_own_metrics(word.metrics);
  }
  try {
    if (handler != nullptr) {
      Farewell farewell = handler->end(*conclude_);
      word.metrics.merge(farewell.metrics);
      word.data = std::move(farewell.data);
    }
  } catch (...) {
    word.error = present_error();
  }
  const Http2Connection::Turn turn(*connection_);
  if (!session_.closed()) perform(session_.concluded(std::move(word)));
}

void ExecuteCall::add_own_metrics(Settings& metrics) const {
  const auto nanos = [](Clock::duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count());
  };
  metrics["bytes_in"] = std::to_string(stats_.bytes_in);
  metrics["bytes_out"] = std::to_string(stats_.bytes_out);
  metrics["batches_in"] = std::to_string(batches_in_);
  metrics["batches_out"] = std::to_string(batches_out_);
  metrics["init_wall_nanos"] = nanos(ready_ - started_);
  metrics["processing_wall_nanos"] = nanos(Clock::now() - ready_);
}

Farewell Handler::end(bool) { return {}; }

}  // namespace forebay::grpc
