// What goes wrong with one connection, or for a while, costs no other one.
#include "http/base/asio.hpp"
#include "http/wire/acceptor.hpp"
#include "runtime/base/guarded.hpp"
#include "tests/http/client.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/no_descriptors.hpp"

#include <catch2/catch.hpp>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sys/socket.h>

#include <atomic>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <thread>

using namespace greenroom;
using namespace greenroom::test;

namespace {

/// An acceptor, its event loop on a thread, and a log that counts.
class accepting {
public:
  explicit accepting(http::acceptor::taker take)
    : acceptor_(io_, "test.listen", log_),
      port(acceptor_.listen("127.0.0.1", 0)) {
    acceptor_.start(std::move(take));
    thread_ = std::thread{[this] { io_.run(); }};
  }
  accepting(const accepting&) = delete;
  accepting& operator=(const accepting&) = delete;
  ~accepting() {
    io_.stop();
    thread_.join();
  }

  std::atomic<int> failures = 0;

private:
  struct counting_sink : spdlog::sinks::sink {
    explicit counting_sink(std::atomic<int>& to) : count(to) {}
    void log(const spdlog::details::log_msg&) override {
      ++count;
    }
    void flush() override {}
    void set_pattern(const std::string&) override {}
    void set_formatter(std::unique_ptr<spdlog::formatter>) override {}
    std::atomic<int>& count;
  };

  std::shared_ptr<spdlog::logger> log_ = std::make_shared<spdlog::logger>(
    "test", std::make_shared<counting_sink>(failures));
  asio::io_context io_;
  http::acceptor acceptor_;

public:
  const std::uint16_t port;

private:
  std::thread thread_;
};

void greet(const unique_fd& socket) {
  constexpr std::string_view text = "HTTP/1.1 204 No Content\r\n\r\n";
  ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
}

} // namespace

TEST_CASE("a connection that cannot be served costs only itself") {
  int taken = 0;
  accepting server{[&taken](unique_fd socket) {
    if (++taken == 1)
      throw std::runtime_error("no room for its events");
    greet(socket);
  }};
  CHECK(http_client{server.port}.is_closed());
  CHECK(http_client{server.port}.receive_head().status == 204);
  CHECK(server.failures == 1);
}

TEST_CASE("connections wait while there are no descriptors") {
  accepting server{greet};
  std::optional<http_client> client;
  {
    // One descriptor more for the client, none for the server.
    std::optional<no_descriptors> now;
    client.emplace(server.port, 0, [&] { now.emplace(); });
    REQUIRE(eventually([&] { return server.failures >= 1; }));
  }
  CHECK(client->receive_head().status == 204);
  CHECK(http_client{server.port}.receive_head().status == 204);
}
