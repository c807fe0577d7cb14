// What happens to a session says by whom and by which request.
#include "tests/api/demo.hpp"

using namespace greenroom::test;

namespace {

/// Asks with a key named `ci`, each time under a request id of its own.
class ci {
public:
  explicit ci(const node_process& node) : node_(node) {
    auto made = expect(
      201, node.admin().post("/keys", {{"name", "ci"}, {"scopes", {"admin"}}}));
    id_ = made.data()["id"];
    key_ = made.data()["key"];
  }

  json ask(int status, const std::string& request_id, const std::string& method,
           const std::string& path, const json& body = nullptr) const {
    return expect(status, node_.with_key(key_).send(
                            method, path, body.is_null() ? "" : body.dump(),
                            "application/json", {{"X-Request-Id", request_id}}))
      .data();
  }

  void expect_cause(const json& event, const std::string& request_id) const {
    INFO(event.dump());
    CHECK(event.value("by", "") == id_);
    CHECK(event.value("by_name", "") == "ci");
    CHECK(event.value("request_id", "") == request_id);
  }
  void expect_maker(const json& exec, const std::string& request_id) const {
    INFO(exec.dump());
    CHECK(exec.value("created_by", "") == id_);
    CHECK(exec.value("created_by_name", "") == "ci");
    CHECK(exec.value("request_id", "") == request_id);
  }

private:
  const node_process& node_;
  std::string id_;
  std::string key_;
};

json only(const session_user& session, const std::string& type) {
  auto events = session.timeline("types=" + type);
  REQUIRE(events.size() == 1);
  return events[0]["data"];
}

} // namespace

TEST_CASE("what happens to a session says by whom and by which request") {
  node_process node;
  ci user{node};
  session_user session{
    node, user.ask(201, "r-create", "POST", sessions, {{"new_branch", "work"}})
            .at("id")
            .get<std::string>()};
  auto path = session.path();
  const auto expect_creator = [](const json& shown) {
    INFO(shown.dump());
    CHECK(shown.value("created_by_name", "") == "ci");
  };
  expect_creator(node.admin().get(path).data());
  expect_creator(node.admin().get("/sessions").data()["sessions"].at(0));
  expect_creator(
    node.admin().get(path + "/wait?until=setup:done").data()["session"]);
  user.expect_cause(only(session, "session.created"), "r-create");
  expect_creator(user.ask(200, "r-extend", "POST", path + "/extend",
                          {{"expires_in", "9h"}}));
  user.expect_cause(only(session, "session.extended"), "r-extend");

  for (const std::string id : {"long", "stuck", "shot"}) {
    user.ask(202, "r-" + id, "POST", path + "/exec",
             {{"command", "sleep 1000"}, {"exec_id", id}});
    session.await_status(id, "running");
  }
  user.ask(200, "r-cancel", "DELETE", path + "/execs/long");
  user.ask(200, "r-kill", "POST", path + "/execs/shot/signal",
           {{"signal", "KILL"}});
  auto check_execs = [&] {
    auto canceled = session.await_status("long", "canceled");
    user.expect_maker(canceled, "r-long");
    CHECK(canceled["reason"] == "it was canceled by \"ci\" (request r-cancel)");
    CHECK(session.await_status("shot", "signaled")["reason"]
          == "the signal was sent by \"ci\" (request r-kill)");
    user.expect_maker(session.exec("stuck"), "r-stuck");
  };
  check_execs();
  node.kill9();
  node.start();
  check_execs();
  user.ask(200, "r-checkin", "POST", path + "/checkin",
           {{"skip_review", true}});
  user.expect_cause(only(session, "checkin.started"), "r-checkin");
  user.expect_cause(only(session, "session.ended"), "r-checkin");
}

TEST_CASE("an end that nobody asked for was due by the clock, a DELETE was its "
          "key's") {
  node_process node;
  ci user{node};
  const std::string how = GENERATE("rescue", "checkin");
  session_user expired{
    node, json{{"new_branch", "a"}, {"expires_in", "1s"}, {"on_expire", how}}};
  session_user deleted{node, json{{"new_branch", "b"}}};
  user.ask(200, "r-delete", "DELETE", deleted.path());
  user.expect_cause(only(deleted, "session.ended"), "r-delete");
  await("the other to expire", [&] { return expired.status() == "expired"; });
  auto ended = only(expired, "session.ended");
  INFO(ended.dump());
  CHECK_FALSE(ended.contains("by"));
  CHECK_FALSE(ended.contains("request_id"));
  CHECK(ended.value("by_name", "") == "clock");
  const auto audit =
    expect(200, node.admin().get("/audit?session=" + expired.id())).data();
  const auto entry = audit["entries"].at(0);
  INFO(entry.dump());
  CHECK(entry["key_name"] == "clock");
  CHECK_FALSE(entry.contains("key_id"));
  // What a request would have done.
  CHECK(entry["method"] == (how == "checkin" ? "POST" : "DELETE"));
  CHECK(entry["route"]
        == std::string{"/projects/{id}/sessions/{sid}"}
             + (how == "checkin" ? "/checkin" : ""));
}
