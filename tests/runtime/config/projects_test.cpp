#include "runtime/config/projects.hpp"

#include "messages/errors.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace greenroom;
using Catch::Contains;
using nlohmann::json;

namespace {

project_record some_project() {
  return project_from_json({{"id", "demo"},
                            {"repo", "/srv/demo.git"},
                            {"env", {{"A", "1"}, {"B", ""}}},
                            {"setup", "make deps"},
                            {"review", {{"required", true}}}});
}

std::string error_of(const json& fields) {
  try {
    project_from_json(fields);
  } catch (const refused& e) {
    CHECK(e.code() == errc::bad_request);
    return e.what();
  }
  return "no error";
}

std::string change_error(std::string_view fields) {
  try {
    changed_project(some_project(), fields);
  } catch (const refused& e) {
    CHECK(e.code() == errc::bad_request);
    return e.what();
  }
  return "no error";
}

json with(const char* field, json value) {
  json result{{"id", "demo"}, {"repo", "/srv/demo.git"}};
  result[field] = std::move(value);
  return result;
}

} // namespace

TEST_CASE("a project needs an id and a repository, and protects its branch") {
  auto project =
    project_from_json({{"id", "a"}, {"repo", "/r"}, {"default_branch", "dev"}});
  CHECK(is_protected(project, "dev", "dev"));
  CHECK_FALSE(is_protected(project, "main", "dev"));
  auto open = project_from_json({{"id", "a"}, {"repo", "/r"}});
  CHECK(open.default_branch.empty());
  CHECK(project_to_json(open)["default_branch"] == nullptr);
  CHECK(project_to_json(open)["protected_branches"] == nullptr);
  CHECK(is_protected(open, "trunk", "trunk"));
  CHECK(project.max_active_sessions == 1);
  CHECK_FALSE(project.stopped);
  CHECK_THAT(error_of({{"id", "a"}}), Contains("repo is missing"));
  CHECK_THAT(error_of({{"repo", "a"}}), Contains("id is missing"));
  CHECK_THAT(error_of(json::array()), Contains("must be a JSON object"));
  CHECK(project_from_json(with("protected_branches", json::array()))
          .protected_branches.empty());
}

TEST_CASE("a project's JSON reads back as the project") {
  auto project = some_project();
  CHECK(project_from_json(project_to_json(project)) == project);
  CHECK(project_to_json(project).dump()
        == R"({"id":"demo","repo":"/srv/demo.git","default_branch":null,)"
           R"("protected_branches":null,"max_active_sessions":1,)"
           R"("env":{"A":"1","B":""},"setup":"make deps",)"
           R"("review":{"command":null,"timeout":"30m","required":true},)"
           R"("preview":{"access":"token","rewrite_origin":false,)"
           R"("preflights":false},"on_node_loss":"replace",)"
           R"("node_loss_delay":null,"node_labels":{}})");
}

TEST_CASE("bad fields of a project are refused by name") {
  CHECK(error_of(with("max_active_sessions", 0))
        == "max_active_sessions is 0, but must be a whole number from 1 to "
           "10000");
  CHECK_THAT(error_of(with("id", "Demo")), Contains("id is \"Demo\""));
  CHECK(error_of(with("max_sessions", 1)) == "max_sessions is not a known key");
  CHECK(error_of(with("reviews", 1))
        == "reviews is not a known key; did you mean review?");
  CHECK_THAT(error_of(with("review", {{"timeout", "0s"}})),
             Contains("review.timeout is \"0s\""));
  CHECK_THAT(error_of(with("protected_branches", {""})),
             Contains("protected_branches"));
  CHECK_THAT(error_of(with("status", "stopped")), Contains("status"));
  CHECK_THAT(error_of(with("setup", "")), Contains("setup is \"\""));
}

TEST_CASE("names that git does not take are no branches") {
  auto bad = GENERATE("", "-x", "a b", "a..b", "/a", "a/", "a//b", ".a", "a/.b",
                      "a.lock", "a.lock/b", "a~1", "a^", "a:b", "a?", "a*",
                      "a[b", "a\\b", "@", "a@{b", "a.", "a\x01", "a\x7f");
  CAPTURE(bad);
  CHECK_THAT(error_of(with("default_branch", bad)),
             Contains("must be a branch name"));
}

TEST_CASE("a repository that would run a program or hold a secret is refused") {
  auto bad = GENERATE("", "-u", "--upload-pack=x", "ext::sh -c id",
                      "http://user:canary@h/r", "https://canary@h/r",
                      "ssh://git:canary@h/r", "://h/r", "a\nb");
  CAPTURE(bad);
  auto error = error_of(with("repo", bad));
  CHECK_THAT(error, Contains("repo must be a path or a URL"));
  CHECK_THAT(error, !Contains("canary"));
  auto good = GENERATE("/srv/x", "../x", "file:///srv/x", "https://h/a@b.git",
                       "http://[::1]:8080/x", "ssh://git@h/x");
  CHECK(project_from_json(with("repo", good)).repo == good);
}

TEST_CASE("bad environments are refused without showing them") {
  for (const auto& bad :
       {json{{"1A", "canary"}}, json{{"A=B", "canary"}}, json{{"", "canary"}},
        json{{"A", 1}, {"B", "canary"}},
        json{{"A", std::string("canary\0", 7)}}, json{"canary"}}) {
    auto error = error_of(with("env", bad));
    CHECK_THAT(error, Contains("env must be an object"));
    CHECK_THAT(error, !Contains("canary"));
  }
}

TEST_CASE("a change touches what it names") {
  auto expected = some_project();
  expected.max_active_sessions = 4;
  expected.stopped = true;
  expected.review.command = "make check";
  expected.setup.clear();
  CHECK(changed_project(some_project(),
                        R"({"max_active_sessions": 4, "status": "stopped",
                            "review": {"command": "make check"},
                            "setup": null, "id": "demo"})")
        == expected);
  CHECK(changed_project(expected, R"({"status": "running"})").stopped == false);
  CHECK(changed_project(expected, "{}") == expected);
}

TEST_CASE("a bad change is refused") {
  CHECK(change_error("") == "invalid request body");
  CHECK(change_error("[]") == "invalid request body");
  CHECK(change_error("{\"status\": \"paused\"}")
        == "status is \"paused\", but must be \"running\" or \"stopped\"");
  CHECK_THAT(change_error("{\"id\": \"other\"}"),
             Contains("cannot be changed"));
  CHECK(change_error("{\"staus\": \"running\"}")
        == "staus is not a known key; did you mean status?");
}
