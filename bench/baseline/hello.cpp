// Bare RESTinio, as fast as it goes: what a request costs without a server
// behind it.
//
//   bench_hello THREADS
//
// One event loop and one listening socket a thread, as the server has them.
// Prints its port, and serves until it is killed.
#include <restinio/all.hpp>

#include <sys/socket.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <thread>
#include <vector>

namespace {

struct handler {
  restinio::request_handling_status_t
  operator()(const restinio::request_handle_t& request) const {
    return request->create_response().set_body("Hello, World!").done();
  }
};

using traits =
  restinio::traits_t<restinio::asio_timer_manager_t, restinio::null_logger_t,
                     handler, restinio::noop_strand_t>;
using server = restinio::http_server_t<traits>;

std::unique_ptr<server> listen(asio::io_context& context, std::uint16_t& port) {
  auto result = std::make_unique<server>(
    restinio::external_io_context(context), [&](auto& settings) {
      settings.address("127.0.0.1")
        .port(port)
        .request_handler(handler{})
        .max_pipelined_requests(2)
        .separate_accept_and_create_connect(false)
        .acceptor_options_setter([](restinio::acceptor_options_t& o) {
          using reuse_port =
            asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
          o.set_option(asio::ip::tcp::acceptor::reuse_address{true});
          o.set_option(reuse_port{true});
        })
        .acceptor_post_bind_hook([&](asio::ip::tcp::acceptor& acceptor) {
          port = acceptor.local_endpoint().port();
        })
        .socket_options_setter([](restinio::socket_options_t& o) {
          o.set_option(asio::ip::tcp::no_delay{true});
        });
    });
  result->open_sync();
  return result;
}

} // namespace

int main(int argc, char** argv) {
  auto count = argc == 2 ? std::atoi(argv[1]) : 0;
  if (count < 1) {
    std::cerr << "usage: bench_hello THREADS\n";
    return 2;
  }
  std::uint16_t port = 0;
  std::vector<std::unique_ptr<asio::io_context>> contexts;
  std::vector<std::unique_ptr<server>> servers;
  for (int i = 0; i < count; ++i) {
    contexts.push_back(std::make_unique<asio::io_context>(1));
    servers.push_back(listen(*contexts.back(), port));
  }
  std::cout << port << std::endl;
  std::vector<std::jthread> threads;
  for (auto& context : contexts)
    threads.emplace_back([&context] { context->run(); });
}
