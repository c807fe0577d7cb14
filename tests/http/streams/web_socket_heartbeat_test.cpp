#include "http/streams/web_socket_heartbeat.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <functional>

using namespace greenroom::http;

namespace {

struct counting_socket final : web_socket {
  void send(slice, std::function<void(bool)>) override {}
  void send_text(slice, std::function<void(bool)>) override {}
  void ping() override {
    ++pings;
  }
  void close(ws::close_code, std::string_view) override {}
  void pause(bool stop) override {
    paused = stop;
  }
  int pings = 0;
  bool paused = false;
};

} // namespace

TEST_CASE("a client is gone that says nothing, but not while it is not heard") {
  options bounds;
  counting_socket socket;
  web_socket_heartbeat heart;
  heart.heard();
  const auto begun = web_socket_heartbeat::clock::now();
  CHECK(heart.beat(socket, bounds, begun + bounds.heartbeat));
  CHECK(socket.pings == 1);
  const auto late = begun + 2 * bounds.write_timeout;
  heart.pause(socket, true);
  CHECK(socket.paused);
  CHECK(heart.beat(socket, bounds, late));
  // It has its time from when it is heard again.
  heart.pause(socket, false);
  CHECK_FALSE(socket.paused);
  CHECK(heart.beat(socket, bounds, begun + bounds.write_timeout / 2));
  CHECK_FALSE(heart.beat(socket, bounds, late));
}
