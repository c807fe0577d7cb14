// Webhooks as their receivers see them: real requests over real sockets.
#include "runtime/webhooks/signature.hpp"
#include "tests/api/demo.hpp"
#include "tests/support/http_receiver.hpp"
#include "tests/support/sockets.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>

using namespace greenroom::test;
using Catch::Contains;
using Catch::StartsWith;

namespace {

const std::string hooks = "/projects/demo/webhooks";

node_options with_loopback(std::vector<std::string> more = {}) {
  node_options options{.sandboxed = false};
  options.set = {R"(webhooks.allow_networks=["127.0.0.0/8"])",
                 R"(webhooks.allow_networks_of_sessions=["127.0.0.0/8"])"};
  options.set.insert(options.set.end(), more.begin(), more.end());
  return options;
}

http_receiver::answering always(int status) {
  return
    [status](const received_request&) { return http_receiver::answer(status); };
}

json add(const node_process& node, const std::string& url,
         const json& more = json::object()) {
  json body{{"url", url}};
  body.update(more);
  return expect(201, node.admin().post(hooks, body)).data();
}

std::string path_of(const json& hook, const std::string& more = "") {
  return hooks + '/' + hook["id"].get<std::string>() + more;
}

json deliveries(const node_process& node, const json& hook,
                const std::string& query = "") {
  return expect(200, node.admin().get(path_of(hook, "/deliveries?" + query)))
    .data()["deliveries"];
}

/// The types that came, in their order; those that came again under their id
/// count once.
std::vector<std::string> types_in(const http_receiver& receiver) {
  std::vector<std::string> result;
  std::set<std::string> seen;
  for (auto& one : receiver.requests())
    if (seen.insert(one.headers.at("webhook-id")).second)
      result.push_back(json::parse(one.body)["type"]);
  return result;
}

using texts = std::vector<std::string>;

/// The same of those that came to one path.
texts sent_to(const http_receiver& receiver, const std::string& path) {
  texts result;
  std::set<std::string> seen;
  for (auto& one : receiver.requests())
    if (one.line == "POST " + path + " HTTP/1.1"
        && seen.insert(one.headers.at("webhook-id")).second)
      result.push_back(json::parse(one.body)["type"]);
  return result;
}

json create(const node_process& node, const std::string& branch,
            const json& webhooks) {
  return expect(201, node.admin().post(sessions, {{"new_branch", branch},
                                                  {"webhooks", webhooks}}))
    .data();
}

} // namespace

TEST_CASE("a session's life is told to its project's webhook, in order") {
  node_process node{with_loopback()};
  http_receiver receiver{always(200)};
  auto hook = add(node, receiver.url("/in?k=v"), {{"description", "ours"}});
  auto secret = hook["secret"].get<std::string>();
  CHECK(secret.starts_with("whsec_"));
  session_user session{node, json{{"new_branch", "work"}}};
  expect(200, session.post("/extend", {{"expires_in", "2h"}}));
  expect(200, session.checkin({{"skip_review", true}}));
  const texts expected{"session.created", "session.extended", "checkin.started",
                       "checkin.finished", "session.ended"};
  CHECK(eventually([&] { return types_in(receiver) == expected; }));
  auto last = receiver.requests().back();
  CHECK(last.line == "POST /in?k=v HTTP/1.1");
  auto body = json::parse(last.body);
  CHECK(body["data"]["id"] == session.id());
  CHECK(body["data"]["status"] == "ended");
  CHECK(body["data"]["branch"] == "work");
  CHECK_FALSE(body["data"].contains("running_execs"));
  CHECK_FALSE(body["timestamp"].get<std::string>().empty());
  CHECK(eventually([&] {
    return deliveries(node, hook, "status=delivered").size() == expected.size();
  }));
  auto oldest = deliveries(node, hook).back();
  CHECK(oldest["type"] == "session.created");
  CHECK(oldest["response_status"] == 200);
  CHECK(oldest["attempts"] == 1);
  // Its secret is shown once, and nowhere else.
  for (auto path : {hooks, path_of(hook), path_of(hook, "/deliveries"),
                    std::string{"/audit"}, session.path("/timeline")})
    CHECK(node.admin().get(path).body.find(secret) == std::string::npos);
  CHECK(node.log().find(secret) == std::string::npos);
}

