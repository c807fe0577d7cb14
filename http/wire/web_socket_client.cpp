#include "http/wire/web_socket_client.hpp"

#include "http/wire/tcp_socket.hpp"
#include "http/wire/tls_context.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <chrono>
#include <utility>

namespace greenroom::http::wire {

namespace {

namespace beast = boost::beast;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using namespace asio::experimental::awaitable_operators;

constexpr std::chrono::seconds handshake_limit{30};
constexpr std::size_t max_message = 16 * 1024 * 1024;

auto into(error_code& error) {
  return asio::redirect_error(asio::use_awaitable, error);
}

template <class Stream>
class beast_client final : public web_socket_client {
public:
  template <class... Args>
  explicit beast_client(Args&&... args) : ws_(std::forward<Args>(args)...) {}

  Stream& layer() {
    return ws_.next_layer();
  }

  asio::awaitable<void> shake_hands(const message_head& head) {
    // That the peer is gone is seen by TCP, also while nothing is read.
    ws_.set_option(websocket::stream_base::timeout{
      handshake_limit, websocket::stream_base::none(), false});
    ws_.set_option(websocket::stream_base::decorator(
      [&head](websocket::request_type& request) {
        for (auto& one : head.headers)
          if (!equal_caseless(one.name, "Host"))
            request.set(one.name, one.value);
      }));
    ws_.read_message_max(max_message);
    const std::string host{head.headers.get("Host")};
    websocket::response_type answer;
    error_code error;
    co_await ws_.async_handshake(answer, host, head.target, into(error));
    if (error == websocket::error::upgrade_declined) {
      header_list headers;
      for (auto& one : answer)
        headers.add(std::string_view{one.name_string()},
                    std::string_view{one.value()});
      throw upgrade_refused(static_cast<int>(answer.result_int()),
                            std::move(headers), answer.body());
    }
    if (error)
      throw unreachable(error.message());
    ws_.auto_fragment(false);
  }

  asio::awaitable<std::optional<web_socket_payload>> read() override {
    error_code error;
    buffer_.clear();
    co_await ws_.async_read(buffer_, into(error));
    if (error == websocket::error::closed)
      co_return std::nullopt;
    if (error)
      throw lost{error == beast::error::timeout};
    web_socket_payload result;
    result.is_text = ws_.got_text();
    result.bytes.assign(static_cast<const char*>(buffer_.data().data()),
                        buffer_.size());
    co_return std::optional<web_socket_payload>{std::move(result)};
  }

  asio::awaitable<void> write(std::string_view bytes, bool is_text) override {
    ws_.text(is_text);
    auto buffer = asio::buffer(bytes.data(), bytes.size());
    error_code error;
    co_await ws_.async_write(buffer, into(error));
    if (error)
      throw lost{error == beast::error::timeout};
  }

  asio::awaitable<void> say_goodbye() override {
    websocket::close_reason reason{websocket::close_code::normal};
    error_code ignored;
    co_await ws_.async_close(reason, into(ignored));
  }

  void drop() noexcept override {
    error_code ignored;
    beast::get_lowest_layer(ws_).close(ignored);
  }

  std::uint16_t close_code() const noexcept override {
    return ws_.reason().code;
  }
  std::string close_reason() const override {
    return {ws_.reason().reason.data(), ws_.reason().reason.size()};
  }

private:
  websocket::stream<Stream> ws_;
  beast::flat_buffer buffer_;
};

} // namespace

asio::awaitable<std::unique_ptr<web_socket_client>>
open_web_socket(asio::io_context& io, unique_fd socket,
                std::optional<tls_trust> trust, message_head head) {
  auto connected = tcp_socket(io, std::move(socket));
  if (!trust) {
    auto plain =
      std::make_unique<beast_client<tcp::socket>>(std::move(connected));
    co_await plain->shake_hands(head);
    co_return std::move(plain);
  }
  auto context = client_context(*trust);
  auto secured = std::make_unique<beast_client<asio::ssl::stream<tcp::socket>>>(
    std::move(connected), *context);
  name_peer(secured->layer(), trust->host);
  error_code error;
  auto handshake = secured->layer().async_handshake(
    asio::ssl::stream_base::client, into(error));
  auto limit = pause(io, handshake_limit);
  auto won = co_await (std::move(handshake) || std::move(limit));
  if (won.index() == 1)
    throw unreachable("TLS did not begin in time");
  if (error)
    throw unreachable("TLS failed: " + error.message());
  co_await secured->shake_hands(head);
  co_return std::move(secured);
}

} // namespace greenroom::http::wire
