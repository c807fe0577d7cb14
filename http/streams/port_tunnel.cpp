#include "http/streams/port_tunnel.hpp"

#include "http/edge/loop.hpp"
#include "http/edge/thread_context.hpp"
#include "http/streams/response_registry.hpp"
#include "http/streams/web_socket_heartbeat.hpp"
#include "http/wire/byte_stream.hpp"
#include "http/wire/message.hpp"
#include "http/wire/web_socket.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <deque>
#include <string>
#include <utility>

namespace greenroom::http {

namespace {

using ws::close_code;

constexpr std::size_t piece_size = 64 * 1024;

class port_tunnel final : public long_response,
                          public std::enable_shared_from_this<port_tunnel> {
public:
  port_tunnel(exchange_ptr ex, unique_fd socket, std::shared_ptr<void> place)
    : long_response(*ex), env_(ex->env), place_(std::move(place)),
      ex_(std::move(ex)),
      stream_(wire::plain_stream(env_.loop.context(), std::move(socket))) {}

  void begin() {
    if (!env_.streams.add(shared_from_this()))
      return;
    heartbeat_.heard();
    std::weak_ptr<port_tunnel> weak = weak_from_this();
    web_socket_events events;
    events.message = [weak](bool, std::string payload) {
      if (auto self = weak.lock())
        self->to_port(std::move(payload));
    };
    events.alive = [weak] {
      if (auto self = weak.lock())
        self->heartbeat_.heard();
    };
    events.closed = [weak] {
      if (auto self = weak.lock())
        self->left();
    };
    socket_ = ex_->upgrade({}, std::move(events));
    asio::co_spawn(env_.loop.context(), from_port(shared_from_this()),
                   asio::detached);
  }

  // -- long_response ----------------------------------------------------------

  void close(closing why) override {
    if (ex_ && !socket_)
      ex_->refuse(why_closed(why));
    end(code_of(why), why_closed(why).message);
  }

  void tick(clock::time_point now) override {
    stream_->check_deadlines(now);
    if (!socket_)
      return;
    if (!heartbeat_.beat(*socket_, env_.options, now))
      end(close_code::going_away, web_socket_heartbeat::lost);
  }

  stream_kind kind() const noexcept override {
    return stream_kind::tunnel;
  }

private:
  // -- from the session -------------------------------------------------------

  static asio::awaitable<void> from_port(std::shared_ptr<port_tunnel> self) {
    auto ended = false;
    try {
      // Also while nobody listens: else the session might stop to read.
      while (co_await self->stream_->wait_readable()) {
        auto buffer = std::make_shared<std::string>(piece_size, '\0');
        auto size = co_await self->stream_->read(asio::buffer(*buffer),
                                                 wire::byte_stream::never);
        if (size == 0) {
          ended = true;
          break;
        }
        if (self->left_)
          continue;
        slice piece{buffer, std::string_view{*buffer}.substr(0, size)};
        auto taken = co_await self->send(std::move(piece));
        if (!taken && !self->left_)
          break;
      }
    } catch (const wire::lost&) {
      // Said below.
    }
    if (self->left_)
      co_return; // that has its own end
    self->end(ended ? close_code::normal : close_code::going_away,
              ended ? "the connection has ended" : "the connection is broken");
  }

  /// False: the client is gone.
  asio::awaitable<bool> send(slice piece) {
    if (!socket_)
      co_return false;
    auto start = [&](auto handler) {
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      socket_->send(std::move(piece), [shared](bool well) { (*shared)(well); });
    };
    auto well =
      co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(bool)>(
        start, asio::use_awaitable);
    co_return well;
  }

  // -- to the session ---------------------------------------------------------

  void to_port(std::string payload) {
    if (payload.empty())
      return;
    waiting_.push_back(std::move(payload));
    if (std::exchange(writing_, true))
      heartbeat_.pause(*socket_, true); // until what waits has been taken
    else
      asio::co_spawn(env_.loop.context(), write_all(shared_from_this()),
                     asio::detached);
  }

  static asio::awaitable<void> write_all(std::shared_ptr<port_tunnel> self) {
    try {
      while (!self->waiting_.empty()) {
        auto payload = std::move(self->waiting_.front());
        self->waiting_.pop_front();
        co_await self->stream_->write(asio::buffer(payload),
                                      self->env_.options.write_timeout);
      }
    } catch (const wire::lost&) {
      self->end(close_code::going_away, "the connection is broken");
      co_return;
    }
    self->writing_ = false;
    if (self->left_)
      self->done();
    else if (self->socket_)
      self->heartbeat_.pause(*self->socket_, false);
  }

  // The client has gone; what it said still goes there, each piece within the
  // time that it has.
  void left() {
    left_ = true;
    socket_.reset();
    if (!writing_)
      done();
  }

  void end(close_code why, std::string_view reason) {
    if (!ex_)
      return;
    if (socket_)
      socket_->close(why, reason);
    done();
  }

  void done() {
    if (!ex_)
      return;
    auto self = shared_from_this();
    stream_->close();
    socket_.reset();
    ex_.reset();
    env_.streams.remove(*this);
  }

  http::edge& env_;
  const std::shared_ptr<void> place_; // of the second connection
  exchange_ptr ex_;                   // null: over
  std::unique_ptr<wire::byte_stream> stream_;
  std::shared_ptr<web_socket> socket_;
  std::deque<std::string> waiting_; // for the session to take
  bool writing_ = false;
  bool left_ = false; // the client
  web_socket_heartbeat heartbeat_;
};

} // namespace

void tunnel_to_port(const exchange_ptr& ex, unique_fd socket,
                    std::shared_ptr<void> place) {
  std::make_shared<port_tunnel>(ex, std::move(socket), std::move(place))
    ->begin();
}

} // namespace greenroom::http