TEST_CASE("a person's decision is told after the session has ended") {
  node_process node{with_loopback()};
  http_receiver receiver{always(200)};
  add(node, receiver.url(), {{"types", {"session.ended", "review.finished"}}});
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("echo new > new.txt");
  auto review = expect(200, session.post("/checkin", json::object()))
                  .data()["review_task_id"]
                  .get<std::string>();
  CHECK(eventually([&] { return types_in(receiver).size() == 1; }));
  expect(200, node.admin().post("/projects/demo/reviews/" + review + "/approve",
                                {{"merge", true}, {"comment", "Well done"}}));
  CHECK(eventually([&] { return types_in(receiver).size() == 2; }));
  CHECK(types_in(receiver) == texts{"session.ended", "review.finished"});
  auto told = json::parse(receiver.requests().back().body)["data"];
  CHECK(told["session_id"] == session.id());
  CHECK(told["review_id"] == review);
  CHECK(told["status"] == "merged");
  CHECK(told["decided_by"] == "admin");
  CHECK(told["decided_by_name"].is_string());
  CHECK(told["comment"] == "Well done");
  CHECK(told["merge_commit"] == node.git({"rev-parse", "main"}));
}

TEST_CASE("a webhook gets the types that it asks for") {
  node_process node{with_loopback()};
  http_receiver receiver{always(204)};
  auto hook = add(node, receiver.url(), {{"types", {"session.ended"}}});
  session_user session{node, json{{"new_branch", "work"}}};
  expect(200, session.remove());
  CHECK(
    eventually([&] { return types_in(receiver) == texts{"session.ended"}; }));
  auto changed =
    expect(200, node.admin().patch(path_of(hook), {{"enabled", false}})).data();
  CHECK(changed["enabled"] == false);
  session_user second{node, json{{"new_branch", "more"}}};
  expect(200, second.remove());
  expect(200, node.admin().patch(path_of(hook), {{"enabled", true}}));
  session_user third{node, json{{"new_branch", "third"}}};
  expect(200, third.remove());
  CHECK(eventually([&] { return types_in(receiver).size() == 2; }));
  CHECK(json::parse(receiver.requests().back().body)["data"]["id"]
        == third.id());
}

TEST_CASE("what is wrong with a webhook is said") {
  node_process node{with_loopback()};
  auto refused = [&](const json& body, const std::string& message) {
    expect_refusal(node.admin().post(hooks, body), 400, "BAD_REQUEST", message);
  };
  refused(json::object(), "url is required: where deliveries are sent");
  refused({{"url", "ftp://a"}}, "url must begin with https:// or http://");
  refused({{"url", "http://a"}, {"types", {"exec.output"}}},
          "types: \"exec.output\" is no type that is delivered, use "
          "session.created, session.extended, session.expiring, session.ended, "
          "checkin.started, checkin.finished, review.queued, review.started, "
          "review.finished, webhook.disabled");
  refused({{"url", "http://a"}, {"secret", "x"}}, "unknown field \"secret\"");
  expect_refusal(
    node.admin().post("/projects/none/webhooks", {{"url", "http://a"}}), 404,
    "NOT_FOUND", "project not found");
  for (auto id : {"none", "aaaaaaaaaaaaaaaaaaaa"}) {
    auto path = hooks + '/' + id;
    for (auto& reply : {node.admin().get(path), node.admin().remove(path),
                        node.admin().patch(path, {{"enabled", true}}),
                        node.admin().get(path + "/deliveries"),
                        node.admin().post(path + "/test", json::object()),
                        node.admin().post(path + "/redeliver", json::object())})
      expect_refusal(reply, 404, "NOT_FOUND", "webhook not found");
  }
  auto user =
    expect(201, node.admin().post(
                  "/keys", {{"name", "u"}, {"scopes", {"sessions:execute"}}}))
      .data()["key"]
      .get<std::string>();
  CHECK(node.with_key(user).get(hooks).status == 403);
  auto limited =
    expect(201, node.admin().post("/keys", {{"name", "l"},
                                            {"scopes", {"admin"}},
                                            {"projects", {"other"}}}))
      .data()["key"]
      .get<std::string>();
  CHECK(node.with_key(limited).get(hooks).status == 404);
}

