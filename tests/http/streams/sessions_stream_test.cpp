// The stream of all sessions' events, where the list of them is hard to get.
#include "messages/directory.hpp"
#include "messages/errors.hpp"
#include "messages/operations.hpp"
#include "tests/http/client.hpp"
#include "tests/http/stand_in_parts.hpp"
#include "tests/http/stand_ins.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

using namespace greenroom;
using namespace greenroom::test;

namespace {

using listing = std::function<caf::result<live_list>(const find_live&)>;

/// A server whose list of sessions is the test's, and whose sessions are gone.
class listing_server {
public:
  explicit listing_server(fixture& f, listing list) {
    operations_ = f.system->spawn(
      [](caf::event_based_actor* self, listing how) -> caf::behavior {
        self->set_default_handler(caf::skip);
        return {[how](const find_live& what) { return how(what); }};
      },
      std::move(list));
    directory_ = f.system->spawn(
      [](caf::event_based_actor*, int) -> caf::behavior {
        return {[](const find_session&) -> caf::result<session_actor> {
                  return make_error(errc::not_found, "session not found");
                },
                [](const join_edge&) {}};
      },
      0);
    http::options options;
    options.port = 0;
    options.threads = 1;
    options.data_dir = empty_.path();
    http::server_parts parts{
      *f.system,
      f.ring,
      caf::actor_cast<directory_actor>(directory_),
      caf::actor_cast<key_registry_actor>(directory_),
      f.system->spawn(store_stand_in, f.script),
      {},
      {},
      std::make_shared<spdlog::logger>(
        "none", std::make_shared<spdlog::sinks::null_sink_mt>())};
    parts.operations = caf::actor_cast<operations_actor>(operations_);
    server_ = std::make_unique<http::server>(options, parts);
    server_->start();
  }
  ~listing_server() {
    server_.reset();
    caf::anon_send_exit(operations_, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(directory_, caf::exit_reason::user_shutdown);
  }

  std::uint16_t port() const {
    return server_->port();
  }

private:
  temp_dir empty_;
  caf::actor operations_;
  caf::actor directory_;
  std::unique_ptr<http::server> server_;
};

live_list sessions_of(std::size_t count) {
  live_list result;
  for (std::size_t i = 0; i < count; ++i) {
    auto id = std::to_string(i);
    result.sessions.push_back(
      {"demo", std::string(20 - id.size(), 'a') + id, 1});
  }
  return result;
}

} // namespace

TEST_CASE("who watches all events is told where the list cannot be read") {
  fixture f;
  listing_server refuses{f, [](const find_live&) -> caf::result<live_list> {
                           return make_error(errc::unavailable, "no store");
                         }};
  auto answer = call(refuses.port(), "GET", "/events", admin_secret);
  CHECK(answer.status == 503);
  CHECK_THAT(answer.body, Catch::Contains("no store"));
  // Nor does one who gets no answer wait for ever.
  listing_server silent{
    f, [](const find_live&) -> caf::result<live_list> { return caf::skip(); }};
  answer = call(silent.port(), "GET", "/events", admin_secret);
  CHECK(answer.status == 503);
  CHECK(answer.headers.contains("retry-after"));
}

TEST_CASE("who watches all events is told how many sessions are left out") {
  fixture f;
  listing_server server{f, [](const find_live&) -> caf::result<live_list> {
                          return sessions_of(450);
                        }};
  http_client client{server.port()};
  client.send(request_text("GET", "/events", admin_secret));
  CHECK(client.receive_head().status == 200);
  client.read_stream_until(": 50 sessions are left out");
}

TEST_CASE("a cursor keeps no place for sessions that are gone") {
  fixture f;
  listing_server server{f, [](const find_live& what) -> caf::result<live_list> {
                          CHECK(what.also.size() == 400);
                          return sessions_of(400);
                        }};
  std::string cursor = "1";
  for (int i = 0; i < 400; ++i) {
    auto id = std::to_string(i);
    cursor += '.' + std::string(20 - id.size(), 'b') + id + "-7";
  }
  http_client client{server.port()};
  client.send(request_text("GET", "/events", admin_secret, "", "",
                           "Last-Event-ID: " + cursor + "\r\n"));
  CHECK(client.receive_head().status == 200);
  CHECK(client.read_stream_until("retry: ").find("left out")
        == std::string::npos);
}

TEST_CASE("what no session tells is sent in order, and resumed after") {
  fixture f;
  std::atomic<std::uint64_t> newest{7};
  listing_server server{
    f, [&](const find_live& what) -> caf::result<live_list> {
      live_list result;
      result.last_event = newest;
      for (auto number = what.events_after + 1; number <= newest; ++number) {
        project_event event{number,
                            "demo",
                            std::string(20, 'a'),
                            number % 2 == 0 ? "review.started"
                                            : "webhook.disabled",
                            1'000,
                            {}};
        result.events.push_back(std::move(event));
      }
      return result;
    }};
  auto watch = [&](const std::string& query, const std::string& cursor = {}) {
    auto client = std::make_unique<http_client>(server.port());
    client->send(
      request_text("GET", "/events?" + query, admin_secret, "", "",
                   cursor.empty() ? "" : "Last-Event-ID: " + cursor + "\r\n"));
    CHECK(client->receive_head().status == 200);
    return client;
  };
  auto live = watch("");
  live->read_stream_until("retry: ");
  // Those of before are of before.
  newest = 9;
  auto text = live->read_stream_until(".p-9");
  CHECK(text.find("event: review.started\ndata: {\"time\":"
                  "\"1970-01-01T00:00:01.000Z\",\"session_id\":\"aaaa")
        != std::string::npos);
  CHECK(text.find(".p-7\n\n") == std::string::npos);
  CHECK(text.find(".p-8\n\n") < text.find("event: webhook.disabled"));
  // Who comes back misses none, and sees only what it asked for.
  text = watch("types=webhook.disabled", "5.p-5")->read_stream_until(".p-9");
  CHECK(text.find("review.started") == std::string::npos);
  CHECK(text.find(".p-7\n\n") != std::string::npos);
  text = watch("types=review.started", "5.p-5")->read_stream_until(".p-8\n");
  CHECK(text.find("webhook.disabled") == std::string::npos);
}
