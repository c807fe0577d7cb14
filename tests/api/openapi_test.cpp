// What the OpenAPI document shows is what happens: its examples of requests are
// sent to a node, its examples of answers are held against its schemas, and
// each operation is asked for once.
//
// Whether the node's answers are as the document says is checked of each, here
// as in all of these tests; see traffic_check.cpp.
#include "runtime/base/files.hpp"
#include "tests/api/demo.hpp"
#include "tests/support/api_contract.hpp"
#include "tests/support/build_paths.hpp"
#include "tests/support/http_receiver.hpp"
#include "tests/support/json_schema.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace greenroom::test;
using greenroom::read_file;

namespace {

const json& document() {
  static const json all = json::parse(
    read_file(source_dir() / "http" / "api" / "openapi.json").value());
  return all;
}

/// The values of a media type's examples; those of one without a name have "".
std::map<std::string, json> examples_of(const json& media) {
  std::map<std::string, json> result;
  if (media.contains("example"))
    result[""] = media["example"];
  if (media.contains("examples"))
    for (auto& [name, one] : media["examples"].items())
      result[name] = one["value"];
  return result;
}

struct operation {
  std::string method;
  std::string path;
  std::string media_type;             // of the body; empty: it has none
  std::map<std::string, json> bodies; // the examples
  std::set<int> successes;
};

/// By operationId.
std::map<std::string, operation> operations() {
  std::map<std::string, operation> result;
  for (auto& [path, item] : document()["paths"].items())
    for (auto& [verb, described] : item.items()) {
      if (verb == "parameters")
        continue;
      operation one{verb, path, {}, {}, {}};
      std::ranges::transform(
        one.method, one.method.begin(),
        [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      if (described.contains("requestBody")) {
        auto& content = described["requestBody"]["content"];
        one.media_type = content.begin().key();
        one.bodies = examples_of(content.begin().value());
      }
      for (auto& [status, response] : described["responses"].items())
        if (status.starts_with('2'))
          one.successes.insert(std::stoi(status));
      result[described["operationId"]] = one;
    }
  return result;
}

/// Sends what the document shows. `place` has the values of the parameters in
/// paths, as they are known so far.
class reader_of_examples {
public:
  explicit reader_of_examples(const node_process& node) : node_(node) {}

  std::map<std::string, std::string> place{{"id", "demo"}, {"port", "3000"}};

  /// Asks with one example, or as it is where the operation takes no body; the
  /// answer has to be one of success.
  json run(const std::string& id, const std::string& example = {},
           const std::string& query = {}) {
    INFO(id << ' ' << example);
    auto& one = all_.at(id);
    left_[id].erase(example);
    std::string body;
    if (!one.media_type.empty()) {
      auto& value = one.bodies.at(example);
      body = value.is_string() ? value.get<std::string>() : value.dump();
    }
    auto reply = node_.admin().send(one.method, path_of(one.path) + query, body,
                                    one.media_type);
    INFO(to_string(reply));
    REQUIRE(one.successes.contains(reply.status));
    return reply.data();
  }

  /// With an operation it does not run, for a reason that its caller writes.
  void leave_out(const std::string& id) {
    left_.erase(id);
  }

  /// Operations and examples that nobody asked for.
  std::vector<std::string> left() const {
    std::vector<std::string> result;
    for (auto& [id, examples] : left_)
      for (auto& name : examples)
        result.push_back(id + ' ' + name);
    return result;
  }

private:
  static std::map<std::string, std::set<std::string>>
  to_run(const std::map<std::string, operation>& all) {
    std::map<std::string, std::set<std::string>> result;
    for (auto& [id, one] : all) {
      auto& names = result[id];
      for (auto& [name, value] : one.bodies)
        names.insert(name);
      if (names.empty())
        names.insert("");
    }
    return result;
  }

  std::string path_of(const std::string& pattern) const {
    std::string result;
    std::size_t at = 0;
    for (auto open = pattern.find('{'); open != std::string::npos;
         open = pattern.find('{', at)) {
      auto close = pattern.find('}', open);
      result += pattern.substr(at, open - at);
      result += place.at(pattern.substr(open + 1, close - open - 1));
      at = close + 1;
    }
    return result + pattern.substr(at);
  }

  const node_process& node_;
  const std::map<std::string, operation> all_ = operations();
  std::map<std::string, std::set<std::string>> left_ = to_run(all_);
};

std::string id_in(const json& data, const char* name = "id") {
  return data[name].get<std::string>();
}

void run_commands(reader_of_examples& reader) {
  reader.run("startExec", "wait_for_the_end");
  reader.run("startExec", "in_the_background");
  CHECK(reader.run("startExec", "with_input")["stdout"] == "a\nb\n");
  reader.run("startExec", "input_by_requests");
  reader.place["eid"] = id_in(reader.run("startExec", "terminal"), "exec_id");
  reader.run("resizeExec");
  reader.run("signalExec");
  reader.run("cancelExec");
  reader.place["eid"] = "filter-1";
  reader.run("writeInput", "", "?eof=true");
  CHECK(reader.run("waitForEvent", "", "?until=exec:filter-1:exited")["reached"]
        == true);
  reader.run("getOutput");
  reader.run("getExec");
  reader.run("listExecs", "", "?limit=2");
}

void look_at_session(reader_of_examples& reader) {
  reader.run("getSession");
  reader.run("listSessions", "", "?limit=1&label=ticket");
  reader.run("listAllSessions");
  reader.run("extendSession");
  reader.run("rotateToken");
  reader.run("createStreamTicket");
  reader.run("getGitState");
  reader.run("getDiff");
  reader.run("getMergeability");
  reader.run("getStats");
  reader.run("getTimeline", "", "?limit=5");
  reader.run("listPorts");
  reader.run("setPort");
  reader.place["lid"] = id_in(reader.run("createPortLink"));
  reader.run("deletePortLink");
}

void decide_reviews(reader_of_examples& reader, const node_process& node) {
  session_user{node, reader.place["sid"]}.run("echo fixed > login.txt");
  reader.place["rid"] = id_in(reader.run("checkinSession"), "review_task_id");
  reader.run("getReview");
  reader.run("getReviewDiff");
  reader.run("approveReview");
  reader.run("mergeReview");
  reader.place["sid"] = id_in(reader.run("createSession", "existing_branch"));
  reader.place["rid"] = id_in(reader.run("checkinSession"), "review_task_id");
  reader.run("rejectReview");
  reader.run("listReviews");
}

void end_sessions(reader_of_examples& reader, const node_process& node) {
  session_user mine{node, json{{"new_branch", "thrown-away"}}};
  reader.place["sid"] = mine.id();
  reader.run("discardSession");
  session_user theirs{node, json{{"new_branch", "forced"}}};
  theirs.run("echo work > kept.txt");
  reader.place["sid"] = theirs.id();
  CHECK_FALSE(reader.run("terminateSession")["rescue_refs"].empty());
  reader.run("listKept");
}

void use_webhooks(reader_of_examples& reader, const node_process& node) {
  reader.place["wid"] = id_in(reader.run("createWebhook"));
  reader.run("changeWebhook");
  reader.run("getWebhook");
  reader.run("deleteWebhook");
  // To the host of the examples nothing can be sent.
  http_receiver receiver{
    [](const received_request&) { return http_receiver::answer(200); }};
  auto made =
    node.admin().post("/projects/demo/webhooks", {{"url", receiver.url()}});
  reader.place["wid"] = id_in(expect(201, made).data());
  CHECK(reader.run("testWebhook")["status"] == "delivered");
  reader.run("redeliver");
  reader.run("listDeliveries");
  reader.run("listWebhooks");
}

void administer(reader_of_examples& reader) {
  reader.run("createProject");
  reader.place["id"] = "shop";
  reader.run("getProject");
  reader.run("changeProject");
  reader.run("deleteProject");
  reader.run("listProjects");
  reader.place["id"] = "demo";
  reader.place["kid"] = id_in(reader.run("createKey"));
  reader.run("listKeys");
  reader.run("revokeKey");
  for (auto id : {"listNodes", "listAudit", "metrics", "whoami", "logIn",
                  "logOut", "healthz", "readyz", "version", "openapi", "index",
                  "docs", "llmsText", "errors", "icon"})
    reader.run(id);
  reader.place["file"] = "index.html";
  reader.run("consoleFile");
}

} // namespace

TEST_CASE("the examples of the OpenAPI document work, in some order") {
  node_process node{{.set = {R"(webhooks.allow_networks=["127.0.0.0/8"])"}}};
  reader_of_examples reader{node};
  reader.place["sid"] = id_in(reader.run("createSession", "new_branch"));
  run_commands(reader);
  look_at_session(reader);
  decide_reviews(reader, node);
  end_sessions(reader, node);
  use_webhooks(reader, node);
  administer(reader);

  // No answers of one request: streams and sockets, in tests of their own.
  for (auto id : {"watchEvents", "watchAllEvents", "attach", "openTunnel"})
    reader.leave_out(id);
  // Of a review's command; reviews_test has one.
  reader.leave_out("getReviewOutput");
  // Where a disk has failed; kept_test has one.
  reader.leave_out("dropKept");
  // A node that is alone has no other to give its sessions to.
  reader.leave_out("drainNode");
  reader.leave_out("resumeNode");
  CHECK(reader.left() == std::vector<std::string>{});
}

TEST_CASE("every body that the OpenAPI document describes has an example") {
  for (auto& [id, one] : operations()) {
    INFO(id);
    CHECK(one.media_type.empty() == one.bodies.empty());
  }
}

TEST_CASE("the examples of the OpenAPI document are as its schemas say") {
  json_schema schemas{document()};
  std::size_t checked = 0;
  auto check = [&](const json& content) {
    for (auto& [type, media] : content.items())
      for (auto& [name, value] : examples_of(media)) {
        INFO(type << ' ' << name << ' ' << value.dump());
        for (auto& [pointer, reason] : schemas.check(value, media["schema"]))
          FAIL_CHECK(pointer << ' ' << reason);
        ++checked;
      }
  };
  for (auto& [path, item] : document()["paths"].items())
    for (auto& [verb, described] : item.items()) {
      if (verb == "parameters")
        continue;
      INFO(verb << ' ' << path);
      if (described.contains("requestBody"))
        check(described["requestBody"]["content"]);
      for (auto& [status, response] : described["responses"].items())
        check(schemas.resolved(response).value("content", json::object()));
    }
  CHECK(checked > 25);
}

TEST_CASE("a session that moves can be told as the OpenAPI document says") {
  auto& shown = document()["paths"]["/projects/{id}/sessions/{sid}"]["get"];
  auto data =
    shown["responses"]["200"]["content"]["application/json"]["example"]["data"];
  data.erase("reachable");
  data.update({{"time", "2026-03-01T09:00:00Z"},
               {"session_id", data["id"]},
               {"node", "node-2"},
               {"restoring", true},
               {"reason", "its node was lost"},
               {"missing", "all that ran"}});
  api_contract contract{document()};
  CHECK(contract.faults_of("/", {"1-2", "session.moved", data})
        == std::vector<std::string>{});
}

TEST_CASE("answers about what goes wrong or is unusual are as described") {
  node_process node{
    {.project = {{"review", {{"command", "true"}}}, {"setup", "true"}}}};
  auto admin = node.admin();
  session_user session{node,
                       json{{"new_branch", "work"}, {"labels", {{"a", "b"}}}}};
  auto exec = [&](const json& body) {
    return session.post("/exec", body).status;
  };
  CHECK(
    exec({{"command", "printf '\\377'; echo x >&2; exit 3"}, {"wait", "60s"}})
    == 200);
  CHECK(exec({{"command", "head -c 1500000 /dev/zero | tr '\\0' x"},
              {"wait", "60s"}})
        == 200);
  CHECK(exec({{"command", "kill -9 $$"}, {"wait", "60s"}}) == 200);
  expect(200, admin.get(session.path("/wait?until=setup:done")));
  expect(200, admin.get(session.path("/timeline")));

  session.run("echo more > more.txt");
  auto checked_in = expect(200, session.checkin({{"auto_merge", true}})).data();
  auto review = "/projects/demo/reviews/" + id_in(checked_in, "review_task_id");
  await("the review's end",
        [&] { return admin.get(review).data().contains("ended_at"); });
  expect(200, admin.get(review + "/output"));
  expect(200, admin.get(session.path()));
  expect(404, admin.get(sessions + "/aaaaaaaaaaaaaaaaaaaa"));
  expect(400, admin.post(sessions, json::object()));
  expect(405, admin.send("PUT", sessions, "{}"));
}

TEST_CASE("answers about ports are as the OpenAPI document says") {
  node_process node;
  auto admin = node.admin();
  session_user session{node, json{{"new_branch", "work"}}};
  session.start("web", "exec perl -MIO::Socket::INET -e '"
                       "$s = IO::Socket::INET->new(LocalAddr => "
                       "\"127.0.0.1\", LocalPort => 3000, Listen => 5);"
                       " sleep 1000'");
  auto waited = admin.get(session.path("/wait?until=port:3000"));
  CHECK(expect(200, waited).data()["reached"] == true);
  auto ports = expect(200, admin.get(session.path("/ports")));
  CHECK(ports.data()["ports"].size() == 1);
  expect(200, admin.get(session.path("/timeline?types=port.opened")));
  expect(426, admin.get(session.path("/ports/3000/tunnel")));
  expect(404,
         admin.remove(session.path("/ports/3000/links/aaaaaaaaaaaaaaaaaaaa")));
}
