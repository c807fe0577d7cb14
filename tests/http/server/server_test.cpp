// The edge as a client meets it: real sockets in front, stand-ins behind.
#include "runtime/base/version.hpp"
#include "tests/http/asking.hpp"
#include "tests/http/client.hpp"
#include "tests/http/stand_ins.hpp"

#include <caf/send.hpp>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>

using namespace greenroom;
using namespace greenroom::test;
using nlohmann::json;

namespace {

const std::string sessions_path = "/projects/demo/sessions";

/// The code and the message of an error.
std::string error_of(const http_answer& answer) {
  auto body = json::parse(answer.body);
  return body["error"]["code"].get<std::string>() + ": "
         + body["error"]["message"].get<std::string>();
}

} // namespace

TEST_CASE("an answer has the envelope and its headers") {
  fixture f;
  auto answer = get(f, session_path);
  CHECK(answer.status == 200);
  auto body = json::parse(answer.body);
  CHECK(body["data"]["id"] == demo_session);
  CHECK(body["meta"]["request_id"] == answer.headers["x-request-id"]);
  CHECK(body["meta"]["timestamp"].get<std::string>().back() == 'Z');
  CHECK(answer.headers["content-type"] == "application/json; charset=utf-8");
  CHECK(answer.headers["cache-control"] == "no-store");
  CHECK(answer.headers["x-content-type-options"] == "nosniff");
}

TEST_CASE("a sane request id is taken over, another is not") {
  fixture f;
  auto with_id = [&](const std::string& id) {
    http_client client{f.port()};
    client.send(request_text("GET", "/healthz", "", "", "",
                             "X-Request-Id: " + id + "\r\n"));
    auto answer = client.receive();
    CHECK(json::parse(answer.body)["meta"]["request_id"]
          == answer.headers["x-request-id"]);
    return answer.headers["x-request-id"];
  };
  CHECK(with_id("mine-1") == "mine-1");
  CHECK(with_id("a\"b\\c") == "a\"b\\c");
  CHECK(with_id("a b") != "a b");
  CHECK(with_id(std::string(129, 'a')) != std::string(129, 'a'));
  CHECK(with_id("a b") != with_id("a b"));
}

TEST_CASE("a key is needed, and the answer says how to send it") {
  fixture f;
  auto none = call(f.port(), "GET", session_path);
  CHECK(none.status == 401);
  CHECK(none.headers["www-authenticate"].find("Bearer") == 0);
  CHECK(json::parse(none.body)["error"]["code"] == "UNAUTHORIZED");
  CHECK(call(f.port(), "GET", session_path, "wrong").status == 401);

  http_client client{f.port()};
  client.send(request_text("GET", session_path, "", "", "",
                           "X-API-Key: " + std::string{admin_secret} + "\r\n"));
  CHECK(client.receive().status == 200);
}

TEST_CASE("a key without the scope is told which scopes would do") {
  fixture f;
  auto reader = f.add_key({"sessions:read"});
  CHECK(call(f.port(), "GET", session_path, reader).status == 200);
  auto refused = call(f.port(), "POST", session_path + "/exec", reader, "{}");
  CHECK(refused.status == 403);
  CHECK(error_of(refused)
        == "FORBIDDEN: the API key needs one of the scopes sessions:execute, "
           "projects:execute, admin");
  CHECK(call(f.port(), "DELETE", session_path, reader).status == 403);
  CHECK(call(f.port(), "GET", "/projects", reader).status == 403);
}

TEST_CASE("a key that has expired is unknown") {
  fixture f;
  auto brief = f.add_key({"admin"}, {}, now_ms() + 50);
  fixture::wait_until(
    [&] { return call(f.port(), "GET", session_path, brief).status == 401; });
}

TEST_CASE("to a key that is limited to projects there are no others") {
  fixture f;
  auto limited = f.add_key({"admin"}, {"other"});
  CHECK(error_of(call(f.port(), "GET", session_path, limited))
        == "NOT_FOUND: session not found");
  CHECK(error_of(call(f.port(), "GET", sessions_path, limited))
        == "NOT_FOUND: project not found");
  CHECK(error_of(call(f.port(), "GET", "/projects/demo", limited))
        == "NOT_FOUND: project not found");
  CHECK(call(f.port(), "GET", "/projects/other", limited).status == 200);
  auto list = json::parse(call(f.port(), "GET", "/projects", limited).body);
  REQUIRE(list["data"]["projects"].size() == 1);
  CHECK(list["data"]["projects"][0]["id"] == "other");
  CHECK(call(f.port(), "GET", "/keys", limited).status == 403);
  CHECK(call(f.port(), "POST", "/keys", limited,
             R"({"name":"x","scopes":["admin"]})")
          .status
        == 403);
  CHECK(call(f.port(), "POST", "/projects", limited,
             R"({"id":"new","repo":"/new.git"})")
          .status
        == 403);
}

