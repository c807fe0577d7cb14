// Accepts TCP connections for as long as it lives, whatever goes wrong with
// one of them.
//
// Belongs to one event loop and is used on its thread only. While the process
// lacks descriptors, connections wait in the kernel's queue and are accepted
// later; a connection whose taker throws is closed. Both are logged.
#pragma once

#include "http/base/asio.hpp"
#include "runtime/base/fd.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace spdlog {
class logger;
}

namespace greenroom::http {

class acceptor {
public:
  using taker = std::function<void(unique_fd)>;

  /// `name` is what the log calls it, e.g. "git.listen".
  acceptor(asio::io_context& io, std::string name,
           std::shared_ptr<spdlog::logger> log);

  /// Binds; 0 for any free port. Returns the port. Throws std::system_error.
  std::uint16_t listen(const std::string& address, std::uint16_t port);

  /// Hands each connection to `take`. The acceptor outlives the loop's run.
  void start(taker take);

  void close() noexcept;

private:
  asio::awaitable<void> run();
  asio::awaitable<void> accept_one();

  asio::ip::tcp::acceptor acceptor_;
  const std::string name_;
  std::shared_ptr<spdlog::logger> log_;
  taker take_;
  bool failing_ = false; // said in the log already
};

} // namespace greenroom::http
