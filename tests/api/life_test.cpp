// A session's life as its users see it: created, listed, extended, ended in
// each of the ways.
#include "tests/api/demo.hpp"

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>

using namespace greenroom::test;

namespace {

std::set<std::string> names_of(const json& object) {
  std::set<std::string> result;
  for (auto& [name, value] : object.items())
    result.insert(name);
  return result;
}

bool is_time(const json& value) {
  static const std::regex form{R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z)"};
  return value.is_string() && std::regex_match(value.get<std::string>(), form);
}

std::vector<std::string> ids_of(const http_reply& reply) {
  std::vector<std::string> result;
  auto data = expect(200, reply).data();
  for (auto& session : data["sessions"])
    result.push_back(session["id"]);
  return result;
}

sse_event last_event(const session_user& session) {
  auto events = session.watch().rest();
  REQUIRE(!events.empty());
  return events.back();
}

} // namespace

TEST_CASE("a session is created with all fields of the contract") {
  node_process node;
  auto reply =
    expect(201, node.admin().post(sessions, {{"new_branch", "work"},
                                             {"from_ref", "topic"},
                                             {"feature_slug", "slug"},
                                             {"expires_in", "90m"},
                                             {"preview_port", 3000},
                                             {"on_expire", "checkin"},
                                             {"labels", {{"team", "blue"}}}}));
  auto made = reply.data();
  auto meta = reply.all()["meta"];
  CHECK(is_time(meta["timestamp"]));
  CHECK(reply.headers["x-request-id"] == meta["request_id"]);

  CHECK(std::regex_match(made["id"].get<std::string>(),
                         std::regex{"[a-z0-9]{20}"}));
  CHECK(made["project_id"] == "demo");
  CHECK(made["checkout_id"] == "co-" + made["id"].get<std::string>());
  CHECK(made["pod_name"] == "test-node");
  CHECK(made["preview_url"].is_string());
  CHECK(made["status"] == "active");
  CHECK(made["created_by"].is_string());
  CHECK(is_time(made["created_at"]));
  CHECK(is_time(made["expires_at"]));
  CHECK(made["feature_slug"] == "slug");
  CHECK(made["on_expire"] == "checkin");
  CHECK(made["labels"] == json{{"team", "blue"}});
  CHECK(made["running_execs"] == 0);
  CHECK(made["branch"] == "work");
  auto clone_url = "/git/demo/" + made["id"].get<std::string>() + ".git";
  CHECK(made["auth_clone_url"].get<std::string>().ends_with(clone_url));
  CHECK(made["instructions"].is_string());
  CHECK(!made.contains("ended_at"));
  CHECK(!made.contains("status_reason"));

  SECTION("and reads lack only what is said at creation") {
    session_user session{node, made["id"].get<std::string>()};
    auto later = made;
    later.erase("auth_clone_url");
    later.erase("instructions");
    CHECK(session.get() == later);
    auto list = expect(200, node.admin().get(sessions)).data();
    CHECK(list["sessions"] == json::array({later}));
  }
  SECTION("and its checkout stands where it was asked to") {
    session_user session{node, made["id"].get<std::string>()};
    CHECK(run_git(session.new_checkout(), {"rev-parse", "HEAD"})
          == node.git({"rev-parse", "topic"}));
    CHECK(session.run("git branch --show-current")["stdout"] == "work\n");
    CHECK(session.run("cat src/topic.txt")["stdout"] == "topic\n");
  }
}

// Its files need not be on disk yet.
TEST_CASE("a session can be used in every way from its first moment") {
  node_process node;
  auto made = [&](const std::string& branch) {
    return expect(201, node.admin().post(sessions, {{"new_branch", branch}}))
      .data();
  };
  auto user = [&](const json& session) {
    return session_user{node, session["id"].get<std::string>()};
  };
  auto head = node.git({"rev-parse", "main"});
  for (int round = 0; round < 3; ++round) {
    auto branch = [&](const char* name) {
      return name + std::to_string(round);
    };
    CHECK(user(made(branch("exec")))
            .run("git status --porcelain; cat README.md")["stdout"]
          == "# Demo\n");
    auto started = user(made(branch("start"))).start("a", "sleep 0.01");
    CHECK(started["status"] != "queued");
    auto asked = user(made(branch("git")));
    auto state = expect(200, node.admin().get(asked.path("/git"))).data();
    CHECK(state["head"] == head);
    CHECK(state["dirty_files"] == 0);
    temp_dir home;
    run_git(home.path(),
            {"clone", "-q", made(branch("clone"))["auth_clone_url"], "mine"});
    CHECK(run_git(home.path() / "mine", {"rev-parse", "HEAD"}) == head);
    auto ended = expect(200, user(made(branch("end"))).checkin()).data();
    CHECK(ended["commit"] == head);
    auto gone = user(made(branch("gone")));
    expect(200, gone.remove());
    CHECK(gone.status() == "terminated");
    CHECK(
      eventually([&] { return !std::filesystem::exists(gone.checkout()); }));
  }
}

