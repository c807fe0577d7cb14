// All answers that go on, of every kind, where their key dies or the server
// stops: before they begin, and while they wait.
#include "messages/directory.hpp"
#include "messages/keys.hpp"
#include "messages/operations.hpp"
#include "runtime/base/fd.hpp"
#include "tests/http/client.hpp"
#include "tests/http/stand_ins.hpp"

#include <caf/actor_cast.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace greenroom;
using namespace greenroom::test;

namespace {

const std::string in_session =
  "/projects/demo/sessions/" + std::string{demo_session};

const std::string upgrade_fields =
  "Connection: Upgrade\r\nUpgrade: websocket\r\n"
  "Sec-WebSocket-Version: 13\r\n"
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A port on which somebody listens, and takes nobody.
class deaf_port {
public:
  deaf_port() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    auto* place = reinterpret_cast<sockaddr*>(&where);
    REQUIRE(::bind(socket_.get(), place, size) == 0);
    REQUIRE(::listen(socket_.get(), 64) == 0);
    REQUIRE(::getsockname(socket_.get(), place, &size) == 0);
    number = ntohs(where.sin_port);
  }
  std::uint16_t number = 0;

private:
  unique_fd socket_;
};

/// One kind, and how its answer begins while its key lives.
struct kind {
  std::string what; // the target
  int begins = 0;   // the status; 0: it waits, and says nothing so far
  std::string headers = {};
  std::string body = {}; // of a POST
};

std::vector<kind> all_kinds(std::uint16_t port) {
  const auto t = in_session + "/execs/t";
  std::vector<kind> result{
    {in_session + "/events", 200},
    {in_session + "/events?from=earliest", 200},
    {"/events", 200},
    {t + "/output?follow=true", 200},
    {t + "/attach", 101, upgrade_fields},
    {t + "/attach?from=0", 101, upgrade_fields},
    {in_session + "/ports/" + std::to_string(port) + "/tunnel", 101,
     upgrade_fields},
    {"/audit?format=jsonl", 0},
    {in_session + "/exec", 0, {}, R"({"command":"sleep 9","wait":"50s"})"},
  };
  for (auto until : {"exec:t:exited", "port:1", "ended", "review:finished"})
    result.push_back({in_session + "/wait?timeout=2m&until=" + until, 0});
  return result;
}

/// The other parts: who lists sessions, and reads the audit without an end.
void without_an_end(http::server_parts& parts) {
  auto operations = parts.system.spawn(
    [](caf::event_based_actor* self, int) -> caf::behavior {
      return {
        [](const find_live&) { return live_list{}; },
        [](const add_audit&) { return done{}; },
        [self](const query_audit&) { return self->make_response_promise(); }};
    },
    0);
  parts.operations = caf::actor_cast<operations_actor>(operations);
}

struct all_kinds_fixture : fixture {
  explicit all_kinds_fixture(
    const std::function<void(http::server_parts&)>& adapt = without_an_end)
    : fixture(
      [](http::options& o) {
        // Nothing of it ends by itself, however long it takes to begin all.
        o.heartbeat = o.look_up = o.ordinary = std::chrono::minutes{1};
      },
      adapt) {
    std::lock_guard lock{script->guard};
    script->running = {"t"};
    script->terminals = {"t"};
    exec_dir("t");
    script->silent = true;
  }

  std::unique_ptr<http_client> ask(const kind& what,
                                   const std::string& key) const {
    auto client = std::make_unique<http_client>(port());
    client->send(request_text(what.body.empty() ? "GET" : "POST", what.what,
                              key, what.body, "application/json",
                              what.headers));
    return client;
  }

  /// The key is dead to all threads, and still in the table: so it is to a
  /// request that was let in a moment before.
  void kill_behind_the_table(const std::string& key) {
    auto mark = ask({in_session + "/events", 200}, key);
    REQUIRE(mark->receive_head().status == 200);
    {
      std::lock_guard lock{script->guard};
      for (auto& edge : script->edges)
        caf::anon_send(edge, key_revoked{last_key_id()});
    }
    mark->read_stream_to_end();
  }
};

/// The end of one that had begun, by whatever tells it from a whole one.
void check_end(const kind& what, http_client& client) {
  INFO(what.what);
  if (what.begins == 0) {
    auto answer = client.receive();
    CHECK(answer.status == 401);
    CHECK_THAT(answer.body, Catch::Contains("meanwhile"));
  } else if (what.begins == 101) {
    CHECK(client.receive_bytes(1) == "\x88"); // a close frame
  } else if (what.what.find("/output") != std::string::npos) {
    CHECK(client.is_closed());
  } else {
    client.read_stream_to_end();
  }
}

} // namespace

