#include "http/streams/websocket_socket.hpp"

#include <asio/post.hpp>
#include <asio/write.hpp>

#include <utility>

namespace greenroom::http {

namespace {

/// A client that was told goodbye has this long to say it too.
constexpr std::chrono::seconds farewell{5};

/// Pongs and the like that a client does not take; more of them, and it is
/// dropped.
constexpr std::size_t max_queue = 64;

} // namespace

asio_web_socket::asio_web_socket(asio::ip::tcp::socket socket,
                                 std::shared_ptr<void> held,
                                 std::chrono::milliseconds timeout,
                                 web_socket_events events)
  : socket_(std::move(socket)), held_(std::move(held)), patience_(timeout),
    events_(std::move(events)), timer_(socket_.get_executor()) {}

asio_web_socket::~asio_web_socket() = default;

void asio_web_socket::start(std::string greeting) {
  enqueue({std::move(greeting), {}, {}, false});
  read_more();
}

void asio_web_socket::send(slice payload, std::function<void(bool)> done) {
  if (dropped_ || closing_) {
    if (done)
      asio::post(socket_.get_executor(),
                 [done = std::move(done)] { done(false); });
    return;
  }
  auto head = ws::frame_head(ws::opcode::binary, payload.size());
  enqueue({std::move(head), std::move(payload), std::move(done), false});
}

void asio_web_socket::ping() {
  put(ws::opcode::ping, {});
}

void asio_web_socket::close(ws::close_code why, std::string_view reason) {
  events_ = {};
  put(ws::opcode::close, ws::close_payload(why, reason), true);
  // What is not read would hide the client's close frame.
  paused_ = false;
  read_more();
}

void asio_web_socket::pause(bool stop) {
  paused_ = stop;
  if (stop)
    return;
  // What has been read already is taken later, as everything is.
  asio::post(socket_.get_executor(),
             [self = shared_from_this()] { self->take_messages(); });
}

void asio_web_socket::put(ws::opcode kind, std::string payload, bool last) {
  if (dropped_ || closing_)
    return;
  closing_ = last;
  auto text = ws::frame_head(kind, payload.size()) + payload;
  enqueue({std::move(text), {}, {}, last});
}

void asio_web_socket::enqueue(outgoing item) {
  queue_.push_back(std::move(item));
  if (queue_.size() > max_queue)
    asio::post(socket_.get_executor(),
               [self = shared_from_this()] { self->drop(); });
  else if (!writing_)
    write_next();
}

void asio_web_socket::write_next() {
  writing_ = true;
  arm(patience_);
  auto& item = queue_.front();
  std::array<asio::const_buffer, 2> parts{
    asio::buffer(item.head),
    asio::buffer(item.payload.data(), item.payload.size())};
  asio::async_write(
    socket_, parts,
    [self = shared_from_this()](const asio::error_code& error, std::size_t) {
      self->written(!error);
    });
}

void asio_web_socket::written(bool well) {
  writing_ = false;
  auto item = std::move(queue_.front());
  queue_.pop_front();
  timer_.cancel();
  if (item.done)
    item.done(well);
  if (!well || dropped_ || (item.last && peer_closing_)) {
    drop();
    return;
  }
  if (item.last)
    arm(farewell);
  else if (!queue_.empty() && !writing_)
    write_next();
}

void asio_web_socket::read_more() {
  if (reading_ || paused_ || dropped_ || peer_closing_)
    return;
  reading_ = true;
  socket_.async_read_some(asio::buffer(buffer_),
                          [self = shared_from_this()](
                            const asio::error_code& error, std::size_t size) {
                            self->reading_ = false;
                            if (error) {
                              self->drop();
                              return;
                            }
                            self->reader_.add({self->buffer_.data(), size});
                            self->take_messages();
                          });
}

void asio_web_socket::take_messages() {
  while (!paused_ && !dropped_ && !peer_closing_) {
    auto message = reader_.next();
    if (!message)
      break;
    if (events_.alive)
      events_.alive();
    switch (message->kind) {
      case ws::opcode::close:
        peer_closing_ = true;
        if (auto closed = std::exchange(events_, {}).closed)
          closed();
        if (!closing_)
          put(ws::opcode::close, message->payload.substr(0, 2), true);
        else if (!writing_)
          drop();
        return;
      case ws::opcode::ping:
        put(ws::opcode::pong, std::move(message->payload));
        break;
      case ws::opcode::pong:
        break;
      default:
        // A copy: what it does may take the events away.
        if (auto heard = events_.message)
          heard(message->kind == ws::opcode::text, std::move(message->payload));
    }
  }
  if (auto fault = reader_.fault(); fault && !closing_) {
    auto closed = std::exchange(events_, {}).closed;
    close(*fault, *fault == ws::close_code::too_big
                    ? "the message is too long"
                    : "that is no WebSocket frame");
    peer_closing_ = true; // nothing of it can be read any more
    if (closed)
      closed();
    return;
  }
  read_more();
}

void asio_web_socket::arm(std::chrono::milliseconds length) {
  timer_.expires_after(length);
  timer_.async_wait([weak = weak_from_this()](const asio::error_code& error) {
    if (error)
      return;
    if (auto self = weak.lock())
      self->drop();
  });
}

void asio_web_socket::drop() {
  if (std::exchange(dropped_, true))
    return;
  timer_.cancel();
  asio::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
  if (auto closed = std::exchange(events_, {}).closed)
    closed();
}

} // namespace greenroom::http