TEST_CASE("a session starts from a branch, the default branch or any ref") {
  node_process node;
  auto head = [](const session_user& session) {
    auto text = session.run("git rev-parse HEAD")["stdout"].get<std::string>();
    return text.substr(0, text.find('\n'));
  };
  CHECK(head({node, json{{"branch", "topic"}}})
        == node.git({"rev-parse", "topic"}));
  CHECK(head({node, json{{"new_branch", "a"}}})
        == node.git({"rev-parse", "main"}));
  CHECK(head({node, json{{"new_branch", "b"}, {"from_ref", "v1"}}})
        == node.git({"rev-parse", "v1^{commit}"}));
  auto commit = node.git({"rev-parse", "topic"});
  CHECK(head({node, json{{"new_branch", "c"}, {"from_ref", commit}}})
        == commit);
}

TEST_CASE("defaults hold where the creator says nothing") {
  node_process node;
  auto made = session_user{node, json{{"new_branch", "plain"}}}.get();
  CHECK(made["on_expire"] == "rescue");
  CHECK(made["labels"] == json::object());
  CHECK(!made.contains("feature_slug"));
  auto hours = [](const json& text) {
    std::tm time{};
    ::strptime(text.get<std::string>().c_str(), "%Y-%m-%dT%H:%M:%S", &time);
    return ::timegm(&time) / 3600.0;
  };
  CHECK(hours(made["expires_at"]) - hours(made["created_at"])
        == Approx(24).margin(0.01));
}

TEST_CASE("one list has the sessions of all projects that a key may see") {
  node_process node;
  auto client = node.admin();
  std::vector<std::string> newest_first;
  for (int i = 0; i < 6; ++i) {
    auto project = i % 2 == 0 ? "demo" : "other";
    auto made = client.post("/projects/" + std::string{project} + "/sessions",
                            {{"new_branch", "b" + std::to_string(i)},
                             {"labels", {{"n", std::to_string(i % 3)}}}});
    newest_first.insert(newest_first.begin(),
                        expect(201, made).data()["id"].get<std::string>());
  }
  CHECK(ids_of(client.get("/sessions")) == newest_first);
  CHECK(ids_of(client.get("/sessions?label=n%3D0"))
        == std::vector{newest_first[2], newest_first[5]});
  CHECK(ids_of(client.get("/sessions?created_by=admin&status=active"))
        == newest_first);
  CHECK(ids_of(client.get("/sessions?created_by=nobody")).empty());
  for (std::size_t size : {1, 2, 4, 5, 6}) {
    std::vector<std::string> paged;
    std::string cursor;
    do {
      auto page = expect(
        200, client.get("/sessions?limit=" + std::to_string(size) + cursor));
      CHECK(page.data()["sessions"].size() <= size);
      for (auto& id : ids_of(page))
        paged.push_back(id);
      cursor = page.data().contains("next_cursor")
                 ? "&cursor=" + page.data()["next_cursor"].get<std::string>()
                 : "";
    } while (!cursor.empty());
    CHECK(paged == newest_first);
  }
  auto limited =
    expect(201, client.post("/keys", {{"name", "limited"},
                                      {"scopes", {"sessions:read"}},
                                      {"projects", {"other"}}}))
      .data()["key"];
  CHECK(ids_of(node.with_key(limited).get("/sessions"))
        == std::vector{newest_first[0], newest_first[2], newest_first[4]});
}