TEST_CASE("what goes on is refused, once, where its key dies as it begins") {
  all_kinds_fixture f;
  deaf_port port;
  const auto key = f.add_key({"admin"});
  f.kill_behind_the_table(key);
  auto kinds = all_kinds(port.number);
  kinds.push_back({in_session + "/execs/t/output", 200});
  for (auto& what : kinds) {
    INFO(what.what);
    auto client = f.ask(what, key);
    auto answer = client->receive();
    CHECK(answer.status == 401);
    CHECK_THAT(answer.body, Catch::Contains("revoked meanwhile"));
    // Nothing follows but the answer to what is asked next; one that wanted to
    // be a WebSocket is asked nothing more.
    if (what.headers.empty()) {
      client->send(request_text("GET", "/healthz"));
      CHECK(client->receive().status == 200);
    }
  }
  CHECK(call(f.port(), "GET", "/healthz").status == 200);
}

TEST_CASE("all that goes on ends at once when its key is revoked") {
  all_kinds_fixture f;
  deaf_port port;
  const auto key = f.add_key({"admin"});
  std::vector<std::pair<kind, std::unique_ptr<http_client>>> all;
  for (auto& what : all_kinds(port.number)) {
    INFO(what.what);
    all.emplace_back(what, f.ask(what, key));
    if (what.begins != 0)
      CHECK(all.back().second->receive_head().status == what.begins);
    else
      CHECK_FALSE(all.back().second->has_answer(std::chrono::milliseconds{20}));
  }
  call(f.port(), "DELETE", "/keys/" + f.last_key_id(), admin_secret);
  for (auto& [what, client] : all)
    check_end(what, *client);
}

TEST_CASE("all that goes on ends when its key expires") {
  all_kinds_fixture f;
  deaf_port port;
  const auto key = f.add_key({"admin"}, {}, now_ms() + 15'000);
  std::vector<std::pair<kind, std::unique_ptr<http_client>>> all;
  for (auto& what : all_kinds(port.number)) {
    INFO(what.what);
    all.emplace_back(what, f.ask(what, key));
    if (what.begins != 0)
      CHECK(all.back().second->receive_head().status == what.begins);
  }
  for (auto& [what, client] : all)
    check_end(what, *client);
}

TEST_CASE("a command's answer with a dead key is given once") {
  all_kinds_fixture f;
  const auto key = f.add_key({"sessions:execute"});
  kind what{in_session + "/exec", 0, "Idempotency-Key: once\r\n",
            R"({"command":"true","wait":"50s"})"};
  auto client = f.ask(what, key);
  f.wait_until([&] {
    std::lock_guard lock{f.script->guard};
    return !f.script->execs.empty();
  });
  call(f.port(), "DELETE", "/keys/" + f.last_key_id(), admin_secret);
  check_end(what, *client);
  client->send(request_text("GET", "/healthz"));
  CHECK(client->receive().status == 200);
}

TEST_CASE(
  "what waits for its session while the server stops is answered once") {
  struct held {
    std::mutex guard;
    std::vector<caf::response_promise> look_ups;
  };
  auto all_held = std::make_shared<held>();
  caf::actor directory;
  all_kinds_fixture f{[&](http::server_parts& parts) {
    without_an_end(parts);
    directory = parts.system.spawn(
      [](caf::event_based_actor* self,
         std::shared_ptr<held> all) -> caf::behavior {
        return {[self, all](const find_session&) {
                  std::lock_guard lock{all->guard};
                  return all->look_ups.emplace_back(
                    self->make_response_promise());
                },
                [all](const session_actor& found) {
                  std::lock_guard lock{all->guard};
                  for (auto& one : all->look_ups)
                    one.deliver(found);
                  all->look_ups.clear();
                }};
      },
      all_held);
    parts.directory = caf::actor_cast<directory_actor>(directory);
  }};
  struct ender {
    const caf::actor& what;
    ~ender() {
      caf::anon_send_exit(what, caf::exit_reason::kill);
    }
  } at_end{directory};
  deaf_port port;
  std::vector<std::pair<kind, std::unique_ptr<http_client>>> all;
  for (auto& what : all_kinds(port.number))
    // A command may have begun; there is time left to hear of it.
    if (what.what.starts_with(in_session) && what.body.empty()
        && what.what.find("review") == std::string::npos)
      all.emplace_back(what, f.ask(what, std::string{admin_secret}));
  f.wait_until([&] {
    std::lock_guard lock{all_held->guard};
    return all_held->look_ups.size() == all.size();
  });
  http_client probe{f.port()}; // accepted before the server accepts no more
  probe.send(request_text("GET", "/healthz"));
  REQUIRE(probe.receive().status == 200);
  std::jthread stopper{[&] { f.server->stop(std::chrono::minutes{1}); }};
  int status = 200;
  while (status == 200) {
    probe.send(request_text("GET", "/healthz"));
    status = probe.receive().status;
  }
  CHECK(status == 503);
  caf::anon_send(directory, session_actor{f.session});
  for (auto& [what, client] : all) {
    INFO(what.what);
    CHECK(client->receive().status == 503);
  }
  stopper.join();
}
