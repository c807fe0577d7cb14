// Two ends of one connection on one event loop, for tests of what speaks HTTP
// over it. Run to the end by `run`; what waits too long fails the test.
#pragma once

#include "http/base/asio.hpp"
#include "http/wire/byte_stream.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <exception>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <utility>

namespace greenroom::test {

struct wire_pair {
  wire_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
      throw std::runtime_error("socketpair");
    a = http::wire::plain_stream(io, unique_fd{ends[0]});
    b = http::wire::plain_stream(io, unique_fd{ends[1]});
  }

  /// Adds what runs beside the others.
  void add(asio::awaitable<void> what) {
    asio::co_spawn(io, std::move(what), [this](std::exception_ptr fault) {
      if (fault && !first_fault)
        first_fault = fault;
    });
  }

  /// Runs all to their ends, and throws what the first of them threw.
  void run() {
    io.run_for(std::chrono::minutes{1});
    if (first_fault)
      std::rethrow_exception(std::exchange(first_fault, nullptr));
    if (!io.stopped())
      throw std::runtime_error("something waits in vain");
    io.restart();
  }

  asio::io_context io{1};
  std::unique_ptr<http::wire::byte_stream> a;
  std::unique_ptr<http::wire::byte_stream> b;
  std::exception_ptr first_fault;
};

} // namespace greenroom::test