TEST_CASE("lists are newest first, in pages, and filtered") {
  node_process node;
  auto client = node.admin();
  std::vector<std::string> newest_first;
  for (int i = 0; i < 5; ++i) {
    session_user made{node,
                      json{{"new_branch", "b" + std::to_string(i)},
                           {"feature_slug", i % 2 == 0 ? "even" : "odd"}}};
    newest_first.insert(newest_first.begin(), made.id());
  }
  session_user{node, newest_first[0]}.remove();

  CHECK(ids_of(client.get(sessions)) == newest_first);
  CHECK(ids_of(client.get(sessions + "?status=terminated"))
        == std::vector{newest_first[0]});
  CHECK(ids_of(client.get(sessions + "?status=active"))
        == std::vector(newest_first.begin() + 1, newest_first.end()));
  CHECK(ids_of(client.get(sessions + "?feature_slug=odd"))
        == std::vector{newest_first[1], newest_first[3]});
  CHECK(ids_of(client.get("/projects/other/sessions")).empty());

  std::vector<std::string> paged;
  std::string cursor;
  for (int page = 0; page < 3; ++page) {
    auto data = expect(200, client.get(sessions + "?limit=2" + cursor)).data();
    for (auto& session : data["sessions"])
      paged.push_back(session["id"]);
    CHECK(data.contains("next_cursor") == (page < 2));
    if (page < 2)
      cursor = "&cursor=" + data["next_cursor"].get<std::string>();
  }
  CHECK(paged == newest_first);

  for (auto bad : {"?limit=0", "?limit=201", "?limit=x", "?limit=-1",
                   "?status=asleep", "?cursor=nonsense"}) {
    INFO(bad);
    CHECK(client.get(sessions + bad).status == 400);
  }
}

TEST_CASE("a session is extended from now, up to 30 days after its creation") {
  node_process node;
  session_user session{node, json{{"new_branch", "w"}, {"expires_in", "1h"}}};
  auto before = session.get();
  auto longer =
    expect(200, session.post("/extend", {{"expires_in", "2h"}})).data();
  CHECK(longer["expires_at"] > before["expires_at"]);
  CHECK(longer == session.get());
  auto most =
    expect(200, session.post("/extend", {{"expires_in", "30d"}})).data();
  auto created = before["created_at"].get<std::string>();
  session_user capped{node, json{{"new_branch", "x"}, {"expires_in", "30d"}}};
  CHECK(most["expires_at"] < capped.get()["expires_at"]);
  auto shorter =
    expect(200, session.post("/extend", {{"expires_in", "10m"}})).data();
  CHECK(shorter["expires_at"] < before["expires_at"]);
  expect_refusal(session.post("/extend", {{"expires_in", "31d"}}), 400,
                 "BAD_REQUEST",
                 "expires_in must be a valid duration (e.g., 24h, 7d)");
  CHECK(types_of(session.watch().until(
          [](const sse_event& e) { return e.seq() == 4; }))
        == std::vector<std::string>{"session.created", "session.extended",
                                    "session.extended", "session.extended"});
}

TEST_CASE("a check-in brings the work into the upstream") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("echo committed > a.txt; git add a.txt; "
              "git -c user.name=U -c user.email=u@x commit -qm Mine");
  session.run("echo left > b.txt; rm README.md");
  auto done = expect(200, session.checkin({{"commit_message", "Close the work"},
                                           {"skip_review", true}}))
                .data();
  CHECK(names_of(done)
        == std::set<std::string>{"session_id", "status", "message", "commit",
                                 "branch", "merge", "rescue_refs"});
  CHECK(done["rescue_refs"].empty());
  CHECK(done["session_id"] == session.id());
  CHECK(done["status"] == "ended");
  CHECK(done["message"] == "Session ended. Preview removed, token revoked.");
  CHECK(done["branch"] == "work");
  CHECK(done["merge"]["status"] == "not_requested");
  CHECK(done["commit"] == node.git({"rev-parse", "refs/heads/work"}));
  CHECK(node.git({"log", "--format=%s", "work"})
        == "Close the work\nMine\nFirst");
  CHECK(node.git({"show", "work:a.txt"}) == "committed");
  CHECK(node.git({"show", "work:b.txt"}) == "left");
  CHECK(node.git({"ls-tree", "--name-only", "work"}) == "a.txt\nb.txt\nsrc");

  auto ended = session.get();
  CHECK(ended["status"] == "ended");
  CHECK(is_time(ended["ended_at"]));
  CHECK(ended["running_execs"] == 0);
  CHECK(!std::filesystem::exists(session.checkout()));

  SECTION("and the next session on the branch goes on from there") {
    session_user next{node, json{{"branch", "work"}}};
    CHECK(next.run("cat b.txt")["stdout"] == "left\n");
    next.run("echo more >> b.txt");
    expect(200, next.checkin());
    CHECK(node.git({"show", "work:b.txt"}) == "left\nmore");
  }
}