TEST_CASE("what only the server can reach is refused to webhooks, unless it is "
          "allowed by name") {
  node_process node{{.sandboxed = false}};
  http_receiver receiver{always(200)};
  auto port = std::to_string(receiver.port());
  const std::string forbidden = "where webhooks may not lead; an administrator "
                                "allows it by webhooks.allow_networks";
  auto public_one = add(node, "http://example.org/");
  for (std::string host : {"127.0.0.1", "localhost", "[::1]", "0.0.0.0",
                           "169.254.169.254", "10.1.2.3"}) {
    INFO(host);
    const json body{{"url", "http://" + host + ":" + port + "/"}};
    for (auto& reply : {node.admin().post(hooks, body),
                        node.admin().patch(path_of(public_one), body)}) {
      CHECK(reply.status == 400);
      CHECK_THAT(reply.message(), StartsWith("url: ") && Contains(forbidden));
    }
  }
  // What its name says is not known before it is looked up.
  auto hook = add(node, "http://2130706433:" + port + "/");
  auto sent =
    expect(200, node.admin().post(path_of(hook, "/test"), json::object()))
      .data();
  CHECK(sent["status"] == "failed");
  CHECK_THAT(sent["error"].get<std::string>(), Contains(forbidden));
  CHECK(receiver.connections() == 0);
}

TEST_CASE("a webhook can be tried, and tells how that went") {
  node_process node{with_loopback()};
  std::atomic<int> status{500};
  http_receiver receiver{
    [&](const received_request&) { return http_receiver::answer(status); }};
  auto hook = add(node, receiver.url());
  auto try_it = [&] {
    return expect(200,
                  node.admin().post(path_of(hook, "/test"), json::object()))
      .data();
  };
  auto failed = try_it();
  CHECK(failed["status"] == "failed");
  CHECK(failed["response_status"] == 500);
  CHECK(failed["error"] == "the receiver answered 500");
  status = 200;
  auto good = try_it();
  CHECK(good["status"] == "delivered");
  CHECK(good["type"] == "webhook.test");
  CHECK(receiver.requests().back().headers.at("webhook-id") == good["id"]);
}

TEST_CASE(
  "a receiver that is dead or slow harms no other, and is tried again") {
  node_process node{with_loopback({"webhooks.timeout=5s"})};
  http_receiver quick{always(200)};
  http_receiver silent{
    [](const received_request&) { return http_receiver::never; }};
  std::atomic<bool> works{false};
  http_receiver broken{[&](const received_request&) {
    return works ? http_receiver::answer(200) : std::string{};
  }};
  http_receiver redirecting{[&](const received_request&) {
    return http_receiver::answer(307, "Location: " + quick.url() + "\r\n");
  }};
  auto dead = add(node, "http://127.0.0.1:" + std::to_string(unused_port()));
  add(node, silent.url());
  auto closing = add(node, broken.url());
  add(node, redirecting.url());
  add(node, quick.url());
  for (int i = 0; i < 8; ++i) {
    session_user session{node, json{{"new_branch", "b" + std::to_string(i)}}};
    expect(200, session.remove());
  }
  CHECK(eventually([&] { return types_in(quick).size() == 16; }));
  CHECK(deliveries(node, dead, "status=delivered").empty());
  auto shown = expect(200, node.admin().get(path_of(dead))).data();
  CHECK(shown["last_error"] == "Connection refused");
  CHECK(shown.contains("failing_since"));
  works = true;
  CHECK(eventually([&] {
    return deliveries(node, closing, "status=delivered").size() == 16;
  }));
  // Of each session in order, whatever failed between.
  std::set<std::string> begun;
  for (auto& one : broken.requests()) {
    auto body = json::parse(one.body);
    auto id = body["data"]["id"].get<std::string>();
    if (body["type"] == "session.created")
      begun.insert(id);
    else
      CHECK(begun.contains(id));
  }
}

