#include "bench/support/websocketd.hpp"

#include "bench/support/http.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <stdexcept>
#include <system_error>

namespace greenroom::bench {

namespace {

constexpr std::chrono::seconds timeout{5};

} // namespace

websocketd::websocketd(const std::vector<std::string>& command)
  : port_(free_port()) {
  std::vector<std::string> argv{installed("websocketd"), "--address=127.0.0.1",
                                "--port=" + std::to_string(port_),
                                "--loglevel=fatal"};
  argv.insert(argv.end(), command.begin(), command.end());
  server_ = std::make_unique<child>(argv);
  auto end = std::chrono::steady_clock::now() + timeout;
  while (std::chrono::steady_clock::now() < end)
    try {
      run();
      return;
    } catch (const std::system_error&) {
      ::poll(nullptr, 0, 20); // it does not listen yet
    }
  throw std::runtime_error("websocketd does not serve");
}

void websocketd::run() const {
  auto socket = connect_to(port_);
  send_all(socket, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  std::string answer;
  char buffer[4096];
  for (ssize_t got = 0;
       (got = ::recv(socket.get(), buffer, sizeof buffer, 0)) > 0;)
    answer.append(buffer, static_cast<std::size_t>(got));
  if (!answer.starts_with("HTTP/1.1 101"))
    throw std::runtime_error("websocketd answers: " + answer);
}

} // namespace greenroom::bench
