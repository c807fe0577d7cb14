#include "http/wire/byte_stream.hpp"

#include "http/wire/message.hpp"
#include "http/wire/tcp_socket.hpp"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace greenroom::http::wire {

namespace {

/// At most this much is given to the kernel in one step, so that a slow peer
/// shows.
constexpr std::size_t written_at_once = 256 * 1024;

class socket_stream final : public byte_stream {
public:
  using protocol = asio::generic::stream_protocol;

  socket_stream(asio::io_context& io, unique_fd fd) : socket_(io) {
    int family = 0;
    socklen_t size = sizeof family;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_DOMAIN, &family, &size) != 0)
      throw std::system_error(errno, std::generic_category(), "not a socket");
    socket_.assign(protocol{family, 0}, fd.get());
    static_cast<void>(fd.release());
    socket_.non_blocking(true);
    if (family == AF_INET || family == AF_INET6)
      watch_peer(socket_.native_handle());
  }

  void stop_waiting() noexcept override {
    error_code ignored;
    socket_.cancel(ignored);
  }

  bool peer_gone() noexcept override {
    char one = 0;
    auto there =
      ::recv(socket_.native_handle(), &one, 1, MSG_PEEK | MSG_DONTWAIT);
    return there == 0 || (there < 0 && errno != EAGAIN && errno != EINTR);
  }

  bool is_quiet() noexcept override {
    char one = 0;
    auto there =
      ::recv(socket_.native_handle(), &one, 1, MSG_PEEK | MSG_DONTWAIT);
    return there < 0 && (errno == EAGAIN || errno == EINTR);
  }

  bool broken() noexcept override {
    return is_broken(socket_.native_handle());
  }

  void shutdown_send() noexcept override {
    error_code ignored;
    socket_.shutdown(protocol::socket::shutdown_send, ignored);
  }

  void close() noexcept override {
    error_code ignored;
    socket_.close(ignored);
  }

  bool is_open() const noexcept override {
    return socket_.is_open();
  }

  std::size_t write_now(const pieces& bytes) noexcept override {
    std::array<iovec, 4> parts{};
    std::ranges::transform(bytes.buffers, parts.begin(), [](auto& one) {
      return iovec{const_cast<void*>(one.data()), one.size()};
    });
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    auto sent =
      ::sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }

protected:
  asio::awaitable<std::size_t> do_read(asio::mutable_buffer into,
                                       error_code& error) override {
    return socket_.async_read_some(
      into, asio::redirect_error(asio::use_awaitable, error));
  }

  asio::awaitable<void> do_write(const pieces& bytes, timeout each,
                                 error_code& error) override {
    auto on_its_way = [this, each](const error_code& failed, std::size_t) {
      extend_write(each);
      return failed ? std::size_t{0} : written_at_once;
    };
    co_await asio::async_write(
      socket_, bytes.buffers, on_its_way,
      asio::redirect_error(asio::use_awaitable, error));
  }

  asio::awaitable<void> do_wait(error_code& error) override {
    return socket_.async_wait(protocol::socket::wait_read,
                              asio::redirect_error(asio::use_awaitable, error));
  }

private:
  protocol::socket socket_;
};

} // namespace

std::size_t byte_stream::write_now(const pieces&) noexcept {
  return 0;
}

void byte_stream::pieces::remove_prefix(std::size_t size) noexcept {
  for (auto& one : buffers) {
    const auto cut = std::min(size, one.size());
    one += cut;
    size -= cut;
  }
}

bool byte_stream::pieces::empty() const noexcept {
  return std::ranges::all_of(buffers,
                             [](auto& one) { return one.size() == 0; });
}

asio::awaitable<std::size_t> byte_stream::read(asio::mutable_buffer into,
                                               clock::time_point until) {
  read_until_ = until;
  error_code error;
  auto size = co_await do_read(into, error);
  read_until_ = never;
  if (error && error != asio::error::eof)
    throw lost{late_};
  co_return error ? 0 : size;
}

asio::awaitable<void> byte_stream::write(pieces bytes, timeout each) {
  bytes.remove_prefix(write_now(bytes));
  if (bytes.empty())
    co_return;
  extend_write(each);
  error_code error;
  co_await do_write(bytes, each, error);
  write_until_ = never;
  if (error)
    throw lost{late_};
}

asio::awaitable<bool> byte_stream::wait_readable(clock::time_point until) {
  read_until_ = until;
  error_code error;
  co_await do_wait(error);
  read_until_ = never;
  co_return !error;
}

void byte_stream::check_deadlines(clock::time_point now) noexcept {
  if (now < std::min(read_until_, write_until_))
    return;
  late_ = true;
  close();
}

std::unique_ptr<byte_stream> plain_stream(asio::io_context& io,
                                          unique_fd socket) {
  return std::make_unique<socket_stream>(io, std::move(socket));
}

} // namespace greenroom::http::wire