TEST_CASE("a receiver that takes nothing for too long is disabled, and can be "
          "enabled again",
          "[one-node]") {
  node_process node{with_loopback({"webhooks.give_up_after=2s"})};
  std::atomic<int> status{503};
  http_receiver receiver{
    [&](const received_request&) { return http_receiver::answer(status); }};
  http_receiver other{always(200)};
  auto hook = add(node, receiver.url());
  add(node, other.url(), {{"types", {"webhook.disabled"}}});
  sse_client watcher{node.port(), "/events?types=webhook.disabled",
                     node.admin_key(), ""};
  session_user session{node, json{{"new_branch", "work"}}};
  CHECK(eventually([&] { return !other.requests().empty(); }));
  auto told = json::parse(other.requests().front().body);
  CHECK(told["type"] == "webhook.disabled");
  CHECK(told["data"]["webhook_id"] == hook["id"]);
  auto seen = watcher.next();
  REQUIRE(seen);
  CHECK(seen->type == "webhook.disabled");
  CHECK(seen->data["webhook_id"] == hook["id"]);
  CHECK(seen->data["project_id"] == "demo");
  CHECK_FALSE(seen->data.contains("url"));
  auto shown = expect(200, node.admin().get(path_of(hook))).data();
  CHECK(shown["enabled"] == false);
  auto audit = expect(200, node.admin().get("/audit?project=demo")).data();
  auto own = std::ranges::find(audit["entries"], "greenroom", [](auto& one) {
    return one.value("key_name", "");
  });
  REQUIRE(own != audit["entries"].end());
  CHECK((*own)["object"] == hook["id"]);
  CHECK_FALSE(own->value("node", "").empty());
  auto figures = expect(200, node.admin().get("/metrics")).body;
  CHECK(figures.find("greenroom_webhooks_disabled_total 1\n")
        != std::string::npos);
  CHECK(figures.find("greenroom_webhook_attempts_total{result=\"retried\"} 0")
        == std::string::npos);
  CHECK(shown["disabled_reason"]
        == "nothing was delivered for too long; at last: the receiver answered "
           "503");
  expect_refusal(node.admin().post(path_of(hook, "/redeliver"), json::object()),
                 409, "CONFLICT",
                 "the webhook is disabled; enable it first with PATCH "
                 "{\"enabled\": true}");
  status = 200;
  expect(200, node.admin().patch(path_of(hook), {{"enabled", true}}));
  auto stopped =
    expect(200, node.admin().patch(path_of(hook), {{"enabled", false}}));
  CHECK_THAT(stopped.data()["disabled_reason"].get<std::string>(),
             StartsWith("disabled by \"admin\" (request "));
  expect(200, node.admin().patch(path_of(hook), {{"enabled", true}}));
  auto queued =
    expect(202, node.admin().post(path_of(hook, "/redeliver"), json::object()))
      .data()["deliveries"];
  CHECK(queued.size() == 1);
  CHECK(eventually(
    [&] { return deliveries(node, hook, "status=delivered").size() == 1; }));
}

