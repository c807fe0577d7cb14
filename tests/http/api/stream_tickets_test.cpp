// Tickets that let a browser into one stream of one session.
#include "tests/http/asking.hpp"
#include "tests/http/client.hpp"
#include "tests/http/stand_ins.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace greenroom;
using namespace greenroom::test;
using nlohmann::json;

namespace {

struct ticket_fixture : fixture {
  std::string ticket(std::string_view key = admin_secret) {
    auto answer = call(port(), "POST", session_path + "/stream-ticket", key);
    INFO(answer.body);
    REQUIRE(answer.status == 201);
    return json::parse(answer.body)["data"]["ticket"];
  }

  /// The head of an answer to a request without any key.
  http_answer open(const std::string& target, const std::string& more = {}) {
    http_client client{port()};
    client.send(request_text("GET", target, {}, {}, {}, more));
    return client.receive_head();
  }
};

const std::string elsewhere = "Origin: https://app.example.net\r\n";

} // namespace

TEST_CASE("a ticket opens one stream of events, for a page of any origin") {
  ticket_fixture f;
  auto reader = f.add_key({"sessions:read"});
  auto target =
    session_path + "/events?from=earliest&ticket=" + f.ticket(reader);
  auto head = f.open(target, elsewhere);
  CHECK(head.status == 200);
  CHECK(head.headers["access-control-allow-origin"] == "*");
  auto again = f.open(target, elsewhere);
  CHECK(again.status == 401);
  CHECK(again.headers["access-control-allow-origin"] == "*");
}

TEST_CASE("a stream that a ticket opened ends with the key") {
  ticket_fixture f;
  auto reader = f.add_key({"sessions:read"});
  http_client client{f.port()};
  client.send(
    request_text("GET", session_path + "/events?ticket=" + f.ticket(reader)));
  CHECK(client.receive_head().status == 200);
  auto revoked =
    call(f.port(), "DELETE", "/keys/" + f.last_key_id(), admin_secret);
  CHECK(revoked.status == 200);
  client.read_stream_to_end();
}

TEST_CASE("a ticket opens nothing but streams, and no other session's") {
  ticket_fixture f;
  auto with = "?ticket=" + f.ticket();
  CHECK(f.open(session_path + with).status == 401);
  CHECK(f.open("/events" + with).status == 401);
  CHECK(f.open("/whoami" + with).status == 401);
  CHECK(f.open(session_path + "/execs" + with, elsewhere).status == 403);
  auto other = "/projects/demo/sessions/" + std::string(20, 'b') + "/events";
  CHECK(f.open(other + with).status == 401);
  CHECK(call(f.port(), "POST", session_path + "/exec" + with).status == 401);
  // It was not spent on any of them.
  CHECK(f.open(session_path + "/events" + with).status == 200);
}

TEST_CASE("no key and no cookie counts beside a ticket") {
  ticket_fixture f;
  auto target = session_path + "/events?ticket=none";
  CHECK(call(f.port(), "GET", target, admin_secret).status == 401);
  CHECK(f.open(session_path + "/events?ticket=", elsewhere).status == 403);
}

TEST_CASE("a ticket may do what its key may") {
  ticket_fixture f;
  auto reader = f.add_key({"sessions:read"});
  auto tunnel = session_path + "/ports/3000/tunnel?ticket=";
  CHECK(f.open(tunnel + f.ticket(reader)).status == 403);
  CHECK(f.open(tunnel + f.ticket()).status != 403);
  CHECK(call(f.port(), "POST", session_path + "/stream-ticket").status == 401);
  auto metrics = f.add_key({"metrics:read"});
  CHECK(call(f.port(), "POST", session_path + "/stream-ticket", metrics).status
        == 403);
  auto missing = "/projects/demo/sessions/" + std::string(20, 'b');
  CHECK(call(f.port(), "POST", missing + "/stream-ticket", admin_secret).status
        == 404);
}
