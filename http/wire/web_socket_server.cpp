#include "http/wire/web_socket_server.hpp"

#include "http/base/parse.hpp"
#include "runtime/base/utf8.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <algorithm>
#include <deque>
#include <utility>

namespace greenroom::http {

namespace {

namespace beast = boost::beast;
namespace websocket = beast::websocket;

/// For the handshakes at the beginning and at the end.
constexpr std::chrono::seconds handshake_timeout{5};

/// What a close frame can hold beside its code.
constexpr std::size_t max_reason = 123;

beast::http::request<beast::http::empty_body>
request_of(const web_socket_handshake& handshake) {
  using beast::http::field;
  beast::http::request<beast::http::empty_body> result{beast::http::verb::get,
                                                       "/", 11};
  result.set(field::host, "localhost");
  result.set(field::connection, "Upgrade");
  result.set(field::upgrade, "websocket");
  result.set(field::sec_websocket_version, "13");
  result.set(field::sec_websocket_key, handshake.key);
  return result;
}

class beast_web_socket final
  : public web_socket,
    public std::enable_shared_from_this<beast_web_socket> {
public:
  beast_web_socket(asio::ip::tcp::socket socket,
                   const web_socket_handshake& handshake,
                   std::shared_ptr<void> held,
                   std::chrono::milliseconds timeout, web_socket_events events)
    : ws_(std::move(socket)), request_(request_of(handshake)),
      held_(std::move(held)), timeout_(timeout), events_(std::move(events)),
      timer_(ws_.get_executor()), goodbye_(ws_.get_executor()) {
    ws_.set_option(websocket::stream_base::timeout{
      handshake_timeout, websocket::stream_base::none(), false});
    ws_.set_option(websocket::stream_base::decorator(
      [protocol = handshake.protocol,
       id = handshake.request_id](websocket::response_type& answer) {
        using beast::http::field;
        answer.set(field::server, "greenroom"); // or Beast names itself
        if (!protocol.empty())
          answer.set(field::sec_websocket_protocol, protocol);
        answer.set("X-Request-Id", id);
      }));
    ws_.read_message_max(max_message);
    ws_.auto_fragment(false);
  }

  void start() {
    ws_.control_callback(
      [this](websocket::frame_type kind, beast::string_view) {
        if (auto alive = events_.alive)
          alive();
        if (kind == websocket::frame_type::close)
          asio::post(ws_.get_executor(),
                     [self = shared_from_this()] { self->peer_closed(); });
      });
    ws_.async_accept(request_, [self = shared_from_this()](error_code error) {
      self->writing_ = false;
      if (error) {
        self->fail();
        return;
      }
      self->read();
      self->write_next();
    });
  }

  void send(slice payload, std::function<void(bool)> done) override {
    put({std::move(payload), std::move(done), false});
  }

  void send_text(slice payload, std::function<void(bool)> done) override {
    put({std::move(payload), std::move(done), true});
  }

  void ping() override {
    if (dropped_ || closing_ || !ws_.is_open() || std::exchange(pinging_, true))
      return;
    ws_.async_ping({}, [self = shared_from_this()](error_code error) {
      self->pinging_ = false;
      if (error)
        self->fail();
    });
  }

  void close(ws::close_code why, std::string_view reason) override {
    events_ = {};
    if (dropped_ || std::exchange(closing_, true))
      return;
    // A browser takes a reason that is cut inside a character for a fault.
    auto text = reason.substr(0, max_reason);
    text.remove_suffix(incomplete_tail(text));
    farewell_.code = static_cast<std::uint16_t>(why);
    farewell_.reason.assign(text.begin(), text.end());
    write_next();
  }

  void pause(bool stop) override {
    paused_ = stop;
    if (!stop)
      asio::post(ws_.get_executor(),
                 [self = shared_from_this()] { self->read(); });
  }

private:
  struct outgoing {
    slice payload;
    std::function<void(bool)> done;
    bool is_text = false;
  };

  void put(outgoing what) {
    if (dropped_ || closing_) {
      post_done(std::move(what.done));
      return;
    }
    queue_.push_back(std::move(what));
    write_next();
  }

  void read() {
    if (paused_ || dropped_ || closing_ || std::exchange(reading_, true))
      return;
    ws_.async_read(buffer_,
                   [self = shared_from_this()](error_code error, std::size_t) {
                     self->reading_ = false;
                     if (error)
                       self->fail();
                     else
                       self->take_message();
                   });
  }

  void take_message() {
    std::string payload{static_cast<const char*>(buffer_.data().data()),
                        buffer_.size()};
    buffer_ = {};
    if (auto alive = events_.alive)
      alive();
    // A copy: what it does may take the events away.
    if (auto message = events_.message)
      message(ws_.got_text(), std::move(payload));
    read();
  }

  void write_next() {
    if (writing_ || dropped_)
      return;
    if (queue_.empty()) {
      if (closing_)
        say_goodbye();
      return;
    }
    writing_ = in_flight_ = true;
    arm();
    auto& payload = queue_.front().payload;
    ws_.text(queue_.front().is_text);
    ws_.async_write(asio::buffer(payload.data(), payload.size()),
                    [self = shared_from_this()](error_code error, std::size_t) {
                      self->written(error);
                    });
  }

  void written(error_code error) {
    writing_ = in_flight_ = false;
    timer_.cancel();
    auto item = std::move(queue_.front());
    queue_.pop_front();
    if (item.done)
      item.done(!error);
    if (error)
      fail();
    else
      write_next();
  }

  void say_goodbye() {
    writing_ = true; // nothing follows
    ws_.async_close(farewell_,
                    [self = shared_from_this()](error_code) { self->fail(); });
  }

  void arm() {
    timer_.expires_after(timeout_);
    timer_.async_wait([weak = weak_from_this()](error_code error) {
      auto self = weak.lock();
      if (self && !error)
        self->fail();
    });
  }

  void post_done(std::function<void(bool)> done) {
    if (done)
      asio::post(ws_.get_executor(), [done = std::move(done)] { done(false); });
  }

  /// Beast answers the client's close frame and then waits for it to hang up.
  void peer_closed() {
    goodbye_.expires_after(handshake_timeout);
    goodbye_.async_wait([weak = weak_from_this()](error_code error) {
      auto self = weak.lock();
      if (self && !error)
        self->fail();
    });
    if (auto closed = std::exchange(events_, {}).closed)
      closed();
  }

  /// The connection is gone, or done with. After a close frame of the client's
  /// Beast has answered it by now.
  void fail() {
    if (std::exchange(dropped_, true))
      return;
    timer_.cancel();
    goodbye_.cancel();
    auto& socket = ws_.next_layer();
    error_code ignored;
    socket.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
    socket.close(ignored);
    // One that is under way hears for itself.
    while (queue_.size() > (in_flight_ ? 1u : 0u)) {
      post_done(std::move(queue_.back().done));
      queue_.pop_back();
    }
    held_.reset();
    if (auto closed = std::exchange(events_, {}).closed)
      closed();
  }

  websocket::stream<asio::ip::tcp::socket> ws_;
  beast::http::request<beast::http::empty_body> request_;
  std::shared_ptr<void> held_;
  std::chrono::milliseconds timeout_;
  web_socket_events events_;
  asio::steady_timer timer_;   // of the write
  asio::steady_timer goodbye_; // for the client to hang up
  beast::flat_buffer buffer_;
  std::deque<outgoing> queue_; // the first is being written where in_flight_
  websocket::close_reason farewell_;
  bool writing_ = true; // the handshake's answer, first
  bool in_flight_ = false;
  bool reading_ = false;
  bool pinging_ = false;
  bool paused_ = false;
  bool closing_ = false; // our close frame follows what waits
  bool dropped_ = false;
};

} // namespace

bool ws::is_key(std::string_view text) noexcept {
  auto in_alphabet = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
           || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  return text.size() == 24 && text.ends_with("==")
         && std::ranges::all_of(text.substr(0, 22), in_alphabet);
}

bool is_web_socket(const request& in) noexcept {
  return in.verb == verb::get && !in.head
         && is_same_word(in.upgrade, "websocket")
         && in.web_socket_version == "13" && ws::is_key(in.web_socket_key);
}

std::shared_ptr<web_socket>
accept_web_socket(asio::ip::tcp::socket socket,
                  const web_socket_handshake& handshake,
                  std::shared_ptr<void> held, std::chrono::milliseconds timeout,
                  web_socket_events events) {
  auto result = std::make_shared<beast_web_socket>(
    std::move(socket), handshake, std::move(held), timeout, std::move(events));
  result->start();
  return result;
}

} // namespace greenroom::http