TEST_CASE("a kill -9 neither loses nor reorders what a webhook gets") {
  node_process node{with_loopback()};
  std::mutex mutex;
  std::set<std::string> known;
  // Of what comes for the first time the answer is lost.
  http_receiver receiver{[&](const received_request& what) {
    std::lock_guard guard{mutex};
    return known.insert(what.headers.at("webhook-id")).second
             ? std::string{}
             : http_receiver::answer(200);
  }};
  auto hook = add(node, receiver.url());
  std::vector<std::string> ids;
  for (int i = 0; i < 6; ++i) {
    session_user session{node, json{{"new_branch", "b" + std::to_string(i)}}};
    ids.push_back(session.id());
    expect(200, session.post("/extend", {{"expires_in", "2h"}}));
    expect(200, session.remove());
    if (i % 2 == 1) {
      node.kill9();
      node.start();
    }
  }
  CHECK(eventually([&] {
    return deliveries(node, hook, "status=delivered").size() == 3 * ids.size();
  }));
  // By session: each type for the first time after all before it.
  std::map<std::string, texts> by_session;
  std::map<std::string, std::string> names;
  for (auto& one : receiver.requests()) {
    auto body = json::parse(one.body);
    auto& types = by_session[body["data"]["id"]];
    auto type = body["type"].get<std::string>();
    auto key = body["data"]["id"].get<std::string>() + type;
    auto id = one.headers.at("webhook-id");
    // Whatever comes again comes under the id that it had.
    CHECK((names.emplace(key, id).first->second == id));
    if (std::ranges::find(types, type) == types.end())
      types.push_back(type);
    else
      CHECK(types.back() == type);
  }
  for (auto& id : ids)
    CHECK(by_session[id]
          == texts{"session.created", "session.extended", "session.ended"});
}

TEST_CASE("a session's own webhook is told of it alone, in order, and is a "
          "webhook like others") {
  node_process node{with_loopback()};
  http_receiver receiver{always(200)};
  const std::string secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  auto made =
    create(node, "work",
           {{{"url", receiver.url("/own")}, {"secret", secret}},
            {{"url", receiver.url("/ends")}, {"types", {"session.ended"}}}});
  session_user session{node, made["id"].get<std::string>()};
  REQUIRE(made["webhooks"].size() == 2);
  auto& hook = made["webhooks"][0];
  CHECK(hook["session_id"] == session.id());
  CHECK(hook["secret"] == secret);
  auto own = made["webhooks"][1]["secret"].get<std::string>();
  CHECK(own.starts_with("whsec_"));
  session_user other{node, json{{"new_branch", "other"}}};
  expect(200, other.remove());
  expect(200, session.post("/extend", {{"expires_in", "2h"}}));
  node.kill9();
  node.start();
  expect(200, session.checkin({{"skip_review", true}}));
  const texts expected{"session.created", "session.extended", "checkin.started",
                       "checkin.finished", "session.ended"};
  CHECK(eventually([&] { return sent_to(receiver, "/own") == expected; }));
  CHECK(eventually(
    [&] { return sent_to(receiver, "/ends") == texts{"session.ended"}; }));
  for (auto& one : receiver.requests()) {
    CHECK(json::parse(one.body)["data"]["id"] == session.id());
    auto& headers = one.headers;
    CHECK(headers.at("webhook-signature")
          == greenroom::webhook_signature(
            one.line.find("/own") != std::string::npos ? secret : own,
            headers.at("webhook-id"),
            std::stoll(headers.at("webhook-timestamp")), one.body));
  }
  CHECK(eventually([&] {
    return deliveries(node, hook, "status=delivered").size() == expected.size();
  }));
  auto shown = expect(200, node.admin().get(path_of(hook))).data();
  CHECK(shown["session_id"] == session.id());
  CHECK(shown["project_id"] == "demo");
  CHECK_FALSE(shown.contains("secret"));
  for (auto path : {hooks, session.path(), session.path("/timeline"),
                    std::string{"/audit"}, path_of(hook, "/deliveries")})
    CHECK(node.admin().get(path).body.find("whsec_") == std::string::npos);
  CHECK(node.log().find("whsec_") == std::string::npos);
  CHECK(expect(200, node.admin().post(path_of(hook, "/test"), json::object()))
          .data()["status"]
        == "delivered");
  auto oldest = deliveries(node, hook).back()["id"];
  auto attempts = [&] {
    return std::ranges::count(receiver.requests(), oldest, [](auto& one) {
      return json(one.headers.at("webhook-id"));
    });
  };
  const auto before = attempts();
  expect(202, node.admin().post(path_of(hook, "/redeliver"),
                                {{"delivery_id", oldest}}));
  CHECK(eventually([&] { return attempts() == before + 1; }));
  expect(200, node.admin().remove(path_of(hook)));
  CHECK(expect(200, node.admin().get(hooks)).data()["webhooks"].size() == 1);
}

