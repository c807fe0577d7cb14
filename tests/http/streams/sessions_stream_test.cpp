// The stream of all sessions' events, where the list of them is hard to get.
#include "messages/directory.hpp"
#include "messages/errors.hpp"
#include "messages/operations.hpp"
#include "runtime/metrics/counters.hpp"
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
#include <mutex>
#include <string>
#include <vector>

using namespace greenroom;
using namespace greenroom::test;

namespace {

using listing = std::function<caf::result<live_list>(const find_live&)>;
using finding = std::function<caf::result<session_actor>()>;

caf::result<session_actor> gone() {
  return make_error(errc::not_found, "session not found");
}

/// A server whose list of sessions is the test's, and whose sessions are gone,
/// or what `find` says.
class listing_server {
public:
  explicit listing_server(fixture& f, listing list, finding find = gone) {
    operations_ = f.system->spawn(
      [](caf::event_based_actor* self, listing how) -> caf::behavior {
        self->set_default_handler(caf::skip);
        return {[how](const find_live& what) { return how(what); }};
      },
      std::move(list));
    directory_ = f.system->spawn(
      [](caf::event_based_actor*, finding how) -> caf::behavior {
        return {[how](const find_session&) { return how(); },
                [](const join_edge&) {}};
      },
      std::move(find));
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
    parts.counters = counters_;
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

  /// The list is looked at soon.
  void announce_news() {
    counters_->events[event_kind::session_created].add();
  }

private:
  temp_dir empty_;
  std::shared_ptr<node_counters> counters_ = std::make_shared<node_counters>();
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

/// A session whose node cannot be asked at first.
struct away_session {
  finding find() {
    return [this]() -> caf::result<session_actor> {
      if (away)
        return make_error(errc::unavailable, "node b cannot be reached");
      return session_actor{f.session};
    };
  }

  /// The session does something at a time.
  void act(const std::string& time, const std::string& name,
           event_kind kind = event_kind::exec_output) {
    caf::anon_send(f.session,
                   publish{kind, "e1",
                           "{\"time\":\"" + time
                             + "T00:00:00.000Z\",\"name\":\"" + name + "\"}"});
    ++acts;
    fixture::wait_until([this] {
      std::lock_guard lock{f.script->guard};
      return f.script->events.size() == acts;
    });
  }

  static live_list listed() {
    live_list result;
    result.sessions.push_back({"demo", std::string{demo_session}, 1});
    return result;
  }

  fixture f;
  std::atomic<bool> away = true;
  std::size_t acts = 0;
};

void begin_watch(http_client& client, const std::string& cursor = {}) {
  client.send(
    request_text("GET", "/events", admin_secret, "", "",
                 cursor.empty() ? "" : "Last-Event-ID: " + cursor + "\r\n"));
  CHECK(client.receive_head().status == 200);
  client.read_stream_until("retry: ");
}

} // namespace

TEST_CASE("a session that could not be asked at first is seen since the stream "
          "began") {
  away_session session;
  listing_server server{session.f,
                        [](const find_live&) -> caf::result<live_list> {
                          return away_session::listed();
                        },
                        session.find()};
  http_client client{server.port()};
  begin_watch(client);
  session.act("2000-01-01", "old");
  session.act("9999-01-01", "new");
  session.act("2000-01-01", "of a clock that is late");
  session.away = false;
  server.announce_news();
  auto text = client.read_stream_until("new");
  CHECK(text.find("old") == std::string::npos);
  // What happens from then on is new by itself.
  session.act("2000-01-01", "latest");
  text = client.read_stream_until("latest");
  CHECK(text.find("clock") == std::string::npos);
}

TEST_CASE("who comes back gets what a session without a place in the cursor "
          "has done since") {
  away_session session;
  session.away = false;
  session.act("2000-01-01", "old");
  session.act("9999-01-01", "new");
  listing_server server{session.f,
                        [](const find_live&) -> caf::result<live_list> {
                          return away_session::listed();
                        },
                        session.find()};
  http_client client{server.port()};
  begin_watch(client, "1700000000000");
  auto text = client.read_stream_until(std::string{demo_session} + "-2\n");
  CHECK(text.find("new") != std::string::npos);
  CHECK(text.find("old") == std::string::npos);
}

TEST_CASE("the end of a session that could not be asked is seen") {
  away_session session;
  std::atomic<bool> lives = true;
  listing_server server{
    session.f,
    [&](const find_live& what) -> caf::result<live_list> {
      const std::vector<std::string> named{std::string{demo_session}};
      return lives || what.also == named ? away_session::listed() : live_list{};
    },
    session.find()};
  http_client client{server.port()};
  begin_watch(client);
  lives = false;
  session.act("9999-01-01", "end", event_kind::session_ended);
  session.away = false;
  server.announce_news();
  client.read_stream_until("event: session.ended");
}

TEST_CASE("a cursor's time stays behind for a session that has no place in "
          "it") {
  away_session session;
  std::atomic<std::uint64_t> newest{0};
  listing_server server{session.f,
                        [&](const find_live& what) -> caf::result<live_list> {
                          auto result = away_session::listed();
                          result.last_event = newest;
                          if (what.events_after < result.last_event)
                            result.events.push_back({result.last_event,
                                                     "demo",
                                                     std::string{demo_session},
                                                     "review.started",
                                                     1'000,
                                                     {}});
                          return result;
                        },
                        session.find()};
  http_client client{server.port()};
  begin_watch(client);
  const std::string begun = client.read_stream_until(".p-0\n");
  newest = 1;
  server.announce_news();
  const std::string text = client.read_stream_until(".p-1\n");
  auto time_before = [](const std::string& in, const std::string& end) {
    auto to = in.find(end);
    auto from = in.rfind("id: ", to) + 4;
    return in.substr(from, to - from);
  };
  CHECK(time_before(text, ".p-1") == time_before(begun, ".p-0"));
}

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
