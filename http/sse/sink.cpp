#include "http/sse/sink.hpp"

#include "http/edge.hpp"
#include "http/loop.hpp"
#include "http/sse/stream_table.hpp"

#include <caf/send.hpp>

#include <utility>

namespace greenroom::http {

namespace {

/// When clients come back after a lost connection, 1-3 s: not all at once. The
/// time of their arrival is random enough.
std::string retry_line() {
  using namespace std::chrono;
  auto micros =
    duration_cast<microseconds>(sink::clock::now().time_since_epoch()).count();
  return "retry: " + std::to_string(1000 + micros % 2001) + "\n\n";
}

slice whole(std::string text) {
  auto owner = std::make_shared<const std::string>(std::move(text));
  std::string_view view = *owner;
  return {std::move(owner), view};
}

/// A comment: clients ignore it, dead connections do not survive it.
const slice& heartbeat() {
  static const slice text = whole(":\n\n");
  return text;
}

} // namespace

sink::sink(exchange_ptr ex)
  : loop_(ex->env.loop), key_id_(ex->key->id), expires_at_(ex->key->expires_at),
    connection_id_(ex->connection_id()), ex_(std::move(ex)) {}

void sink::post(void (*what)(sink&, std::vector<slice>&&),
                std::vector<slice> parts) {
  loop_.post(
    [self = shared_from_this(), what, parts = std::move(parts)]() mutable {
      if (!self->over())
        what(*self, std::move(parts));
    });
}

void sink::refuse(refusal why) {
  loop_.post([self = shared_from_this(), why = std::move(why)] {
    if (self->over())
      return;
    self->ex_->refuse(why);
    self->done();
  });
}

void sink::no_content() {
  post([](sink& self, std::vector<slice>&&) {
    response answer;
    answer.status = 204;
    answer.content_type = {};
    self.ex_->send(std::move(answer));
    self.done();
  });
}

void sink::open(std::vector<slice> parts) {
  post(
    [](sink& self, std::vector<slice>&& first) {
      response head;
      head.content_type = "text/event-stream";
      head.headers.emplace_back("X-Accel-Buffering", "no");
      self.body_ = self.ex_->begin(std::move(head));
      first.insert(first.begin(), whole(retry_line()));
      self.send(std::move(first));
    },
    std::move(parts));
}

void sink::write(std::vector<slice> parts) {
  post(
    [](sink& self, std::vector<slice>&& more) { self.send(std::move(more)); },
    std::move(parts));
}

void sink::end() {
  post([](sink& self, std::vector<slice>&&) {
    if (self.body_)
      self.body_->finish();
    self.done();
  });
}

void sink::send(std::vector<slice> parts) {
  if (!body_)
    return;
  writing_ = true;
  body_->write(std::move(parts), [weak = weak_from_this()](bool taken) {
    auto self = weak.lock();
    if (!self || self->over())
      return;
    self->writing_ = false;
    self->last_write_ = clock::now();
    if (taken)
      caf::anon_send(self->watcher_, sink_written{});
    else
      self->close();
  });
}

void sink::attach(stream_actor watcher) {
  watcher_ = std::move(watcher);
}

void sink::close() {
  if (over())
    return;
  if (body_)
    body_->finish();
  else
    ex_->refuse(errc::unavailable, "the server is stopping, try again");
  done();
}

void sink::tick(clock::time_point now, unix_ms wall) {
  if (over())
    return;
  if (expires_at_ != 0 && expires_at_ <= wall) {
    close();
    return;
  }
  if (body_ && !writing_ && now - last_write_ >= ex_->env.options.heartbeat) {
    last_write_ = now;
    body_->write({heartbeat()}, {});
  }
}

void sink::done() {
  auto& streams = ex_->env.streams;
  body_.reset();
  ex_.reset();
  if (watcher_)
    caf::anon_send(std::exchange(watcher_, stream_actor{}), sink_closed{});
  streams.remove(*this);
}

} // namespace greenroom::http
