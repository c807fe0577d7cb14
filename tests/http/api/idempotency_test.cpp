// Requests that are sent again with the same Idempotency-Key.
#include "messages/uncertain.hpp"
#include "messages/webhooks.hpp"
#include "tests/http/asking.hpp"
#include "tests/http/client.hpp"
#include "tests/http/stand_ins.hpp"

#include <caf/actor_cast.hpp>
#include <caf/event_based_actor.hpp>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <memory>

using namespace greenroom;
using namespace greenroom::test;
using nlohmann::json;

namespace {

const std::string sessions = "/projects/demo/sessions";
const std::string one = sessions + "/" + std::string{demo_session};

http_answer post(const fixture& f, const std::string& target,
                 const std::string& name, const std::string& body,
                 std::string_view key = admin_secret) {
  http_client client{f.port()};
  client.send(request_text("POST", target, key, body, "application/json",
                           "Idempotency-Key: " + name + "\r\n"));
  return client.receive();
}

} // namespace

TEST_CASE("a repeated request has one effect and the same answer") {
  fixture f;
  auto first = post(f, one + "/exec", "a", R"({"command":"make"})");
  auto second = post(f, one + "/exec", "a", R"({"command":"make"})");
  CHECK(first.status == 202);
  CHECK(second.status == 202);
  CHECK(data_of(first) == data_of(second));
  CHECK(second.headers["idempotency-replayed"] == "true");
  CHECK(first.headers.count("idempotency-replayed") == 0);
  CHECK(json::parse(second.body)["meta"]["request_id"]
        == second.headers["x-request-id"]);
  std::lock_guard lock{f.script->guard};
  CHECK(f.script->execs.size() == 1);
  // The exec has the id that was written down before it was asked for.
  CHECK(f.script->execs[0].spec.exec_id
        == f.script->requests.begin()->second.begun.planned_id);
}

TEST_CASE("a refusal is repeated too") {
  fixture f;
  auto first = post(f, sessions, "a", R"({"branch":"held"})");
  auto second = post(f, sessions, "a", R"({"branch":"held"})");
  CHECK(first.status == 409);
  CHECK(second.status == 409);
  CHECK(message_of(second) == message_of(first));
  CHECK(f.script->creates.size() == 1);
}

TEST_CASE("a name that stands for another request is refused") {
  fixture f;
  post(f, one + "/exec", "a", R"({"command":"make"})");
  for (auto body : {R"({"command":"make all"})", R"({"argv":["make"]})"}) {
    auto other = post(f, one + "/exec", "a", body);
    CHECK(other.status == 409);
    CHECK(json::parse(other.body)["error"]["code"] == "IDEMPOTENCY_KEY_REUSED");
  }
  CHECK(f.script->execs.size() == 1);
}

TEST_CASE("names of one key are not those of another") {
  fixture f;
  auto other = f.add_key({"sessions:execute"});
  post(f, one + "/exec", "a", R"({"command":"x"})");
  CHECK(post(f, one + "/exec", "a", R"({"command":"y"})", other).status == 202);
}

TEST_CASE("a request that is being served is not served twice") {
  fixture f;
  f.script->silent = true;
  http_client waiting{f.port()};
  waiting.send(request_text("POST", one + "/exec", admin_secret,
                            R"({"command":"x"})", "application/json",
                            "Idempotency-Key: a\r\n"));
  fixture::wait_until([&] {
    std::lock_guard lock{f.script->guard};
    return f.script->execs.size() == 1;
  });
  auto busy = post(f, one + "/exec", "a", R"({"command":"x"})");
  CHECK(busy.status == 409);
  CHECK(json::parse(busy.body)["error"]["code"] == "CONFLICT");
  CHECK(busy.headers["retry-after"] == "1");
}

TEST_CASE("what a crash cut short is served again with the same id") {
  fixture f;
  f.script->silent = true;
  {
    http_client waiting{f.port()};
    waiting.send(request_text("POST", one + "/exec", admin_secret,
                              R"({"command":"x"})", "application/json",
                              "Idempotency-Key: a\r\n"));
    fixture::wait_until([&] {
      std::lock_guard lock{f.script->guard};
      return f.script->execs.size() == 1;
    });
  }
  f.script->silent = false;
  f.script->crashed = true;
  CHECK(post(f, one + "/exec", "a", R"({"command":"x"})").status == 202);
  REQUIRE(f.script->execs.size() == 2);
  CHECK(f.script->execs[0].spec.exec_id == f.script->execs[1].spec.exec_id);
}

