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

/// An event loop with a log of its own, on a thread of its own.
class loop_thread {
public:
  explicit loop_thread(const std::function<void(loop_thread&)>& before) {
    before(*this);
    thread_ = std::thread{[this] { io.run(); }};
  }
  ~loop_thread() {
    io.stop();
    thread_.join();
  }

  asio::io_context io;
  std::atomic<int> failures = 0;
  std::shared_ptr<spdlog::logger> log = std::make_shared<spdlog::logger>(
    "test", std::make_shared<counting_sink>(failures));

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

  std::thread thread_;
};

void greet(const unique_fd& socket) {
  constexpr std::string_view text = "HTTP/1.1 204 No Content\r\n\r\n";
  ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
}

} // namespace

TEST_CASE("a connection that cannot be served costs only itself") {
  std::optional<http::acceptor> acceptor;
  std::uint16_t port = 0;
  int taken = 0;
  loop_thread loop{[&](auto& l) {
    acceptor.emplace(l.io, "test.listen", l.log);
    port = acceptor->listen("127.0.0.1", 0);
    acceptor->start([&taken](unique_fd socket) {
      if (++taken == 1)
        throw std::runtime_error("no room for its events");
      greet(socket);
    });
  }};
  CHECK(http_client{port}.is_closed());
  CHECK(http_client{port}.receive_head().status == 204);
  CHECK(loop.failures == 1);
}

TEST_CASE("connections wait while there are no descriptors") {
  std::optional<http::acceptor> acceptor;
  std::uint16_t port = 0;
  loop_thread loop{[&](auto& l) {
    acceptor.emplace(l.io, "test.listen", l.log);
    port = acceptor->listen("127.0.0.1", 0);
    acceptor->start(greet);
  }};
  std::optional<http_client> client;
  {
    // One descriptor more for the client, none for the server.
    std::optional<no_descriptors> now;
    client.emplace(port, 0, [&] { now.emplace(); });
    REQUIRE(eventually([&] { return loop.failures == 1; }));
  }
  CHECK(client->receive_head().status == 204);
  CHECK(http_client{port}.receive_head().status == 204);
}

TEST_CASE("a loop goes on after a handler that threw") {
  std::vector<int> done;
  int runs = 0;
  run_guarded_loop(
    [&] {
      if (++runs < 3)
        throw std::runtime_error("one operation");
      done.push_back(runs);
    },
    [&](const char* why) { CHECK(std::string{why} == "one operation"); });
  CHECK(done == std::vector{3});
}
