// Several sessions on one event stream.
#include "tests/api/demo.hpp"
#include "tests/support/temp_dir.hpp"

#include <fstream>
#include <map>

using namespace greenroom::test;
using Catch::Contains;

namespace {

sse_client watch(const node_process& node, const std::string& query = {},
                 const std::string& last_event_id = {},
                 const std::string& key = {}) {
  return {node.port(), "/events?" + query, key.empty() ? node.admin_key() : key,
          last_event_id};
}

/// Type and session of each event, up to one of this type of this session.
std::vector<sse_event> until(sse_client& from, const std::string& type,
                             const std::string& session) {
  return from.until([&](const sse_event& event) {
    return event.type == type && event.data["session_id"] == session;
  });
}

/// The events of one session, as they are in its timeline.
json own(const std::vector<sse_event>& events, const std::string& session) {
  auto result = json::array();
  for (auto& event : events)
    if (event.data["session_id"] == session)
      result.push_back(event.data);
  return result;
}

json timeline_of(const session_user& session) {
  auto result = json::array();
  for (auto& event : session.timeline())
    result.push_back(event["data"]);
  return result;
}

} // namespace

TEST_CASE("one stream has the events of all sessions, and of those that come") {
  node_process node{{.sandboxed = false}};
  session_user first{node, json{{"new_branch", "one"}}};
  auto stream = watch(node);
  CHECK(stream.status() == 200);
  first.run("echo one");
  session_user second{node, json{{"new_branch", "two"}}};
  second.run("echo two");
  first.remove();
  second.remove();
  auto events = until(stream, "session.ended", second.id());
  // The first from now on, the second whole.
  CHECK(own(events, first.id()).front()["exec_id"].is_string());
  CHECK(own(events, second.id()) == timeline_of(second));
  std::map<std::string, int> ends;
  for (auto& event : events)
    if (event.type == "session.ended")
      ++ends[event.data["session_id"]];
  CHECK(ends.size() == 2);
  // It goes on.
  session_user third{node, json{{"new_branch", "three"}}};
  auto more = until(stream, "session.created", third.id());
  CHECK_FALSE(more.empty());
}

TEST_CASE("its cursor resumes in all sessions, also over a restart") {
  node_process node{{.sandboxed = false}};
  session_user first{node, json{{"new_branch", "one"}}};
  session_user second{node, json{{"new_branch", "two"}}};
  std::vector<sse_event> all;
  std::string cursor;
  auto read_some = [&](std::size_t count) {
    auto stream = watch(node, cursor.empty() ? "from=earliest" : "", cursor);
    for (std::size_t i = 0; i < count; ++i) {
      auto event = stream.next();
      REQUIRE(event);
      all.push_back(*event);
    }
    cursor = all.back().id;
  };
  read_some(1);
  for (int i = 0; i < 3; ++i) {
    first.run("echo one");
    second.run("echo two");
  }
  read_some(3);
  read_some(5);
  node.kill9();
  node.start();
  // One that comes and goes while nobody watches.
  session_user third{node, json{{"new_branch", "three"}}};
  third.run("echo three");
  third.remove();
  second.remove();
  read_some(2);
  first.run("echo last");
  first.remove();
  auto stream = watch(node, "", cursor);
  std::map<std::string, int> ended;
  for (auto& event : all)
    if (event.type == "session.ended")
      ++ended[event.data["session_id"]];
  while (ended.size() < 3) {
    auto event = stream.next();
    REQUIRE(event);
    all.push_back(*event);
    if (event->type == "session.ended")
      ++ended[event->data["session_id"]];
  }
  for (auto* session : {&first, &second, &third}) {
    INFO(session->id());
    CHECK(own(all, session->id()) == timeline_of(*session));
  }
}

TEST_CASE("it can be of some projects, sessions and types") {
  node_process node{{.sandboxed = false}};
  session_user mine{node, json{{"new_branch", "mine"}}};
  session_user other{node, json{{"new_branch", "other"}}};
  auto elsewhere = expect(201, node.admin().post("/projects/other/sessions",
                                                 {{"branch", "topic"}}))
                     .data()["id"]
                     .get<std::string>();
  auto by_session = watch(node, "from=earliest&session=" + mine.id());
  auto by_project = watch(node, "from=earliest&project=other");
  auto by_type = watch(node, "from=earliest&types=session.ended");
  mine.run("echo mine");
  other.remove();
  expect(200, node.admin().remove("/projects/other/sessions/" + elsewhere));
  mine.remove();
  auto events = until(by_session, "session.ended", mine.id());
  CHECK(own(events, mine.id()).size() == events.size());
  events = until(by_project, "session.ended", elsewhere);
  CHECK(own(events, elsewhere).size() == events.size());
  events = until(by_type, "session.ended", mine.id());
  for (auto& event : events)
    CHECK(event.type == "session.ended");
  CHECK(events.size() == 3);
}

