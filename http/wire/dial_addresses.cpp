#include "http/wire/dial_addresses.hpp"

#include "http/wire/tcp_socket.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace greenroom::http::wire {

namespace {

using asio::ip::tcp;
using namespace asio::experimental::awaitable_operators;

asio::awaitable<void> connect(tcp::socket& socket,
                              const std::vector<tcp::endpoint>& where,
                              error_code& error) {
  error = asio::error::host_not_found;
  co_await asio::async_connect(
    socket, where, asio::redirect_error(asio::use_awaitable, error));
}

} // namespace

asio::awaitable<unique_fd> dial_addresses(asio::io_context& io,
                                          std::vector<std::string> addresses,
                                          std::uint16_t port,
                                          std::chrono::milliseconds limit) {
  std::vector<tcp::endpoint> where;
  for (auto& one : addresses)
    where.emplace_back(asio::ip::make_address(one), port);
  tcp::socket socket{io};
  error_code error;
  auto won = co_await (connect(socket, where, error) || pause(io, limit));
  if (won.index() == 1)
    throw unreachable("no connection came about in time");
  if (error)
    throw unreachable(error.message());
  co_return unique_fd{socket.release()};
}

} // namespace greenroom::http::wire
