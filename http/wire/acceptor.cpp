#include "http/wire/acceptor.hpp"

#include "runtime/base/guarded.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

namespace greenroom::http {

namespace {

/// After a failure, before the next connection is accepted.
constexpr std::chrono::milliseconds pause{100};

} // namespace

acceptor::acceptor(asio::io_context& io, std::string name,
                   std::shared_ptr<spdlog::logger> log)
  : acceptor_(io), name_(std::move(name)), log_(std::move(log)) {}

std::uint16_t acceptor::listen(const std::string& address, std::uint16_t port) {
  asio::ip::tcp::endpoint where{asio::ip::make_address(address), port};
  acceptor_.open(where.protocol());
  acceptor_.set_option(asio::ip::tcp::acceptor::reuse_address{true});
  acceptor_.bind(where);
  acceptor_.listen();
  return acceptor_.local_endpoint().port();
}

void acceptor::start(taker take) {
  take_ = std::move(take);
  asio::co_spawn(acceptor_.get_executor(), run(), asio::detached);
}

void acceptor::close() noexcept {
  error_code ignored;
  acceptor_.close(ignored);
}

asio::awaitable<void> acceptor::run() {
  asio::steady_timer timer{acceptor_.get_executor()};
  while (acceptor_.is_open()) {
    std::string fault;
    try {
      co_await accept_one();
      failing_ = false;
      continue;
    } catch (const std::exception& e) {
      fault = e.what();
    }
    if (!acceptor_.is_open())
      break;
    if (!std::exchange(failing_, true))
      log_->error("{}: a connection cannot be accepted: {}", name_, fault);
    timer.expires_after(pause);
    error_code ignored;
    co_await timer.async_wait(
      asio::redirect_error(asio::use_awaitable, ignored));
  }
}

asio::awaitable<void> acceptor::accept_one() {
  auto socket = co_await acceptor_.async_accept(asio::use_awaitable);
  unique_fd taken{socket.release()};
  run_guarded([&] { take_(std::move(taken)); },
              [&](const char* why) {
                log_->error("{}: a connection cannot be served: {}", name_,
                            why);
              });
}

} // namespace greenroom::http