TEST_CASE("a session's own webhook is told what becomes of its review") {
  node_process node{with_loopback()};
  http_receiver receiver{always(200)};
  auto made = create(node, "work",
                     {{{"url", receiver.url()},
                       {"types", {"session.ended", "review.finished"}}}});
  session_user session{node, made["id"].get<std::string>()};
  session.run("echo new > new.txt");
  auto review = expect(200, session.post("/checkin", json::object()))
                  .data()["review_task_id"]
                  .get<std::string>();
  expect(200, node.admin().post("/projects/demo/reviews/" + review + "/reject",
                                {{"comment", "No"}}));
  CHECK(eventually([&] {
    return types_in(receiver) == texts{"session.ended", "review.finished"};
  }));
  CHECK(json::parse(receiver.requests().back().body)["data"]["comment"]
        == "No");
}

TEST_CASE("a create that is refused leaves no webhook, and says what is wrong "
          "with one") {
  node_process node{with_loopback()};
  session_user session{node, json{{"new_branch", "work"}}};
  const json good{{"url", "https://example.org/"}};
  auto refused = [&](const json& webhooks, const std::string& message) {
    expect_refusal(node.admin().post(sessions, {{"new_branch", "other"},
                                                {"webhooks", webhooks}}),
                   400, "BAD_REQUEST", message);
  };
  refused("x", "webhooks must be a list of at most 5 objects with url");
  refused(json(6, good), "webhooks must be a list of at most 5 objects with "
                         "url");
  refused({good, 1}, "webhooks[1] must be an object with url");
  refused({good, json::object()},
          "webhooks[1]: url is required: where deliveries are sent");
  refused({{{"url", "ftp://a"}}},
          "webhooks[0]: url must begin with https:// or http://");
  refused({{{"url", "http://a"}, {"events", json::array()}}},
          "webhooks[0]: unknown field \"events\"");
  refused({{{"url", "http://a"}, {"types", {"webhook.disabled"}}}},
          "webhooks[0]: types: \"webhook.disabled\" is no type that is "
          "delivered, use session.created, session.extended, session.expiring, "
          "session.ended, checkin.started, checkin.finished, review.queued, "
          "review.started, review.finished");
  refused({{{"url", "http://a"}, {"secret", "whsec_short"}}},
          "webhooks[0]: secret must be whsec_ and a key of 24 to 64 bytes in "
          "base64");
  for (auto branch : {"work", "main"}) {
    auto reply =
      node.admin().post(sessions, {{"branch", branch}, {"webhooks", {good}}});
    CHECK(reply.status >= 400);
  }
  CHECK(expect(200, node.admin().get(hooks)).data()["webhooks"].empty());
}

TEST_CASE("what only the server can reach is refused to webhooks of sessions, "
          "too") {
  // What is allowed to projects is not so to whoever may make a session.
  node_process node{{.sandboxed = false,
                     .set = {R"(webhooks.allow_networks=["127.0.0.0/8"])"}}};
  http_receiver receiver{always(200)};
  const std::string forbidden = "by webhooks.allow_networks_of_sessions";
  auto refused =
    node.admin().post(sessions, {{"new_branch", "work"},
                                 {"webhooks", {{{"url", receiver.url()}}}}});
  CHECK(refused.status == 400);
  CHECK_THAT(refused.message(),
             StartsWith("webhooks[0]: url: 127.0.0.1 is a loopback address")
               && Contains(forbidden));
  // As before, what a name says is not known before it is looked up.
  auto port = std::to_string(receiver.port());
  auto made =
    create(node, "work", {{{"url", "http://2130706433:" + port + "/"}}});
  auto& hook = made["webhooks"][0];
  CHECK(eventually([&] {
    auto sent = deliveries(node, hook);
    return sent.size() == 1
           && sent[0].value("error", "").find(forbidden) != std::string::npos;
  }));
  CHECK(receiver.connections() == 0);
}