TEST_CASE("unknown routes, methods and ids are refused in their order") {
  fixture f;
  CHECK(call(f.port(), "GET", "/nope").status == 404);
  auto wrong_method = call(f.port(), "PUT", session_path);
  CHECK(wrong_method.status == 405);
  CHECK(wrong_method.headers["allow"] == "GET, HEAD, DELETE");
  CHECK(error_of(get(f, "/projects/Bad!/sessions"))
        == "BAD_REQUEST: invalid project id");
  CHECK(error_of(get(f, "/projects/-a/sessions"))
        == "BAD_REQUEST: invalid project id");
  CHECK(error_of(get(f, "/projects/none/sessions"))
        == "NOT_FOUND: project not found");
  CHECK(error_of(get(f, sessions_path + "/short"))
        == "NOT_FOUND: session not found");
  CHECK(error_of(get(f, sessions_path + "/" + std::string(20, 'z')))
        == "NOT_FOUND: session not found");
  CHECK(error_of(get(f, session_path + "/execs/bad!id"))
        == "NOT_FOUND: exec not found");
  CHECK(error_of(get(f, session_path + "/execs/e2"))
        == "NOT_FOUND: exec not found");
}

TEST_CASE("a query parameter that the route does not know is refused") {
  fixture f;
  CHECK(error_of(get(f, sessions_path + "?state=active&limit=5"))
        == "BAD_REQUEST: unknown query parameter \"state\": this route takes "
           "status, feature_slug, created_by, label, limit, cursor");
  CHECK(error_of(get(f, session_path + "?x"))
        == "BAD_REQUEST: unknown query parameter \"x\": this route takes none");
  CHECK(error_of(get(f, sessions_path + "?limit%2Ccursor=1"))
        == "BAD_REQUEST: unknown query parameter \"limit,cursor\": this route "
           "takes status, feature_slug, created_by, label, limit, cursor");
  CHECK(get(f, sessions_path + "?limit=5&&").status == 200);
  CHECK(get(f, sessions_path + "/?limit=5").status == 200);
  // Who may not use the route learns nothing of its parameters.
  CHECK(call(f.port(), "GET", sessions_path + "?state=active").status == 401);
}

TEST_CASE("an error says what would help, and where a body is malformed") {
  fixture f;
  auto details_of = [](const http_answer& answer) {
    return json::parse(answer.body)["error"]["details"];
  };
  auto missing = get(f, "/projects/none/sessions");
  CHECK(details_of(missing)["retryable"] == false);
  CHECK(
    details_of(missing)["remediation"].get<std::string>().find("GET /projects")
    == 0);
  auto broken = post(f, sessions_path, "{\n  \"branch\": oops}");
  CHECK(error_of(broken) == "BAD_REQUEST: invalid request body");
  CHECK(details_of(broken)["position"] == json{{"line", 2}, {"column", 13}});
  CHECK(details_of(broken)["retryable"] == false);
  auto deep = post(f, sessions_path, "[]");
  CHECK(error_of(deep) == "BAD_REQUEST: invalid request body");
  CHECK_FALSE(details_of(deep).contains("position"));
  auto page = call(f.port(), "GET", "/docs/errors");
  CHECK(page.headers["content-type"] == "text/markdown; charset=utf-8");
  CHECK(page.body.find("## IDEMPOTENCY_KEY_REUSED") != page.body.npos);
}

TEST_CASE("an answer's text ends with its line") {
  fixture f;
  for (auto target :
       {session_path, std::string{"/healthz"}, std::string{"/nope"}}) {
    auto body = get(f, target).body;
    CHECK(body.ends_with("}}\n"));
    CHECK(std::count(body.begin(), body.end(), '\n') == 1);
  }
}

TEST_CASE("a key asks what it is") {
  fixture f;
  auto key = f.add_key({"sessions:read"}, {"demo"});
  auto me = json::parse(call(f.port(), "GET", "/whoami", key).body)["data"];
  CHECK(me["id"] == f.last_key_id());
  CHECK(me["scopes"] == json{"sessions:read"});
  CHECK(me["projects"] == json{"demo"});
  CHECK_FALSE(me.contains("key"));
  CHECK(json::parse(get(f, "/whoami").body)["data"]["id"] == "admin");
  CHECK(call(f.port(), "GET", "/whoami").status == 401);
}

TEST_CASE("a session that is cached for one project is no other project's") {
  fixture f;
  CHECK(get(f, session_path).status == 200);
  CHECK(
    error_of(get(f, "/projects/other/sessions/" + std::string{demo_session}))
    == "NOT_FOUND: session not found");
}

TEST_CASE("hostile paths are harmless") {
  fixture f;
  for (auto& part : {std::string{".."}, std::string{"%2e%2e"},
                     std::string{"%00"}, std::string{"%ff"}, std::string{"%2F"},
                     std::string{"%"}, std::string(5000, 'a'),
                     std::string{"a%0d%0ax"}, std::string{"'\"<>"}}) {
    for (auto& path :
         {"/projects/" + part + "/sessions", sessions_path + "/" + part,
          session_path + "/execs/" + part, "/keys/" + part, "/" + part}) {
      CAPTURE(path);
      auto status = call(f.port(), "DELETE", path, admin_secret).status;
      CHECK((status >= 400 && status < 500));
    }
  }
  CHECK(get(f, session_path).status == 200);
}