TEST_CASE("a key sees no other project's sessions, whatever cursor it sends") {
  node_process node{{.sandboxed = false}};
  session_user hidden{node, json{{"new_branch", "hidden"}}};
  auto key =
    expect(201, node.admin().post("/keys", {{"name", "x"},
                                            {"scopes", {"sessions:read"}},
                                            {"projects", {"other"}}}))
      .data()["key"]
      .get<std::string>();
  auto stream = watch(node, "from=earliest", "1." + hidden.id() + "-0", key);
  CHECK(stream.status() == 200);
  hidden.run("echo secret");
  auto seen = expect(201, node.admin().post("/projects/other/sessions",
                                            {{"branch", "topic"}}))
                .data()["id"]
                .get<std::string>();
  auto events = until(stream, "session.created", seen);
  CHECK(own(events, hidden.id()).empty());
  http_client limited{node.port(), key};
  expect_refusal(limited.get("/events?project=demo"), 404, "NOT_FOUND",
                 "project not found");
}

TEST_CASE("what makes no sense to such a stream is refused") {
  node_process node{{.sandboxed = false}};
  auto client = node.admin();
  CHECK(client.get("/events?from=3-17").status == 400);
  CHECK(client.get("/events?session=nonsense").status == 400);
  CHECK(client.get("/events?project=No").status == 400);
  CHECK(client.get("/events?types=no.such").status == 400);
  auto refused = client.get("/events?last_event_id=3-17");
  CHECK(refused.status == 400);
  CHECK_THAT(refused.message(), Contains("last_event_id must be"));
  CHECK(http_client(node.port(), "").get("/events").status == 401);
}

TEST_CASE("a review is told of from its beginning to its end") {
  node_options options;
  options.sandboxed = false;
  // It goes on until the test says so, after the session's end.
  temp_dir dir;
  const auto go = (dir.path() / "go").string();
  options.project = {
    {"review", {{"command", "while [ ! -e " + go + " ]; do sleep 0.1; done"}}}};
  node_process node{options};
  auto all = watch(node);
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("echo new > new.txt");
  auto review =
    expect(200, session.checkin()).data()["review_task_id"].get<std::string>();
  std::vector<std::string> own;
  for (auto& event : session.timeline())
    own.push_back(event["type"]);
  REQUIRE(own.size() > 4);
  CHECK(std::vector<std::string>{own.end() - 4, own.end()}
        == std::vector<std::string>{"review.queued", "review.started",
                                    "checkin.finished", "session.ended"});
  auto events = until(all, "session.ended", session.id());
  auto cursor = events.back().id;
  auto wait = [&](const std::string& timeout) {
    return expect(200, node.admin().get(session.path(
                         "/wait?until=review:finished&timeout=" + timeout)))
      .data();
  };
  auto early = wait("10ms");
  CHECK(early["reached"] == false);
  CHECK(early["review"]["status"] == "running");
  std::ofstream{go};
  auto waited = wait("60s");
  CHECK(waited["reached"] == true);
  CHECK(waited["review"]["id"] == review);
  auto last = until(all, "review.finished", session.id()).back();
  CHECK(last.data["review_id"] == review);
  CHECK(last.data["status"] == "approved");
  // Also for who was away, and for who asks for no more than that.
  auto again = watch(node, "types=review.finished", cursor);
  auto first = again.next();
  REQUIRE(first);
  CHECK(first->data == last.data);
  // A merge that is asked for later is another beginning and end.
  expect(200, node.admin().post("/projects/demo/reviews/" + review + "/merge",
                                json::object()));
  auto more = until(all, "review.finished", session.id());
  REQUIRE(more.size() == 2);
  CHECK(more[0].type == "review.started");
  CHECK(more[1].data["status"] == "merged");
}