TEST_CASE("a repetition has its input with it, also where that stays open") {
  fixture f;
  const std::string body = R"({"command":"x","stdin":"open","stdin_text":"y"})";
  f.script->full = true;
  CHECK(post(f, one + "/exec", "a", body).status == 503);
  f.script->full = false;
  f.script->crashed = true;
  CHECK(post(f, one + "/exec", "a", body).status == 202);
  REQUIRE(f.script->fed.size() == 2);
  CHECK(f.script->fed[1].input.view() == "y");
  CHECK(f.script->fed[0].spec.exec_id == f.script->fed[1].spec.exec_id);
  // A node of an older release would feed it twice.
  f.script->outdated = true;
  f.script->full = true;
  CHECK(post(f, one + "/exec", "b", body).status == 503);
  f.script->full = false;
  CHECK(post(f, one + "/exec", "b", body).status == 202);
  std::lock_guard lock{f.script->guard};
  CHECK(f.script->inputs.size() == 1);
}

TEST_CASE("a body that is no JSON is told where, with a key as without") {
  fixture f;
  auto answer = post(f, one + "/exec", "a", "{\n  \"command\": oops}");
  CHECK(answer.status == 400);
  CHECK(json::parse(answer.body)["error"]["details"]["position"]
        == json{{"line", 2}, {"column", 14}});
}

TEST_CASE("a check-in whose answer was lost is asked about as a repetition") {
  fixture f;
  f.script->full = true;
  CHECK(post(f, one + "/checkin", "a", "{}").status == 503);
  f.script->full = false;
  f.script->crashed = true;
  CHECK(post(f, one + "/checkin", "a", "{}").status == 200);
  REQUIRE(f.script->checkins.size() == 2);
  CHECK_FALSE(f.script->checkins[0].repeat);
  CHECK(f.script->checkins[1].repeat);
}

TEST_CASE("a fault of the server is not kept, but the planned id is") {
  fixture f;
  auto failed = post(f, sessions, "a", R"({"branch":"busy"})");
  CHECK(failed.status == 503);
  auto made = post(f, sessions, "a", R"({"branch":"busy"})");
  CHECK(made.status == 201);
  REQUIRE(f.script->creates.size() == 2);
  CHECK(f.script->creates[0].session_id == f.script->creates[1].session_id);
  CHECK(data_of(made)["id"] == f.script->creates[0].session_id);
}

TEST_CASE("a create with webhooks that an older node does not know has done "
          "nothing") {
  fixture f{[](http::options&) {},
            [](http::server_parts& parts) {
              auto nobody = parts.system.spawn(
                [](caf::event_based_actor*, int) -> caf::behavior {
                  return {[](const list_webhooks&) { return webhook_list{}; }};
                },
                0);
              parts.webhooks = caf::actor_cast<webhooks_actor>(nobody);
            }};
  const std::string body =
    R"({"branch":"topic","webhooks":[{"url":"https://example.org/"}]})";
  f.script->outdated = true;
  auto answer = post(f, sessions, "a", body);
  CHECK(answer.status == 503);
  CHECK_THAT(answer.body, Catch::Contains("older release"));
  // Without any it is served there, too.
  CHECK(post(f, sessions, "b", R"({"branch":"other"})").status == 201);
  f.script->outdated = false;
  answer = post(f, sessions, "a", body);
  CHECK(answer.status == 201);
  // It is no repetition, whose secrets would be asked for anew.
  CHECK(data_of(answer)["webhooks"][0]["secret"].get<std::string>().starts_with(
    "whsec_"));
}

TEST_CASE("a repeated create gives the same session and a new token") {
  fixture f;
  auto first = post(f, sessions, "a", R"({"branch":"topic"})");
  auto second = post(f, sessions, "a", R"({"branch":"topic"})");
  CHECK(first.status == 201);
  CHECK(second.status == 201);
  CHECK(data_of(first)["id"] == data_of(second)["id"]);
  auto url = data_of(first)["auth_clone_url"].get<std::string>();
  CHECK(url.find("gr_token_1") != std::string::npos);
  CHECK(data_of(second)["auth_clone_url"].get<std::string>().find("gr_token_2")
        != std::string::npos);
  for (auto& [name, row] : f.script->requests)
    CHECK(row.finished.body.find("gr_token") == std::string::npos);
}

