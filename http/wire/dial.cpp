#include "http/wire/dial.hpp"

#include "http/wire/tcp_socket.hpp"
#include "http/wire/tls_context.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace greenroom::http::wire {

namespace {

using asio::ip::tcp;
using namespace asio::experimental::awaitable_operators;

/// At most this much is encrypted in one step, so that a slow peer shows.
constexpr std::size_t encrypted_at_once = 256 * 1024;

asio::awaitable<void> connect(tcp::socket& socket, const std::string& host,
                              const std::string& port, error_code& error) {
  tcp::resolver resolver{socket.get_executor()};
  auto found = co_await resolver.async_resolve(
    host, port, asio::redirect_error(asio::use_awaitable, error));
  if (error)
    co_return;
  co_await asio::async_connect(
    socket, found, asio::redirect_error(asio::use_awaitable, error));
}

class tls_stream final : public byte_stream {
public:
  tls_stream(tcp::socket socket, std::shared_ptr<asio::ssl::context> context)
    : context_(std::move(context)), tls_(std::move(socket), *context_) {}

  asio::awaitable<void> handshake(const std::string& host, error_code& error) {
    name_peer(tls_, host);
    co_await tls_.async_handshake(
      asio::ssl::stream_base::client,
      asio::redirect_error(asio::use_awaitable, error));
  }

  /// Why the handshake failed, in words of what is wrong with the certificate
  /// where that is it.
  std::string reason(const std::string& host, const error_code& error) {
    auto why = ::SSL_get_verify_result(tls_.native_handle());
    if (why == X509_V_OK)
      return error.message();
    // OpenSSL has no word for what our own check refused.
    if (why == X509_V_ERR_UNSPECIFIED)
      return "its certificate is not for " + host;
    return std::string{"its certificate is not trusted: "}
           + ::X509_verify_cert_error_string(why);
  }

  void stop_waiting() noexcept override {
    error_code ignored;
    tls_.next_layer().cancel(ignored);
  }

  bool peer_gone() noexcept override {
    char one = 0;
    auto there = ::recv(tls_.next_layer().native_handle(), &one, 1,
                        MSG_PEEK | MSG_DONTWAIT);
    return there == 0 || (there < 0 && errno != EAGAIN && errno != EINTR);
  }

  bool broken() noexcept override {
    return is_broken(tls_.next_layer().native_handle());
  }

  // TLS knows no half-closed connection: the end is told by close.
  void shutdown_send() noexcept override {}

  void close() noexcept override {
    error_code ignored;
    tls_.next_layer().close(ignored);
  }

  bool is_open() const noexcept override {
    return tls_.next_layer().is_open();
  }

protected:
  asio::awaitable<std::size_t> do_read(asio::mutable_buffer into,
                                       error_code& error) override {
    auto size = co_await tls_.async_read_some(
      into, asio::redirect_error(asio::use_awaitable, error));
    // HTTP tells by itself where a message ends.
    if (error == asio::ssl::error::stream_truncated)
      error = asio::error::eof;
    co_return size;
  }

  asio::awaitable<void> do_write(const pieces& bytes, timeout each,
                                 error_code& error) override {
    auto on_its_way = [this, each](const error_code& failed, std::size_t) {
      extend_write(each);
      return failed ? std::size_t{0} : encrypted_at_once;
    };
    co_await asio::async_write(
      tls_, bytes.buffers, on_its_way,
      asio::redirect_error(asio::use_awaitable, error));
  }

  asio::awaitable<void> do_wait(error_code& error) override {
    if (::SSL_pending(tls_.native_handle()) > 0)
      co_return;
    co_await tls_.next_layer().async_wait(
      tcp::socket::wait_read, asio::redirect_error(asio::use_awaitable, error));
  }

private:
  std::shared_ptr<asio::ssl::context> context_;
  asio::ssl::stream<tcp::socket> tls_;
};

} // namespace

asio::awaitable<unique_fd> dial(asio::io_context& io, std::string host,
                                std::string port,
                                std::chrono::milliseconds limit) {
  tcp::socket socket{io};
  error_code error;
  auto won = co_await (connect(socket, host, port, error) || pause(io, limit));
  if (won.index() == 1)
    throw unreachable("no answer within "
                      + std::to_string(limit / std::chrono::seconds{1}) + " s");
  if (error)
    throw unreachable(error.message());
  co_return unique_fd{socket.release()};
}

asio::awaitable<void> pause(asio::io_context& io,
                            std::chrono::milliseconds limit) {
  asio::steady_timer timer{io, limit};
  co_await timer.async_wait(asio::use_awaitable);
}

bool is_broken(int socket) noexcept {
  pollfd what{socket, 0, 0};
  return ::poll(&what, 1, 0) > 0;
}

tcp::socket tcp_socket(asio::io_context& io, unique_fd fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto known =
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  auto version =
    known == 0 && address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4();
  tcp::socket result{io, version, fd.get()};
  static_cast<void>(fd.release());
  watch_peer(result.native_handle());
  return result;
}

void watch_peer(int socket) noexcept {
  auto set = [&](int level, int option, int value) {
    ::setsockopt(socket, level, option, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 20);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 60'000);
}

asio::awaitable<std::unique_ptr<byte_stream>>
start_tls(asio::io_context& io, unique_fd socket, tls_trust trust,
          std::chrono::milliseconds limit) {
  auto context = client_context(trust);
  auto connected = tcp_socket(io, std::move(socket));
  auto result =
    std::make_unique<tls_stream>(std::move(connected), std::move(context));
  error_code error;
  auto won =
    co_await (result->handshake(trust.host, error) || pause(io, limit));
  if (won.index() == 1)
    throw unreachable("TLS did not begin in time");
  if (error)
    throw unreachable("TLS failed: " + result->reason(trust.host, error));
  co_return std::move(result);
}

} // namespace greenroom::http::wire