TEST_CASE("what is no request that is served is told so, and nothing else") {
  fixture f;
  const std::string much(100'000, 'a');
  const std::pair<std::string, int> cases[]{
    {"\x16\x03\x01garbage\r\n\r\n", 400},
    {much, 400},
    {"GET /" + much + " HTTP/1.1\r\n\r\n", 414},
    {"GET / HTTP/1.1\r\nX: " + much + "\r\n\r\n", 431},
    {"GET / HTTP/1.1\r\n" + much.substr(0, 5'000) + ": y\r\n\r\n", 431},
    {"BREW / HTTP/1.1\r\n\r\n", 501},
    {"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"
     "\r\n",
     400}};
  for (auto& [bytes, status] : cases) {
    http_client client{f.port()};
    client.send(bytes);
    auto answer = client.receive();
    CHECK(answer.status == status);
    CHECK(answer.headers["connection"] == "close");
    CHECK(answer.headers["x-request-id"] != "");
    CHECK(client.is_closed());
  }
  CHECK(get(f, session_path).status == 200);
}

TEST_CASE("a stranger's body is refused by its head, and never kept") {
  fixture f;
  for (std::string body :
       {"Content-Length: 500000\r\n", "Transfer-Encoding: chunked\r\n"}) {
    http_client client{f.port()};
    client.send("POST " + session_path
                + "/exec HTTP/1.1\r\nHost: localhost\r\n"
                  "X-Request-Id: mine\r\n"
                + body + "\r\n");
    auto answer = client.receive();
    CHECK(answer.status == 401);
    CHECK(answer.headers["x-request-id"] == "mine");
    CHECK(answer.headers["www-authenticate"] != "");
    CHECK(client.is_closed());
  }
}

TEST_CASE("a body must be JSON, small enough, and say what it is") {
  fixture f{[](http::options& o) { o.max_body = 1000; }};
  auto large = "{\"command\":\"" + std::string(1000, 'x') + "\"}";
  CHECK(post(f, session_path + "/exec", large).status == 413);
  CHECK(error_of(post(f, session_path + "/exec", large)).find("BODY_TOO_LARGE")
        == 0);
  auto typed = [&](std::string_view type) {
    return call(f.port(), "POST", session_path + "/exec", admin_secret,
                R"({"command":"true"})", type)
      .status;
  };
  CHECK(typed("application/json; charset=utf-8") == 202);
  CHECK(typed("text/plain") == 415);
  CHECK(typed("") == 415);
  for (auto body : {"{", "[]", "{\"command\":\"\xff\"}"})
    CHECK(error_of(post(f, session_path + "/exec", body))
          == "BAD_REQUEST: invalid request body");
  CHECK(error_of(post(f, session_path + "/exec", R"({"bogus":1})"))
        == "BAD_REQUEST: unknown field \"bogus\"");
  auto deep = "{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}";
  CHECK(error_of(post(f, session_path + "/exec", deep))
        == "BAD_REQUEST: invalid request body");
}

TEST_CASE("HEAD answers as GET does, without the body") {
  fixture f;
  auto answer = call(f.port(), "HEAD", session_path, admin_secret);
  CHECK(answer.status == 200);
  CHECK(std::stoi(answer.headers["content-length"]) > 50);
  CHECK(call(f.port(), "HEAD", "/nope").status == 404);
  auto stream = call(f.port(), "HEAD", session_path + "/events", admin_secret);
  CHECK(stream.status == 200);
  CHECK(stream.headers["content-type"] == "text/event-stream");
  // The connection stays in order.
  http_client client{f.port()};
  client.send(request_text("HEAD", session_path, admin_secret)
              + request_text("GET", "/healthz"));
  CHECK(client.receive(true).status == 200);
  CHECK(client.receive().body.find("ok") != std::string::npos);
}

TEST_CASE("pipelined requests are answered in their order") {
  fixture f;
  http_client client{f.port()};
  std::string all;
  for (int i = 0; i < 50; ++i)
    all +=
      request_text("GET", i % 2 == 0 ? session_path : "/healthz", admin_secret,
                   "", "", "X-Request-Id: n" + std::to_string(i) + "\r\n");
  client.send(all);
  for (int i = 0; i < 50; ++i)
    CHECK(client.receive().headers["x-request-id"] == "n" + std::to_string(i));
}

TEST_CASE("a client that waits for 100 Continue gets it") {
  fixture f;
  http_client client{f.port()};
  const std::string body = R"({"command":"true"})";
  auto text = request_text("POST", session_path + "/exec", admin_secret, body,
                           "application/json", "Expect: 100-continue\r\n");
  client.send(text.substr(0, text.size() - body.size()));
  CHECK(client.receive_head().status == 100);
  client.send(body);
  CHECK(client.receive().status == 202);
}

TEST_CASE("a request that no actor answers is over at its deadline") {
  using namespace std::chrono;
  fixture f{[](http::options& o) { o.look_up = milliseconds{150}; }};
  f.script->silent = true;
  auto began = steady_clock::now();
  auto answer = get(f, session_path);
  CHECK(answer.status == 504);
  CHECK(error_of(answer).find("TIMEOUT") == 0);
  // And not at that of the request itself.
  CHECK(steady_clock::now() - began < http::options{}.ordinary);
  f.script->silent = false;
  fixture::wait_until([&] { return get(f, session_path).status == 200; });
}

TEST_CASE("requests beyond the bound are refused as overload") {
  fixture f{[](http::options& o) { o.max_in_flight = 2; }};
  REQUIRE(get(f, session_path).status == 200);
  f.script->silent = true;
  http_client first{f.port()};
  http_client second{f.port()};
  for (auto* client : {&first, &second})
    client->send(request_text("POST", session_path + "/exec", admin_secret,
                              R"({"command":"true"})"));
  fixture::wait_until([&] {
    std::lock_guard lock{f.script->guard};
    return f.script->execs.size() == 2;
  });
  auto answer = get(f, session_path);
  CHECK(answer.status == 503);
  CHECK(answer.headers["retry-after"] == "1");
  CHECK(error_of(answer).find("OVERLOADED") == 0);
  CHECK(call(f.port(), "GET", "/healthz").status == 200);
}

TEST_CASE("a cached session that went down is looked up again") {
  fixture f;
  REQUIRE(get(f, session_path).status == 200);
  REQUIRE(get(f, session_path).status == 200);
  CHECK(f.script->look_ups == 1);
  auto old = f.session;
  f.make_session();
  caf::anon_send(old, quit_now{});
  fixture::wait_until([&] {
    CHECK(get(f, session_path).status == 200);
    return f.script->look_ups == 2;
  });
}

TEST_CASE("a read whose session goes down meanwhile asks the next one") {
  fixture f;
  REQUIRE(get(f, session_path).status == 200);
  f.script->silent = true;
  http_client client{f.port()};
  client.send(request_text("GET", session_path, admin_secret));
  http_client other{f.port()};
  other.send(request_text("POST", session_path + "/exec", admin_secret,
                          R"({"command":"true"})"));
  fixture::wait_until([&] {
    std::lock_guard lock{f.script->guard};
    return f.script->execs.size() == 1;
  });
  f.script->silent = false;
  auto old = f.session;
  f.make_session();
  caf::anon_send(old, quit_now{});
  CHECK(client.receive().status == 200);
  // What may have happened is not done again.
  auto refused = other.receive();
  CHECK(refused.status == 503);
  CHECK(error_of(refused).find("UNAVAILABLE") == 0);
  CHECK(refused.headers.count("retry-after") == 1);
}

TEST_CASE("a change that a sleeping session never saw goes to its next actor") {
  fixture f;
  for (int i = 0; i < 20; ++i) {
    REQUIRE(get(f, session_path).status == 200);
    auto old = f.session;
    f.make_session();
    caf::anon_send(old, quit_now{});
    CHECK(post(f, session_path + "/exec", R"({"command":"true"})").status
          == 202);
  }
  CHECK(f.script->execs.size() == 20);
}

TEST_CASE("a create is checked in the order of the contract") {
  fixture f;
  auto refusal = [&](const std::string& body) {
    auto answer = post(f, sessions_path, body);
    CHECK(answer.status == 400);
    return json::parse(answer.body)["error"]["message"].get<std::string>();
  };
  CHECK(refusal("") == "invalid request body");
  CHECK(refusal("{}") == "branch or new_branch is required");
  CHECK(refusal(R"({"expires_in":"x"})") == "branch or new_branch is required");
  CHECK(refusal(R"({"branch":"a","new_branch":"b","expires_in":"x"})")
        == "specify either branch or new_branch, not both");
  CHECK(refusal(R"({"branch":"-a","expires_in":"x"})").find("branch ") == 0);
  CHECK(refusal(R"({"new_branch":"a..b"})").find("new_branch ") == 0);
  CHECK(refusal(R"({"new_branch":"a","from_ref":"--x"})").find("from_ref ")
        == 0);
  CHECK(refusal(R"({"branch":"a","from_ref":"b"})")
        == "from_ref needs new_branch");
  for (auto bad : {"x", "0s", "-1h", "31d", "0d", "", "1.5d"})
    CHECK(refusal(R"({"branch":"a","expires_in":")" + std::string{bad} + "\"}")
          == "expires_in must be a valid duration (e.g., 24h, 7d)");
  CHECK(refusal(R"({"branch":"a","expires_in":"721h"})")
        == "expires_in cannot exceed 30 days");
  CHECK(refusal(R"({"branch":"a","preview_port":0})")
        == "preview_port must be a whole number from 1 to 65535");
  CHECK(refusal(R"({"branch":"a","preview_port":"80"})")
        == "preview_port must be a whole number from 1 to 65535");
  CHECK(refusal(R"({"branch":"a","on_expire":"x"})")
        == "on_expire must be rescue or checkin");
  CHECK(refusal(R"({"branch":1})") == "branch must be a string");
  CHECK(refusal(R"({"branch":"a","labels":{"x":1}})")
        == "labels must be an object with string values");
  CHECK(refusal(R"({"branch":"a","x":1})") == "unknown field \"x\"");
  CHECK(f.script->creates.empty());
}

TEST_CASE("a create is passed on and its answer has the creation's fields") {
  fixture f;
  auto answer = post(f, sessions_path,
                     R"({"new_branch":"topic","from_ref":"v1","labels":{"a":)"
                     R"("b"},"expires_in":"7d","on_expire":"checkin",)"
                     R"("preview_port":3000,"feature_slug":"s"})");
  CHECK(answer.status == 201);
  auto data = json::parse(answer.body)["data"];
  CHECK(data["id"] == demo_session);
  CHECK(data["status"] == "active");
  CHECK(data["branch"] == "topic");
  CHECK(data["auth_clone_url"].get<std::string>().find("gr_token_1")
        != std::string::npos);
  CHECK(data["instructions"].get<std::string>().find(demo_session)
        != std::string::npos);
  auto& sent = f.script->creates.at(0);
  CHECK(sent.by.key_id == "admin");
  CHECK(sent.new_branch == "topic");
  CHECK(sent.from_ref == "v1");
  CHECK(sent.expires_in == 7LL * 24 * 3600 * 1000);
  CHECK(sent.expiry == on_expire::checkin);
  CHECK(sent.preview_port == 3000);
  CHECK(sent.labels == string_map{{"a", "b"}});
  REQUIRE(post(f, sessions_path, R"({"branch":"a"})").status == 201);
  CHECK(f.script->creates.at(1).expires_in == 24 * 3600 * 1000);
}

TEST_CASE("an actor's refusal becomes the answer") {
  fixture f;
  auto answer = post(f, sessions_path, R"({"branch":"held"})");
  CHECK(answer.status == 409);
  CHECK(error_of(answer)
        == "CHECKOUT_EXISTS: active checkout already exists for this branch");
}

TEST_CASE("sessions are listed with their filters") {
  fixture f;
  auto all = json::parse(get(f, sessions_path).body)["data"];
  CHECK(all["sessions"].size() == 2);
  CHECK(all["next_cursor"] == "more");
  auto page =
    json::parse(get(f, sessions_path + "?limit=5&status=active").body);
  CHECK(page["data"]["sessions"].size() == 5);
  CHECK(get(f, sessions_path + "?limit=0").status == 400);
  CHECK(get(f, sessions_path + "?status=x").status == 400);
  CHECK(get(f, sessions_path + "?cursor=bad").status == 400);
}

TEST_CASE("a check-in takes what is no JSON object for its defaults") {
  fixture f;
  auto path = session_path + "/checkin";
  for (auto body : {"", "{", "[]", "null", "{}"}) {
    CAPTURE(body);
    CHECK(post(f, path, body).status == 200);
  }
  CHECK(call(f.port(), "POST", path, admin_secret, "a=b",
             "application/x-www-form-urlencoded")
          .status
        == 200);
  CHECK(f.script->checkins.size() == 6);
  auto answer =
    post(f, path, R"({"skip_review":true,"commit_message":"Done"})");
  auto data = json::parse(answer.body)["data"];
  CHECK(data["session_id"] == demo_session);
  CHECK(data["status"] == "ended");
  CHECK(data["message"] == "Session ended. Preview removed, token revoked.");
  CHECK(data["merge"]["status"] == "not_requested");
  CHECK(data["branch"] == "topic");
  CHECK(f.script->checkins.back().commit_message == "Done");
  CHECK(f.script->checkins.back().skip_review);
  CHECK(error_of(post(f, path, R"({"x":1})"))
        == "BAD_REQUEST: unknown field \"x\"");
  CHECK(error_of(post(f, path, R"({"skip_review":"yes"})"))
        == "BAD_REQUEST: skip_review must be true or false");
}

TEST_CASE("a session is extended and terminated") {
  fixture f;
  auto extended = post(f, session_path + "/extend", R"({"expires_in":"1h"})");
  CHECK(json::parse(extended.body)["data"]["extended"] == 3600 * 1000);
  CHECK(error_of(post(f, session_path + "/extend", "{}"))
        == "BAD_REQUEST: expires_in must be a valid duration (e.g., 24h, 7d)");
  auto ended = call(f.port(), "DELETE", session_path, admin_secret);
  auto data = json::parse(ended.body)["data"];
  CHECK(data["status"] == "terminated");
  CHECK(data["id"] == demo_session);
  CHECK(data["message"]
        == "Session force-terminated. Preview removed, token revoked.");
  CHECK(data["rescue_refs"]
        == json{{{"ref", "refs/greenroom/rescue/x/tree"},
                 {"commit", "c1"},
                 {"holds", "files"}}});
  // The stand-in's session is made by no key that there is.
  CHECK(post(f, session_path + "/discard", "").status == 200);
  auto discarded = post(f, session_path + "/discard", "{}");
  CHECK(json::parse(discarded.body)["data"]["message"]
        == "Session discarded. Preview removed, token revoked.");
  auto other = f.add_key({"sessions:execute"});
  CHECK(error_of(call(f.port(), "POST", session_path + "/discard", other))
        == "FORBIDDEN: only the key that made a session may discard it");
  CHECK(post(f, session_path + "/discard", R"({"x":1})").status == 400);
}

TEST_CASE("an exec is checked and passed on") {
  fixture f;
  auto path = session_path + "/exec";
  auto refusal = [&](const std::string& body) {
    auto answer = post(f, path, body);
    CHECK(answer.status == 400);
    return json::parse(answer.body)["error"]["message"].get<std::string>();
  };
  CHECK(refusal("{}") == "command or argv is required");
  CHECK(refusal(R"({"command":"a","argv":["b"]})")
        == "specify either command or argv, not both");
  CHECK(refusal(R"({"command":""})") == "command must not be empty");
  CHECK(refusal(R"({"argv":[]})")
        == "argv must begin with the name of a program");
  CHECK(refusal(R"({"argv":[""]})")
        == "argv must begin with the name of a program");
  CHECK(refusal(R"({"argv":"ls"})") == "argv must be a list of strings");
  CHECK(refusal(R"({"command":"a","exec_id":"a b"})")
        == "exec_id must match ^[A-Za-z0-9_-]{1,64}$");
  CHECK(refusal(R"({"command":"a","exec_id":""})")
        == "exec_id must match ^[A-Za-z0-9_-]{1,64}$");
  CHECK(refusal(R"({"command":"a","cwd":"/etc"})")
        == "cwd must be relative to the checkout");
  for (auto cwd : {"..", "../x", "a/../../b", "a/.."})
    CHECK(refusal(R"({"command":"a","cwd":")" + std::string{cwd} + "\"}")
          == "cwd must not contain \"..\"");
  CHECK(refusal(R"({"command":"a","env":{"1A":"x"}})").find("env: \"1A\"")
        == 0);
  CHECK(refusal(R"({"command":"a","env":{"A=B":"x"}})").find("env: ") == 0);
  CHECK(refusal(R"({"command":"a\u0000b"})") == "command must not contain NUL");
  CHECK(refusal(R"({"command":"a","env":{"A":"\u0000"}})")
        == "env must not contain NUL");
  CHECK(refusal(R"({"command":"a","timeout":"soon"})")
        == "timeout must be a valid duration (e.g., 90s, 10m)");
  CHECK(refusal(R"({"command":"a","wait":"61s"})") == "wait cannot exceed 60s");
  CHECK(refusal(R"({"command":"a","wait":"-1s"})")
        == "wait must be a valid duration (e.g., 10s)");
  CHECK(f.script->execs.empty());

  CHECK(
    post(f, path, R"({"command":"true","wait":"0s","stdin":"closed"})").status
    == 202);
  auto waited = post(f, path,
                     R"({"argv":["ls","-l"],"exec_id":"mine","cwd":"a/b",)"
                     R"("env":{"A_1":"x"},"timeout":"90s","wait":"1s"})");
  CHECK(waited.status == 200);
  auto& sent = f.script->execs.at(1);
  CHECK(sent.by.key_id == "admin");
  CHECK(sent.spec.argv == std::vector<std::string>{"ls", "-l"});
  CHECK(sent.spec.exec_id == "mine");
  CHECK(sent.spec.cwd == "a/b");
  CHECK(sent.spec.env == string_map{{"A_1", "x"}});
  CHECK(sent.spec.timeout == 90'000);
  CHECK(sent.wait == 1000);
}

TEST_CASE("execs are listed, read and canceled") {
  fixture f;
  auto list = json::parse(get(f, session_path + "/execs").body)["data"];
  CHECK(list["execs"][0]["exec_id"] == "e1");
  CHECK(list["next_cursor"] == "more");
  CHECK(get(f, session_path + "/execs/e1").status == 200);
  CHECK(
    call(f.port(), "DELETE", session_path + "/execs/e1", admin_secret).status
    == 200);
}

TEST_CASE("the timeline goes on after its cursor") {
  fixture f;
  auto page = json::parse(
    get(f, session_path + "/timeline?cursor=3-17&limit=2").body)["data"];
  CHECK(page["events"] == json{17, 2});
  CHECK(page["next_cursor"] == "7");
  CHECK(get(f, session_path + "/timeline?cursor=17").status == 200);
  CHECK(get(f, session_path + "/timeline?cursor=x").status == 400);
  CHECK(error_of(get(f, session_path + "/timeline?types=nope"))
        == "BAD_REQUEST: types: unknown event \"nope\"");
}

TEST_CASE("projects are made, read, changed and deleted") {
  fixture f;
  const auto repo = (f.files.path() / "fresh.git").string();
  std::filesystem::create_directories(repo + "/objects");
  std::ofstream{repo + "/HEAD"} << "ref: refs/heads/main\n";
  auto made =
    post(f, "/projects", json{{"id", "fresh"}, {"repo", repo}}.dump());
  CHECK(made.status == 201);
  CHECK(json::parse(made.body)["data"]["status"] == "running");
  CHECK(get(f, "/projects/fresh").status == 200);
  CHECK(post(f, "/projects", R"({"id":"Bad","repo":"/x"})").status == 400);
  CHECK(post(f, "/projects", R"({"id":"x","repo":"/x","bogus":1})").status
        == 400);
  auto nowhere = "BAD_REQUEST: repo: there is no directory /no/such.git on the "
                 "server; name a repository of its, or a URL";
  CHECK(error_of(post(f, "/projects", R"({"id":"x","repo":"/no/such.git"})"))
        == nowhere);
  CHECK(error_of(call(f.port(), "PATCH", "/projects/demo", admin_secret,
                      R"({"repo":"/no/such.git"})"))
        == nowhere);
  CHECK(
    error_of(post(f, "/projects", R"({"id":"x","repo":"file:///no/such.git"})"))
    == nowhere);
  CHECK(error_of(post(f, "/projects", R"({"id":"x","repo":"/usr"})"))
        == "BAD_REQUEST: repo: /usr is no git repository; name one of the "
           "server, or a URL");
  for (auto other : {"shop.git", "./shop.git", "git@example.org:shop.git"}) {
    auto fault = "BAD_REQUEST: repo must be an absolute path or a file://, "
                 "http://, https:// or ssh:// URL";
    CHECK(
      error_of(post(f, "/projects", json{{"id", "x"}, {"repo", other}}.dump()))
      == fault);
    CHECK(error_of(call(f.port(), "PATCH", "/projects/demo", admin_secret,
                        json{{"repo", other}}.dump()))
          == fault);
  }
  auto stopped = call(f.port(), "PATCH", "/projects/demo", admin_secret,
                      R"({"status":"stopped"})");
  CHECK(json::parse(stopped.body)["data"]["status"] == "stopped");
  CHECK(call(f.port(), "DELETE", "/projects/demo", admin_secret).status == 200);
  CHECK(call(f.port(), "DELETE", "/projects/busy", admin_secret).status == 409);
  auto page = json::parse(get(f, "/projects?limit=2").body)["data"];
  CHECK(page["projects"].size() == 2);
  auto rest = json::parse(
    get(f, "/projects?limit=2&cursor=" + page["next_cursor"].get<std::string>())
      .body)["data"];
  CHECK(rest["projects"].size() == 1);
  CHECK_FALSE(rest.contains("next_cursor"));
  auto reader = f.add_key({"projects:read"});
  CHECK(call(f.port(), "GET", "/projects/demo", reader).status == 200);
  CHECK(call(f.port(), "DELETE", "/projects/demo", reader).status == 403);
}

TEST_CASE("keys are made, listed without secrets, and revoked") {
  fixture f;
  auto made = post(f, "/keys",
                   R"({"name":"ci","scopes":["sessions:read"],)"
                   R"("projects":["demo"],"expires_in":"90d"})");
  CHECK(made.status == 201);
  auto data = json::parse(made.body)["data"];
  CHECK(data["id"] == "k1");
  CHECK(data["key"] == "gr_secret");
  CHECK(made.body.find("never shown") == std::string::npos);
  auto list = json::parse(get(f, "/keys?limit=2").body)["data"];
  CHECK(list["keys"].size() == 2);
  CHECK(list["next_cursor"] == "k2");
  CHECK(error_of(post(f, "/keys", R"({"name":"x","scopes":["root"]})"))
        == "BAD_REQUEST: scopes: unknown scope \"root\", use sessions:read, "
           "sessions:execute, projects:read, projects:execute, metrics:read, "
           "admin");
  CHECK(post(f, "/keys", R"({"scopes":["admin"]})").status == 400);
  CHECK(post(f, "/keys", R"({"name":"x"})").status == 400);
  CHECK(error_of(post(f, "/keys",
                      R"({"name":"x","scopes":["admin"],)"
                      R"("projects":["demo","demmo"]})"))
        == "BAD_REQUEST: projects: there is no project \"demmo\"");
  CHECK(call(f.port(), "DELETE", "/keys/k1", admin_secret).status == 200);
  CHECK(f.script->revoked == std::vector<std::string>{"k1"});
}

TEST_CASE("the operator's routes need no key") {
  fixture f;
  CHECK(call(f.port(), "GET", "/healthz").status == 200);
  CHECK(call(f.port(), "GET", "/readyz").status == 200);
  f.ready = false;
  auto answer = call(f.port(), "GET", "/readyz");
  CHECK(answer.status == 503);
  CHECK(json::parse(answer.body)["error"]["details"]["reasons"][0]
        == "sessions are being reconciled");
  auto index = json::parse(call(f.port(), "GET", "/").body)["data"];
  CHECK(call(f.port(), "GET", index["openapi"].get<std::string>()).status
        == 200);
  CHECK(call(f.port(), "GET", index["errors"].get<std::string>()).status
        == 200);
  auto version = json::parse(call(f.port(), "GET", "/version").body);
  CHECK(version["data"]["version"] == greenroom::version());
  auto document = call(f.port(), "GET", "/openapi.json");
  CHECK(json::parse(document.body)["openapi"] == "3.1.0");
}

TEST_CASE("a port that is in use is a clear error, and several threads share "
          "one port") {
  fixture f{[](http::options& o) { o.threads = 2; }};
  for (int i = 0; i < 20; ++i)
    CHECK(call(f.port(), "GET", "/healthz").status == 200);
  auto fault = [&](const char* key, auto with) {
    const auto name = std::string{key};
    INFO(name);
    try {
      fixture second{with};
      FAIL("two servers have one port");
    } catch (const std::runtime_error& e) {
      CHECK(std::string{e.what()}
            == name + " 127.0.0.1:" + std::to_string(f.port())
                 + " is in use by another program; stop it or choose another "
                   "with --set "
                 + name + "=127.0.0.1:0");
    }
  };
  fault("http.listen", [&](http::options& o) { o.port = f.port(); });
  fault("preview.listen", [&](http::options& o) {
    o.preview_host = "127.0.0.1";
    o.preview_port = f.port();
  });
}

TEST_CASE("a server without descriptors serves again once there are some") {
  fixture f;
  REQUIRE(call(f.port(), "GET", "/healthz").status == 200);
  rlimit normal{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &normal) == 0);
  auto next = ::dup(0);
  ::close(next);
  {
    // One more for the client, none for the server.
    auto tight = normal;
    tight.rlim_cur = static_cast<rlim_t>(next) + 1;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
    http_client client{f.port()};
    client.send(request_text("GET", "/healthz"));
    auto silent = !client.has_answer(std::chrono::milliseconds{300});
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &normal) == 0);
    CHECK(silent);
  }
  fixture::wait_until([&] {
    try {
      return call(f.port(), "GET", "/healthz").status == 200;
    } catch (const std::exception&) {
      return false; // it waited where nobody accepted
    }
  });
}

TEST_CASE("WebSockets that have ended do not count as open connections") {
  fixture f{[](http::options& o) {
    o.threads = 1;
    o.max_connections = 4;
  }};
  {
    std::lock_guard lock{f.script->guard};
    f.script->running.insert("t");
    f.script->terminals.insert("t");
  }
  f.exec_dir("t");
  for (int i = 0; i < 4; ++i) {
    http_client client{f.port()};
    client.send(request_text(
      "GET", session_path + "/execs/t/attach", admin_secret, "", "",
      "Connection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
    REQUIRE(client.receive_head().status == 101);
  }
  auto open_now = [&] {
    auto page = get(f, "/metrics").body;
    auto at = page.find("\ngreenroom_http_connections");
    REQUIRE(at != page.npos);
    auto line = page.substr(at + 1, page.find('\n', at + 1) - at - 1);
    return std::stoi(line.substr(line.rfind(' ') + 1));
  };
  // The one that asks.
  fixture::wait_until([&] { return open_now() <= 1; });
}

TEST_CASE("clients that reset their connections at once use up no room") {
  fixture f{[](http::options& o) {
    o.threads = 1;
    o.max_connections = 8;
  }};
  for (int i = 0; i < 200; ++i) {
    auto fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(f.port());
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
    linger reset{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    ::close(fd);
  }
  for (int i = 0; i < 20; ++i)
    CHECK(call(f.port(), "GET", "/healthz").status == 200);
}

TEST_CASE("who finds all connections taken waits until there is room") {
  fixture f{[](http::options& o) {
    o.threads = 1;
    o.max_connections = 2;
  }};
  std::vector<std::unique_ptr<http_client>> taken;
  for (int i = 0; i < 2; ++i) {
    taken.push_back(std::make_unique<http_client>(f.port()));
    taken.back()->send(request_text("GET", "/healthz"));
    CHECK(taken.back()->receive().status == 200);
  }
  http_client waits{f.port()};
  waits.send(request_text("GET", "/healthz"));
  // Longer than it takes to find that nobody accepts any more.
  CHECK_FALSE(waits.has_answer(std::chrono::milliseconds{2500}));
  taken.clear();
  CHECK(waits.receive().status == 200);
}

TEST_CASE("a request without end is not read for ever") {
  fixture f{[](http::options& o) {
    o.threads = 1;
    o.max_body = 4096;
  }};
  http_client client{f.port()};
  client.send("POST /keys HTTP/1.1\r\nHost: localhost\r\nX-API-Key: "
              + std::string{admin_secret}
              + "\r\nTransfer-Encoding: chunked\r\n\r\n");
  std::string chunks;
  for (int i = 0; i < 4096; ++i)
    chunks += "1\r\nx\r\n";
  for (int i = 0; i < 100; ++i)
    client.send(chunks);
  // It is told why, unless what it sent last crosses the answer.
  REQUIRE(client.has_answer(std::chrono::minutes{1}));
  auto ended = false;
  http_answer answer;
  try {
    answer = client.receive();
  } catch (const std::exception&) {
    ended = true;
  }
  CHECK((ended || answer.status == 503));
  CHECK(call(f.port(), "GET", "/healthz").status == 200);
}

TEST_CASE("stopping answers what waits and ends at its limit") {
  using namespace std::chrono;
  fixture f;
  f.script->silent = true;
  http_client client{f.port()};
  client.send(request_text("POST", session_path + "/exec", admin_secret,
                           R"({"command":"true"})"));
  fixture::wait_until([&] {
    std::lock_guard lock{f.script->guard};
    return f.script->execs.size() == 1;
  });
  auto began = steady_clock::now();
  f.server->stop(milliseconds{200});
  CHECK(steady_clock::now() - began < seconds{20}); // the request has 30
  CHECK(client.receive().status == 503);
}