TEST_CASE(
  "a webhook of a session is changed to what those of sessions may lead "
  "to") {
  node_process node{
    {.sandboxed = false,
     .set = {R"(webhooks.allow_networks_of_sessions=["127.0.0.0/8"])"}}};
  http_receiver receiver{always(200)};
  const json elsewhere{{"url", receiver.url("/elsewhere")}};
  CHECK(node.admin().post(hooks, elsewhere).status == 400);
  auto made = create(node, "work", {{{"url", receiver.url()}}});
  auto path = path_of(made["webhooks"][0]);
  CHECK(expect(200, node.admin().patch(path, elsewhere)).data()["url"]
        == elsewhere["url"]);
  CHECK(node.admin().patch(path, {{"url", "http://10.1.2.3/"}}).status == 400);
}

TEST_CASE("a repeated create of a session makes its webhooks once, and gives "
          "them secrets that hold") {
  node_process node{with_loopback()};
  http_receiver receiver{always(200)};
  const std::string given = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const json body{
    {"new_branch", "work"},
    {"webhooks",
     {{{"url", receiver.url("/made")}, {"types", {"session.ended"}}},
      {{"url", receiver.url("/given")}, {"secret", given}}}}};
  auto make = [&] {
    return expect(201, node.admin().send("POST", sessions, body.dump(),
                                         "application/json",
                                         {{"Idempotency-Key", "one"}}))
      .data();
  };
  auto first = make();
  node.kill9();
  node.start();
  auto second = make();
  CHECK(second["id"] == first["id"]);
  REQUIRE(second["webhooks"].size() == 2);
  for (int i = 0; i < 2; ++i)
    CHECK(second["webhooks"][i]["id"] == first["webhooks"][i]["id"]);
  CHECK(second["webhooks"][1]["secret"] == given);
  auto made = second["webhooks"][0]["secret"].get<std::string>();
  CHECK(made != first["webhooks"][0]["secret"]);
  CHECK(expect(200, node.admin().get(hooks)).data()["webhooks"].size() == 2);
  expect(200, node.admin().remove(path_of(first["webhooks"][1])));
  auto third = make();
  REQUIRE(third["webhooks"].size() == 1);
  made = third["webhooks"][0]["secret"].get<std::string>();
  expect(200, session_user{node, first["id"].get<std::string>()}.remove());
  CHECK(eventually([&] { return sent_to(receiver, "/made").size() == 1; }));
  for (auto& one : receiver.requests())
    if (one.line.find("/made") != std::string::npos)
      CHECK(one.headers.at("webhook-signature")
            == greenroom::webhook_signature(
              made, one.headers.at("webhook-id"),
              std::stoll(one.headers.at("webhook-timestamp")), one.body));
  // Nothing is shown of a session that is over.
  CHECK_FALSE(make().contains("webhooks"));
}

TEST_CASE("a repeated create makes one webhook, and shows no second secret") {
  node_process node{with_loopback()};
  auto make = [&] {
    return expect(201, node.admin().send(
                         "POST", hooks, R"({"url": "https://example.org/"})",
                         "application/json", {{"Idempotency-Key", "one"}}))
      .data();
  };
  auto first = make();
  auto second = make();
  CHECK(second["id"] == first["id"]);
  CHECK_FALSE(second.contains("secret"));
  CHECK(second.contains("secret_note"));
  CHECK(expect(200, node.admin().get(hooks)).data()["webhooks"].size() == 1);
  expect(200, node.admin().remove(path_of(first)));
  CHECK(expect(200, node.admin().get(hooks)).data()["webhooks"].empty());
}