TEST_CASE("a check-in that conflicts leaves the session at work") {
  node_process node;
  session_user session{node, json{{"branch", "topic"}}};
  session.run("echo mine > src/topic.txt");
  // Somebody else moves the branch meanwhile.
  auto other =
    node.git({"commit-tree", "-p", "topic", "-m", "Theirs", "topic^{tree}"});
  node.git({"update-ref", "refs/heads/topic", other});
  auto refused = session.checkin();
  CHECK(refused.status == 409);
  CHECK(session.status() == "active");
  CHECK(session.run("cat src/topic.txt")["stdout"] == "mine\n");
  CHECK(node.git({"rev-parse", "topic"}) == other);
  // What the session reads is the node's mirror; the upstream is not in sight.
  auto merged = session.run("git pull -q --no-rebase --no-edit");
  CHECK(merged["stderr"] == "");
  expect(200, session.checkin());
  CHECK(node.git({"show", "topic:src/topic.txt"}) == "mine");
  CHECK(node.git({"merge-base", "topic", other}) == other);
}

TEST_CASE("a session that is deleted leaves its work under rescue refs") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("echo kept > a.txt; git add a.txt; "
              "git -c user.name=U -c user.email=u@x commit -qm Mine; "
              "echo too > b.txt");
  auto done = expect(200, session.remove()).data();
  CHECK(done["status"] == "terminated");
  CHECK(done["id"] == session.id());
  CHECK(done["message"]
        == "Session force-terminated. Preview removed, token revoked.");
  auto prefix = "refs/greenroom/rescue/" + session.id() + "/";
  std::set<std::string> refs;
  for (auto& kept : done["rescue_refs"]) {
    CHECK(node.git({"rev-parse", kept["ref"]}) == kept["commit"]);
    CHECK(!kept["holds"].get<std::string>().empty());
    refs.insert(kept["ref"]);
  }
  CHECK(refs == std::set<std::string>{prefix + "heads/work", prefix + "tree"});
  CHECK(session.get()["rescue_refs"] == done["rescue_refs"]);
  auto events = session.watch().rest();
  CHECK(events.back().data["rescue_refs"] == done["rescue_refs"]);
  node.kill9();
  node.start();
  CHECK(session.get()["rescue_refs"] == done["rescue_refs"]);
  CHECK(node.git({"show", prefix + "heads/work:a.txt"}) == "kept");
  CHECK(node.git({"show", prefix + "tree:b.txt"}) == "too");
  CHECK(session.status() == "terminated");
  CHECK(last_event(session).type == "session.ended");

  session_user next{node, json{{"new_branch", "work"}}};
  CHECK(next.status() == "active");
}

TEST_CASE("a check-in names what its branch has not") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("git checkout -q -b side; echo aside > side.txt; git add .; "
              "git -c user.name=U -c user.email=u@x commit -qm Aside; "
              "git checkout -q work; echo mine > a.txt");
  auto done = expect(200, session.checkin({{"skip_review", true}})).data();
  auto side = "refs/greenroom/rescue/" + session.id() + "/heads/side";
  REQUIRE(done["rescue_refs"].size() == 1);
  CHECK(done["rescue_refs"][0]["ref"] == side);
  CHECK(node.git({"rev-parse", side}) == done["rescue_refs"][0]["commit"]);
  CHECK(node.git({"show", side + ":side.txt"}) == "aside");
  CHECK(session.get()["rescue_refs"] == done["rescue_refs"]);
}

TEST_CASE("a session that is deleted without any work has nothing to rescue") {
  node_process node;
  session_user session{node, json{{"branch", "topic"}}};
  auto done = expect(200, session.remove()).data();
  CHECK(done["rescue_refs"] == json::array());
}

TEST_CASE("a session expires when its time is up, and keeps its work") {
  node_process node;
  session_user session{node, json{{"new_branch", "brief"}}};
  std::ofstream{session.new_checkout() / "left.txt"} << "left\n";
  expect(200, session.post("/extend", {{"expires_in", "1s"}}));
  auto events = session.watch().rest();
  REQUIRE(!events.empty());
  CHECK(events.back().type == "session.ended");
  CHECK(events.back().data["status"] == "expired");
  auto ended = session.get();
  CHECK(ended["status"] == "expired");
  CHECK(ended["ended_at"] >= ended["expires_at"]);
  CHECK(node.git(
          {"show", "refs/greenroom/rescue/" + session.id() + "/tree:left.txt"})
        == "left");
  session_user next{node, json{{"new_branch", "brief"}}};
  CHECK(next.status() == "active");
}

TEST_CASE(
  "a session with on_expire checkin is checked in when its time is up") {
  node_process node;
  session_user session{node,
                       json{{"new_branch", "brief"}, {"on_expire", "checkin"}}};
  std::ofstream{session.new_checkout() / "left.txt"} << "left\n";
  expect(200, session.post("/extend", {{"expires_in", "1s"}}));
  auto end = last_event(session);
  CHECK(end.type == "session.ended");
  CHECK(end.data["status"] == "expired");
  CHECK(node.git({"show", "brief:left.txt"}) == "left");
}