TEST_CASE("a repeated key has no secret, and says so") {
  fixture f;
  std::string body = R"({"name":"ci","scopes":["sessions:read"]})";
  auto first = post(f, "/keys", "a", body);
  auto second = post(f, "/keys", "a", body);
  CHECK(first.status == 201);
  CHECK(data_of(first)["key"] == "gr_secret");
  CHECK(second.status == 201);
  CHECK(data_of(second)["id"] == data_of(first)["id"]);
  CHECK_FALSE(data_of(second).contains("key"));
  CHECK(data_of(second)["key_note"].get<std::string>().find("once")
        != std::string::npos);
  for (auto& [name, row] : f.script->requests)
    CHECK(row.finished.body.find("gr_secret") == std::string::npos);
}

TEST_CASE("a project whose first answer was lost is answered as made") {
  fixture f;
  f.script->full = true;
  const auto repo = f.files.path() / "new.git";
  std::filesystem::create_directories(repo / ".git");
  auto body = json{{"id", "new"}, {"repo", repo.string()}}.dump();
  CHECK(post(f, "/projects", "a", body).status == 503);
  f.script->full = false;
  f.script->crashed = true;
  CHECK(post(f, "/projects", "a", body).status == 201);
  CHECK(post(f, "/projects", "b", body).status == 409);
}

TEST_CASE("an answer that cannot be kept is not given") {
  fixture f;
  f.script->full = true;
  auto answer = post(f, one + "/exec", "a", R"({"command":"x"})");
  CHECK(answer.status == 503);
  CHECK(answer.body.find("same Idempotency-Key") != std::string::npos);
}

TEST_CASE("bytes whose first try is uncertain are not written again") {
  fixture f{
    [](http::options& o) { o.ordinary = std::chrono::milliseconds{2'000}; }};
  f.script->deaf = true;
  auto target = one + "/execs/e1/stdin";
  CHECK(post(f, target, "a", "yes\n").status == 504);
  f.script->deaf = false;
  CHECK(post(f, target, "a", "yes\n").status == 409);
  CHECK(f.script->inputs.size() == 1);
}

TEST_CASE("bytes that were refused are written when they come again") {
  fixture f;
  const auto target = one + "/execs/e1/stdin";
  // What a request with the name is answered once its first try is let go of.
  auto again = [&](const std::string& name) {
    http_answer answer;
    fixture::wait_until([&] {
      answer = post(f, target, name, "yes\n");
      return answer.body.find("being served right now") == std::string::npos;
    });
    return answer.status;
  };
  for (auto why : {errc::overloaded, errc::unavailable}) {
    const auto name = std::to_string(static_cast<int>(why));
    f.script->no_input = why;
    CHECK(post(f, target, name, "yes\n").status == 503);
    CHECK(again(name) == 503);
    f.script->no_input = errc{};
    CHECK(again(name) == 200);
    CHECK(again(name) == 200); // replayed
  }
  CHECK(f.script->inputs.size() == 2);
  // They may have been written by a node that has lost touch.
  f.script->why_no_input = std::string{effect_unknown};
  f.script->no_input = errc::unavailable;
  CHECK(post(f, target, "c", "yes\n").status == 503);
  f.script->no_input = errc{};
  CHECK(again("c") == 409);
  CHECK(f.script->inputs.size() == 2);
}

TEST_CASE("what came too often is served when it comes again") {
  fixture f{[](http::options& o) { o.creates_of_key = 1; }};
  CHECK(post(f, sessions, "a", R"({"branch":"topic"})").status == 201);
  auto refused = post(f, sessions, "b", R"({"branch":"topic"})");
  CHECK(refused.status == 429);
  CHECK(refused.headers.contains("retry-after"));
  fixture::wait_until([&] {
    std::lock_guard lock{f.script->guard};
    return f.script->requests.size() == 1;
  });
  CHECK(post(f, sessions, "a", R"({"branch":"topic"})").status == 201);
}

TEST_CASE("an Idempotency-Key must be short and visible") {
  fixture f;
  for (auto& name : {std::string{}, std::string(256, 'a'), std::string{"a b"},
                     std::string{"\xc3\xa4"}}) {
    auto answer = post(f, one + "/exec", name, R"({"command":"x"})");
    CHECK(answer.status == 400);
    CHECK(message_of(answer)
          == "Idempotency-Key must have 1-255 visible ASCII characters");
  }
  CHECK(
    post(f, one + "/exec", std::string(255, 'a'), R"({"command":"x"})").status
    == 202);
}
